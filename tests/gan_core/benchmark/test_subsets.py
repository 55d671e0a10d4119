import numpy as np
import pytest

from gan_core.benchmark.subsets import nested_subset, training_pool
from gan_core.spec.errors import GraftError

LABELS = np.random.default_rng(0).integers(0, 3, 400)


def test_smaller_subsets_lie_within_larger_ones_of_the_same_seed() -> None:
    subsets = [set(nested_subset(LABELS, 1, n, seed=3).tolist()) for n in (5, 20, 60)]
    assert [len(subset) for subset in subsets] == [5, 20, 60]
    assert subsets[0] < subsets[1] < subsets[2]


def test_all_is_every_image_of_the_class() -> None:
    assert np.array_equal(nested_subset(LABELS, 2, "all", seed=0), np.flatnonzero(LABELS == 2))


def test_a_seed_draws_the_same_subset_again_and_another_seed_another() -> None:
    first, again, other = (nested_subset(LABELS, 0, 20, seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_more_images_than_there_are_is_refused() -> None:
    with pytest.raises(GraftError) as refused:
        nested_subset(LABELS, 1, 1000, seed=0)
    assert refused.value.code == "real_count_too_large"


def test_the_pool_is_all_other_classes_and_the_subset() -> None:
    chosen = nested_subset(LABELS, 1, 7, seed=0)
    pool = training_pool(LABELS, 1, chosen)
    assert (np.diff(pool) > 0).all()
    assert np.array_equal(pool[LABELS[pool] == 1], chosen)
    assert (LABELS[pool] != 1).sum() == (LABELS != 1).sum()
