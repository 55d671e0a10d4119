"""A planted leak is found, told, and kept out of every training when that is asked for."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan_core.benchmark.subsets import nested_subset, training_pool
from gan_core.leaks import left_out, training_images_of_test
from gan_core.phantoms import draw_phantoms
from gan_core.reading import PackedDataset, pack
from gan_core.steps.pretrain import rows_to_learn_from

COUNTS = {"train": {"benign": 9, "malignant": 8}, "test": {"benign": 3, "malignant": 3}}


def planted(folder: Path) -> tuple[PackedDataset, list[str]]:
    """Phantoms with a copy of a malignant test image, and a faintly noisy one of a benign."""
    images = folder / "phantoms"
    draw_phantoms(images, counts=COUNTS, image_size=64)
    malignant = min((images / "test" / "malignant").iterdir())
    shutil.copy(malignant, images / "train" / "malignant" / "zz-copy.png")
    benign = np.asarray(Image.open(min((images / "test" / "benign").iterdir())))
    noise = np.random.default_rng(0).normal(0, 6, benign.shape)
    noisy = np.clip(benign + noise, 0, 255).astype(np.uint8)
    Image.fromarray(noisy).save(images / "train" / "benign" / "zz-noisy.png")
    pack(images, folder / "packed", image_size=64)
    dataset = PackedDataset.open(folder / "packed")
    return dataset, [dataset.classes[label] for label in dataset.labels("train")]


def test_a_copy_and_a_near_copy_of_test_images_are_found_and_nothing_else(tmp_path: Path) -> None:
    dataset, classes = planted(tmp_path)
    rows = training_images_of_test(dataset)
    assert sorted(classes[row] for row in rows) == ["benign", "malignant"]
    assert training_images_of_test(dataset, rms=0.0).tolist() == [
        row for row in rows if classes[row] == "malignant"
    ]


def test_they_are_left_out_of_whatever_learns_and_only_when_asked_for(tmp_path: Path) -> None:
    dataset, _ = planted(tmp_path)
    labels, rare = dataset.labels("train"), dataset.classes.index("malignant")
    assert not len(left_out(dataset, {}))
    assert not len(left_out(dataset, {"leaks": "report"}))
    without = left_out(dataset, {"leaks": "leave-out"})
    assert len(without) == 2
    chosen = nested_subset(labels, rare, 9, 0, without=without)
    assert len(chosen) == 8  # all that are left of the nine
    pool = training_pool(labels, rare, chosen, without=without)
    assert not set(pool) & set(without)
    assert len(pool) == len(labels) - 2
    for images in ("other-classes", "all-classes"):
        rows = rows_to_learn_from(labels, rare, images, 4, 0, without=without)  # type: ignore[arg-type]
        assert not set(rows) & set(without)
        assert len(rows) == 9 + (4 if images == "all-classes" else 0)


@pytest.mark.parametrize("count", [2, 5, 8])
def test_subsets_without_leaks_are_nested_and_as_large_as_asked(count: int) -> None:
    labels = np.repeat([0, 1], [20, 12])
    without = np.array([21, 25, 30])
    smaller = set(nested_subset(labels, 1, count, 3, without=without))
    assert len(smaller) == count
    assert smaller <= set(nested_subset(labels, 1, 9, 3, without=without))
    assert not smaller & set(without)


def test_a_set_without_leaks_has_none(tmp_path: Path) -> None:
    draw_phantoms(tmp_path / "phantoms", counts=COUNTS, image_size=64)
    pack(tmp_path / "phantoms", tmp_path / "packed", image_size=64)
    assert not len(training_images_of_test(PackedDataset.open(tmp_path / "packed")))
