"""Phantoms: the same numbers draw the same pictures, and the dial turns."""

import hashlib
import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gan_core.phantoms import KINDS, PhantomKind, draw_phantom, draw_phantoms
from gan_core.progress import Progress, Stopped
from gan_core.reading import PackedDataset, pack
from gan_core.spec.errors import GraftError

_FEW: dict[str, dict[PhantomKind, int]] = {
    "train": {"benign": 3, "malignant": 2},
    "test": {"benign": 1, "malignant": 1},
}


@pytest.mark.parametrize("size", [32, 97, 224])
def test_a_phantom_is_a_function_of_its_arguments(size: int) -> None:
    drawn = draw_phantom("malignant", image_size=size, difficulty=0.4, seed=7)
    again = draw_phantom("malignant", image_size=size, difficulty=0.4, seed=7)
    assert (drawn.shape, drawn.dtype) == ((size, size, 3), np.uint8)
    np.testing.assert_array_equal(drawn, again)
    for other in (
        draw_phantom("benign", image_size=size, difficulty=0.4, seed=7),
        draw_phantom("malignant", image_size=size, difficulty=0.5, seed=7),
        draw_phantom("malignant", image_size=size, difficulty=0.4, seed=8),
    ):
        assert not np.array_equal(drawn, other)


def test_a_phantom_shows_something_darker_in_the_middle_of_something_like_skin() -> None:
    for seed in range(6):
        picture = draw_phantom("benign", image_size=96, difficulty=0.0, seed=seed).astype(float)
        middle = picture[40:56, 40:56].mean(axis=(0, 1))
        ring = np.concatenate([picture[20:76, 8:14], picture[20:76, 82:88]]).mean(axis=(0, 1))
        assert middle.mean() < ring.mean() - 20
        assert ring[0] > ring[1], "skin is redder than green"


def test_difficulty_leaves_the_scene_alone() -> None:
    easy = draw_phantom("malignant", image_size=128, difficulty=0.0, seed=3).astype(int)
    hard = draw_phantom("malignant", image_size=128, difficulty=1.0, seed=3).astype(int)
    corner = np.s_[:16, :16]
    assert np.abs(easy[corner] - hard[corner]).max() <= 2
    assert np.abs(easy - hard).max() > 30


@pytest.mark.parametrize("name", ["set", "set.zip"])
def test_a_set_is_read_as_a_phantom_set_without_a_problem(tmp_path: Path, name: str) -> None:
    assert draw_phantoms(tmp_path / name, counts=_FEW, image_size=64) == 7
    index = pack(tmp_path / name, tmp_path / "packed", image_size=64)
    assert index.is_phantom
    assert index.problems == []
    assert index.counts == {
        "benign": {"train": 3, "test": 1},
        "malignant": {"train": 2, "test": 1},
    }
    assert PackedDataset.open(tmp_path / "packed").rare_class() == "malignant"


def test_every_file_says_that_it_is_a_phantom(tmp_path: Path) -> None:
    draw_phantoms(tmp_path / "set.zip", counts=_FEW, image_size=64)
    with zipfile.ZipFile(tmp_path / "set.zip") as archive:
        names = archive.namelist()
        assert b"PHANTOMS" in archive.read(names.pop(names.index("README.txt")))
        assert len(names) == 7
        for name in names:
            image = Image.open(io.BytesIO(archive.read(name)))
            assert image.info["comment"].startswith(b"Graft phantom")
            assert "not a photograph" in image.getexif()[0x010E]


def test_the_same_numbers_give_the_same_zip_byte_for_byte(tmp_path: Path) -> None:
    digests = []
    for name in ("a.zip", "b.zip"):
        draw_phantoms(tmp_path / name, counts=_FEW, image_size=48, seed=5)
        digests.append(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest())
    draw_phantoms(tmp_path / "c.zip", counts=_FEW, image_size=48, seed=6)
    digests.append(hashlib.sha256((tmp_path / "c.zip").read_bytes()).hexdigest())
    assert digests[0] == digests[1] != digests[2]


def test_a_larger_set_begins_with_the_smaller_one(tmp_path: Path) -> None:
    more: dict[str, dict[PhantomKind, int]] = {"train": {"benign": 4, "malignant": 3}}
    draw_phantoms(tmp_path / "few", counts=_FEW, image_size=48)
    draw_phantoms(tmp_path / "more", counts=more, image_size=48)
    for path in (tmp_path / "few" / "train").rglob("*.jpg"):
        same = tmp_path / "more" / path.relative_to(tmp_path / "few")
        assert same.read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"image_size": 16}, "image_size_out_of_range"),
        ({"difficulty": 1.5}, "phantom_difficulty_out_of_range"),
        ({"difficulty": float("nan")}, "phantom_difficulty_out_of_range"),
        ({"counts": {"train": {"benign": -1}}}, "phantom_counts_out_of_range"),
        ({"counts": {"train": {"benign": 0}}}, "phantom_counts_out_of_range"),
        ({"counts": {"exam": {"benign": 1}}}, "phantom_counts_out_of_range"),
        ({"counts": {}}, "phantom_counts_out_of_range"),
    ],
)
def test_what_cannot_be_drawn_is_refused_and_leaves_nothing(
    tmp_path: Path, given: dict[str, Any], code: str
) -> None:
    with pytest.raises(GraftError) as caught:
        draw_phantoms(tmp_path / "set.zip", **{"counts": _FEW, **given})
    assert caught.value.code == code
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_already_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "set.zip").write_text("mine")
    with pytest.raises(GraftError) as caught:
        draw_phantoms(tmp_path / "set.zip", counts=_FEW, image_size=48)
    assert caught.value.code == "output_not_empty"
    assert (tmp_path / "set.zip").read_text() == "mine"


@pytest.mark.parametrize("name", ["set", "set.zip"])
def test_a_stop_leaves_nothing(tmp_path: Path, name: str) -> None:
    told: list[Progress] = []
    with pytest.raises(Stopped):
        draw_phantoms(
            tmp_path / name,
            counts=_FEW,
            image_size=48,
            on_progress=told.append,
            should_stop=lambda: len(told) >= 2,
        )
    assert told[-1].detail == "drawing phantoms, 2/7"
    assert list(tmp_path.iterdir()) == []


def _features(picture: np.ndarray) -> np.ndarray:
    """An 8 × 8 thumbnail, means, spreads and low percentiles of the colours."""
    small = Image.fromarray(picture).resize((8, 8), Image.Resampling.BOX)
    pixels = picture.reshape(-1, 3).astype(float)
    dark = np.percentile(pixels, [2, 10, 25], axis=0).ravel()
    return np.concatenate([np.ravel(small), pixels.mean(axis=0), pixels.std(axis=0), dark])


def _roc_auc(difficulty: float, count: int) -> float:
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    def drawn(first_seed: int) -> np.ndarray:
        return np.stack(
            [
                _features(draw_phantom(kind, image_size=64, difficulty=difficulty, seed=seed))
                for kind in KINDS
                for seed in range(first_seed, first_seed + count)
            ]
        )

    labels = np.repeat([0, 1], count)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))
    model.fit(drawn(0), labels)
    return float(roc_auc_score(labels, model.decision_function(drawn(10_000))))


@pytest.mark.slow
def test_the_harder_the_dial_the_worse_a_simple_classifier() -> None:
    easy, middling, hard = (_roc_auc(difficulty, 100) for difficulty in (0.0, 0.5, 0.9))
    assert easy > 0.95
    assert easy > middling + 0.05
    assert middling > hard + 0.05
    assert hard < 0.70
