import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from gan_core.benchmark.delong import auc_difference, auc_interval, placements, variance

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def by_definition(scores: Floats, positive: Bools) -> tuple[Floats, Floats]:
    """DeLong's V10 and V01, pair by pair."""
    rare, others = scores[positive], scores[~positive]
    kernel = (rare[:, None] > others) + 0.5 * (rare[:, None] == others)
    return kernel.mean(1), kernel.mean(0)


def scored(n: int, seed: int, *, skill: float = 1.0) -> tuple[Floats, Bools]:
    rng = np.random.default_rng(seed)
    positive = np.arange(n) < n // 3
    return (rng.normal(size=n) + skill * positive).round(1), positive


@pytest.mark.parametrize("seed", range(4))
def test_placements_and_variance_are_those_of_the_definition_ties_included(seed: int) -> None:
    scores, positive = scored(50, seed)
    v10, v01 = by_definition(scores, positive)
    found = placements(scores, positive)
    np.testing.assert_allclose(found[positive], v10)
    np.testing.assert_allclose(found[~positive], v01)
    assert found[positive].mean() == pytest.approx(roc_auc_score(positive, scores))
    expected = v10.var(ddof=1) / len(v10) + v01.var(ddof=1) / len(v01)
    assert variance(found, positive) == pytest.approx(expected)


def test_a_difference_is_that_of_the_paired_variances_and_covariance() -> None:
    scores, positive = scored(60, 1)
    others = scores + np.random.default_rng(5).normal(size=60)
    difference, error = auc_difference(scores, others, positive)
    mine, theirs = by_definition(scores, positive), by_definition(others, positive)
    expected = sum(
        (np.cov(a, b)[0, 0] + np.cov(a, b)[1, 1] - 2 * np.cov(a, b)[0, 1]) / len(a)
        for a, b in zip(mine, theirs, strict=True)
    )
    assert difference == pytest.approx(
        roc_auc_score(positive, scores) - roc_auc_score(positive, others)
    )
    assert error == pytest.approx(expected**0.5)


def test_a_case_worked_out_by_hand() -> None:
    # Placements 1, 1/2 of the rare; 1/2, 1 of the others: each variance 1/8, over 2 images.
    scores, positive = np.array([0.9, 0.4, 0.6, 0.1]), np.array([True, True, False, False])
    np.testing.assert_allclose(placements(scores, positive), [1, 0.5, 0.5, 1])
    assert variance(placements(scores, positive), positive) == pytest.approx(1 / 8)


@pytest.mark.parametrize(("skill", "n"), [(0.0, 60), (1.2, 60), (1.2, 300), (2.5, 90)])
def test_the_interval_covers_the_truth_at_the_nominal_rate(skill: float, n: int) -> None:
    from scipy.stats import norm

    rng = np.random.default_rng([n, 1])
    truth = norm.cdf(skill / 2**0.5)
    positive = np.arange(n) < n // 3
    covered = 0
    for _ in range(1000):
        found = auc_interval(rng.normal(size=n) + skill * positive, positive)
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= truth <= found.high
    assert 0.925 <= covered / 1000 <= 0.975


def test_classes_told_apart_without_error_leave_a_doubt_that_more_images_lessen() -> None:
    lows = []
    for n in (6, 30, 300):
        positive = np.arange(n) < n // 2
        found = auc_interval(positive.astype(float), positive)
        assert found.mean == found.high == 1.0
        assert found.low is not None
        lows.append(found.low)
        turned = auc_interval(-positive.astype(float), positive)
        assert (turned.mean, turned.low) == (0.0, 0.0)
        assert turned.high == pytest.approx(1 - found.low)
    assert 0.4 < lows[0] < 0.8 < lows[1] < 0.97 < lows[2] < 1.0


def test_equal_scores_are_chance_with_an_interval() -> None:
    found = auc_interval(np.full(40, 0.3), np.arange(40) < 20)
    assert found.mean == 0.5
    assert found.low is not None
    assert found.high is not None
    assert 0.3 < found.low < 0.5 < found.high < 0.7


def test_one_class_alone_is_refused() -> None:
    with pytest.raises(ValueError, match="both classes"):
        auc_interval(np.array([0.1, 0.2]), np.array([True, True]))
