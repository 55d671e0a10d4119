"""Near pairs equal a plain search, however they are found."""

import numpy as np
import pytest

from gan_core.reading import duplicates
from gan_core.reading.duplicates import Groups, near_pairs, thumbnail


def _plain(thumbs: np.ndarray, rms: float) -> dict[tuple[int, int], float]:
    flat = thumbs.reshape(len(thumbs), -1).astype(float)
    return {
        (i, j): distance
        for i in range(len(flat))
        for j in range(i + 1, len(flat))
        if (distance := float(np.sqrt(np.mean((flat[i] - flat[j]) ** 2)))) <= rms
    }


def _found(thumbs: np.ndarray, rms: float) -> dict[tuple[int, int], float]:
    return {
        (int(i), int(j)): float(d)
        for first, second, distance in near_pairs(thumbs, rms)
        for i, j, d in zip(first, second, distance, strict=True)
    }


@pytest.fixture
def thumbs() -> np.ndarray:
    """90 random thumbnails, half of them more or less noisy copies of others."""
    rng = np.random.default_rng(3)
    originals = rng.integers(0, 256, (45, 4, 4, 3)).repeat(8, axis=1).repeat(8, axis=2)
    noise = rng.normal(0, 1, (45, 32, 32, 3)) * np.linspace(0, 16, 45)[:, None, None, None]
    copies = np.clip(originals + noise, 0, 255)
    return np.concatenate([originals, copies]).astype(np.uint8)[rng.permutation(90)]


@pytest.mark.parametrize("block", [7, 64, 1024])
def test_the_search_in_blocks_finds_exactly_the_pairs_of_a_plain_search(
    thumbs: np.ndarray, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duplicates, "_BLOCK", block)
    expected = _plain(thumbs, 8.0)
    assert 10 < len(expected) < 45
    assert _found(thumbs, 8.0) == pytest.approx(expected)


def test_a_set_of_lookalikes_is_searched_by_products_of_matrices(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(duplicates, "_BLOCK", 16)
    rng = np.random.default_rng(0)
    alike = (rng.normal(128, 4, (40, 32, 32, 3))).astype(np.uint8)
    expected = _plain(alike, 8.0)
    assert len(expected) == 40 * 39 // 2
    assert _found(alike, 8.0) == pytest.approx(expected, abs=0.01)


def test_a_thumbnail_averages_boxes() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    expected = pixels.reshape(32, 3, 32, 3, 3).mean(axis=(1, 3))
    # Pillow rounds after each of its two passes.
    assert np.abs(thumbnail(pixels) - expected).max() <= 1.0


def test_groups_join_through_others() -> None:
    groups = Groups(7)
    groups.join(np.array([0, 2]), np.array([1, 3]))
    groups.join(np.array([1, 5]), np.array([3, 6]))
    assert groups.labels[0] == groups.labels[1] == groups.labels[2] == groups.labels[3]
    assert groups.labels[5] == groups.labels[6]
    assert len(np.unique(groups.labels)) == 3
