"""One resize and one encoding for all images."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan_core.matching import matched, matched_into
from gan_core.progress import Progress, Stopped


def some_images(count: int, side: int = 224, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (count, 4, 4, 3), dtype=np.uint8)
    enlarged = [
        np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC))
        for image in coarse
    ]
    noise = random.integers(0, 16, (count, side, side, 3))
    return np.clip(np.stack(enlarged) + noise, 0, 255).astype(np.uint8)


def stop_after(calls: int) -> Callable[[], bool]:
    asked = iter(range(calls))
    return lambda: next(asked, None) is None


def test_an_image_of_the_side_passes_through_one_jpeg_encoder_and_nothing_else() -> None:
    (image,) = some_images(1)
    encoded = io.BytesIO()
    Image.fromarray(image).save(encoded, "JPEG", quality=90, subsampling="4:2:0")
    assert np.array_equal(matched(image[None])[0], np.asarray(Image.open(encoded)))
    assert not np.array_equal(matched(image[None])[0], image)


def test_larger_and_smaller_images_are_resized_without_aliases() -> None:
    # Stripes finer than the new pixels come out as their mean.
    stripes = np.zeros((1, 448, 448, 3), np.uint8)
    stripes[:, :, ::2] = 200
    found = matched(stripes)
    assert found.shape == (1, 224, 224, 3)
    assert abs(found[:, 8:-8, 8:-8].astype(int) - 100).max() <= 3
    (small,) = some_images(1, side=64)
    expected = Image.fromarray(small).resize((224, 224), Image.Resampling.BICUBIC)
    assert np.array_equal(matched(small[None])[0], matched(np.asarray(expected)[None])[0])


def test_an_image_comes_out_the_same_in_any_company() -> None:
    images = some_images(5, side=96)
    together = matched(images, side=64)
    assert together.shape == (5, 64, 64, 3)
    assert np.array_equal(matched(images[::-1], side=64), together[::-1])
    assert np.array_equal(matched(images[3:4], side=64), together[3:4])


def test_images_may_lie_in_a_read_only_map_and_there_may_be_none(tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", some_images(2, side=32))
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    assert np.array_equal(matched(mapped, side=32), matched(np.array(mapped), side=32))
    assert matched(mapped[:0]).shape == (0, 224, 224, 3)


def edge_at_blocks(images: np.ndarray) -> np.ndarray:
    """How much larger steps between neighbours are where blocks of 8 pixels meet; [N]."""
    steps = np.abs(np.diff(images.astype(float).mean(-1), axis=2))
    meets = np.arange(steps.shape[2]) % 8 == 7
    ratio: np.ndarray = steps[:, :, meets].mean((1, 2)) / steps[:, :, ~meets].mean((1, 2))
    return ratio


def test_images_without_blocks_and_images_from_a_jpeg_both_have_them_afterwards() -> None:
    never_encoded = some_images(6, side=128)
    from_a_jpeg = matched(some_images(6, side=128, seed=1), side=128)
    before = edge_at_blocks(from_a_jpeg) - edge_at_blocks(never_encoded)
    after = edge_at_blocks(matched(from_a_jpeg, 128)) - edge_at_blocks(matched(never_encoded, 128))
    assert before.mean() > 0.2
    assert abs(after.mean()) < before.mean() / 4


def test_a_set_that_was_stopped_goes_on_and_leaves_the_same_bytes(tmp_path: Path) -> None:
    images = some_images(130, side=16)
    told: list[Progress] = []
    arguments = {"side": 24, "on_progress": told.append}
    with pytest.raises(Stopped):
        matched_into(tmp_path / "m.npy", images, "a", should_stop=stop_after(1), **arguments)
    found = matched_into(tmp_path / "m.npy", images, "a", **arguments)
    assert [progress.detail for progress in told] == [
        f"matching, image {done}/130" for done in (64, 128, 130)
    ]
    assert not found.flags.writeable
    np.save(tmp_path / "whole.npy", matched(images, side=24))
    assert (tmp_path / "m.npy").read_bytes() == (tmp_path / "whole.npy").read_bytes()


def test_other_images_and_another_side_start_anew(tmp_path: Path) -> None:
    first, second = some_images(2, side=16), some_images(2, side=16, seed=1)
    matched_into(tmp_path / "m.npy", first, "first", side=16)
    found = matched_into(tmp_path / "m.npy", second, "second", side=16)
    assert np.array_equal(found, matched(second, 16))
    assert matched_into(tmp_path / "m.npy", second, "second", side=8).shape == (2, 8, 8, 3)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((1, 8, 8, 3), np.float32), "uint8"),
        (np.zeros((1, 8, 8), np.uint8), "uint8"),
        (np.zeros((1, 8, 9, 3), np.uint8), "square"),
    ],
)
def test_anything_but_square_colour_bytes_is_refused(images: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        matched(images)
