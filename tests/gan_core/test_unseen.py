"""Which real images a set is compared with."""

from pathlib import Path

import numpy as np
import pytest

from gan_core.phantoms import draw_phantoms
from gan_core.reading import PackedDataset, pack
from gan_core.unseen import LEAST_UNSEEN, Unseen, is_new, unseen_images

NOTHING = np.empty(0, np.int64)
RARE = 1


def dataset_of(folder: Path, train: int, test: int) -> PackedDataset:
    counts = {"train": {"benign": 3, "malignant": train}, "test": {"benign": 2, "malignant": test}}
    draw_phantoms(folder / "phantoms", counts=counts, image_size=32)
    pack(folder / "phantoms", folder / "packed", image_size=32)
    return PackedDataset.open(folder / "packed")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> PackedDataset:
    return dataset_of(tmp_path_factory.mktemp("data"), LEAST_UNSEEN + 6, 4)


def rare_rows(dataset: PackedDataset) -> np.ndarray:
    return np.flatnonzero(dataset.labels("train") == RARE)


def test_held_out_images_come_first_without_members_and_without_those_of_the_test(
    dataset: PackedDataset,
) -> None:
    rare = rare_rows(dataset)
    found = unseen_images(dataset, RARE, rare[:4], without=rare[-2:], most=500, seed=0)
    assert (found.source, found.split) == ("held-out", "train")
    np.testing.assert_array_equal(found.rows, rare[4:-2])


def test_where_few_are_left_the_test_images_serve(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path, 10, 6)
    rare = rare_rows(dataset)
    found = unseen_images(dataset, RARE, rare[:7], without=NOTHING, most=500, seed=0)
    assert (found.source, found.split) == ("test", "test")
    assert (dataset.labels("test")[found.rows] == RARE).all()
    assert len(found.rows) == 6
    # Unless there are fewer still of them.
    found = unseen_images(dataset, RARE, rare[:2], without=NOTHING, most=500, seed=0)
    assert found.source == "held-out"
    assert len(found.rows) == 8


def test_many_are_drawn_from_by_seed(dataset: PackedDataset) -> None:
    rare = rare_rows(dataset)

    def rows(seed: int) -> list[int]:
        found = unseen_images(dataset, RARE, rare[:1], without=NOTHING, most=5, seed=seed)
        return found.rows.tolist()

    assert len(rows(0)) == 5
    assert rows(0) == sorted(rows(0)) == rows(0)
    assert rows(0) != rows(1)


def test_twins_of_what_was_learnt_from_are_not_new(dataset: PackedDataset) -> None:
    rare = rare_rows(dataset)
    # Its own twin, for want of a copy.
    unseen = Unseen("held-out", rare[3:9])
    assert is_new(dataset, unseen, rare[:4]).tolist() == [False, *[True] * 5]
    # Where all look alike, twins cannot be told.
    assert is_new(dataset, unseen, rare[:8]).all()
