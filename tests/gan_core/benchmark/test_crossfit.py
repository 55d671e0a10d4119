import numpy as np
import pytest

from gan_core.benchmark.crossfit import HeldOut, best_threshold, chosen_ratio, folds_of, found_on


def rare(positive: int, negative: int) -> np.ndarray:
    return np.arange(positive + negative) < positive


def test_folds_share_out_both_classes_evenly_and_follow_the_seed() -> None:
    is_rare = rare(10, 40)
    folds = folds_of(is_rare, 5, 0)
    assert folds is not None
    assert np.bincount(folds[is_rare]).tolist() == [2] * 5
    assert np.bincount(folds[~is_rare]).tolist() == [8] * 5
    again, other = folds_of(is_rare, 5, 0), folds_of(is_rare, 5, 1)
    assert np.array_equal(folds, again)  # type: ignore[arg-type]
    assert not np.array_equal(folds, other)  # type: ignore[arg-type]


def test_near_duplicates_lie_in_one_fold() -> None:
    groups = np.arange(50)
    groups[[3, 20, 41]] = 3
    groups[[0, 1]] = 0
    for seed in range(5):
        folds = folds_of(rare(10, 40), 5, seed, groups)
        assert folds is not None
        assert len(set(folds[[3, 20, 41]])) == len(set(folds[[0, 1]])) == 1


def test_few_images_make_fewer_folds_and_one_none() -> None:
    folds = folds_of(rare(3, 40), 5, 0)
    assert folds is not None
    assert folds.max() == 2
    assert folds_of(rare(1, 40), 5, 0) is None
    assert folds_of(rare(2, 4), 5, 0, np.array([0, 0, 1, 2, 3, 4])) is None


def test_the_threshold_lies_in_the_middle_between_the_scores_that_it_parts() -> None:
    threshold, balanced = best_threshold(np.array([0.3, 0.4, 0.1, 0.2]), rare(2, 2))
    assert threshold == pytest.approx(0.25)
    assert balanced == 1.0


def test_of_equally_good_thresholds_the_nearest_to_a_half_is_taken() -> None:
    # .3 and .75 both lose one image of two of a class.
    scores, is_rare = np.array([0.9, 0.4, 0.6, 0.2]), rare(2, 2)
    threshold, balanced = best_threshold(scores, is_rare)
    assert threshold == pytest.approx(0.3)
    assert balanced == 0.75
    threshold, _ = best_threshold(1 - scores, ~is_rare)
    assert threshold == pytest.approx(0.7)


def test_scores_that_say_nothing_leave_the_threshold_where_it_was() -> None:
    assert best_threshold(np.full(6, 0.2), rare(3, 3)) == (0.5, 0.5)
    assert best_threshold(np.array([0.1, 0.2, 0.8, 0.9]), rare(2, 2)) == (0.5, 0.0)


def test_only_scores_of_one_fold_are_compared() -> None:
    # Each fold is in perfect order; pooled, the second fold's classifier spoils it.
    scores = np.array([0.9, 0.2, 0.8, 0.1])
    is_rare, folds = np.array([True, True, False, False]), np.array([0, 1, 0, 1])
    assert found_on(scores, is_rare, folds).roc_auc == 1.0
    assert found_on(scores, is_rare).roc_auc == 0.75


def test_fewer_than_two_images_of_a_class_say_nothing() -> None:
    scores = np.linspace(0, 1, 10)
    assert found_on(scores, rare(1, 9)) == HeldOut()
    assert found_on(scores, rare(9, 1)) == HeldOut()
    assert found_on(scores, rare(2, 8)).threshold is not None


def test_of_equally_good_ratios_the_smallest_is_chosen() -> None:
    assert chosen_ratio([0.0, 0.5, 1.0], [0.8, 0.8, 0.7]) == 0
    assert chosen_ratio([0.0, 0.5, 1.0], [0.7, 0.8, 0.8]) == 1
