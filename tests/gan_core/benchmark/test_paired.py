import numpy as np
import pytest
from numpy.typing import NDArray

from gan_core.benchmark.bootstrap import resample_weights
from gan_core.benchmark.paired import Paired, compare, drawn_runs

M = 120
POSITIVE = np.arange(M) < 50
WEIGHTS = resample_weights(POSITIVE, 400)
PER_IMAGE = np.where(POSITIVE, 1 / POSITIVE.sum(), 1 / (~POSITIVE).sum())

Floats = NDArray[np.float64]


def differences(
    random: np.random.Generator,
    *,
    of_subsets: float,
    of_images: float,
    of_both: float,
    subsets: int = 5,
    truth: float = 0.0,
) -> Floats:
    """Components of a difference of two arms, [subsets, M]: what each source of chance brings."""
    brought = random.normal(size=(subsets, 1)) * of_subsets
    shared = random.normal(size=M) * of_images
    own = random.normal(size=(subsets, M)) * of_both
    return truth / 2 + brought / 2 + shared + own


def compared(components: Floats, subsets: list[int] | None = None) -> Paired:
    return compare(
        list(components @ PER_IMAGE),
        components,
        (components * PER_IMAGE) @ WEIGHTS.T,
        list(range(len(components))) if subsets is None else subsets,
        POSITIVE,
    )


SOURCES = {
    "subsets": {"of_subsets": 0.05, "of_images": 0.02, "of_both": 0.02},
    "images": {"of_subsets": 0.002, "of_images": 0.3, "of_both": 0.02},
    "both": {"of_subsets": 0.002, "of_images": 0.02, "of_both": 0.3},
    "all alike": {"of_subsets": 0.04, "of_images": 0.2, "of_both": 0.3},
}


@pytest.mark.parametrize("source", SOURCES)
def test_the_analytic_p_holds_its_level_whatever_brings_the_chance(source: str) -> None:
    random = np.random.default_rng(3)
    found = [compared(differences(random, **SOURCES[source])) for _ in range(600)]
    level = np.mean([paired.p_analytic <= 0.05 for paired in found])
    # Hillis's test is a little conservative where C is small and must be cut off at 0.
    assert 0.005 <= level <= 0.068
    one_sided = [
        np.mean([p <= 0.05 for p in ps])
        for ps in zip(*[(paired.p_better, paired.p_worse) for paired in found], strict=True)
    ]
    assert max(one_sided) <= 0.07


@pytest.mark.parametrize("source", SOURCES)
def test_the_interval_covers_the_truth_at_least_at_the_nominal_rate(source: str) -> None:
    random = np.random.default_rng(4)
    covered = 0
    for _ in range(400):
        found = compared(differences(random, truth=0.1, **SOURCES[source])).difference
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= 0.1 <= found.high
    assert covered / 400 >= 0.93


def test_the_error_is_that_of_obuchowski_and_rockette_worked_out() -> None:
    from scipy.stats import t

    components = differences(np.random.default_rng(5), of_subsets=0.1, of_images=0.3, of_both=0.2)
    values = components @ PER_IMAGE
    covariances = [
        np.cov(components[a][side], components[b][side])[0, 1] / side.sum()
        for a in range(5)
        for b in range(5)
        if a != b
        for side in (POSITIVE, ~POSITIVE)
    ]
    mean_square, shared = values.var(ddof=1), sum(covariances) / 20
    assert shared > 0
    variance = mean_square / 5 + shared
    freedom = (mean_square + 5 * shared) ** 2 / (mean_square**2 / 4)
    expected = 2 * t.sf(abs(values.mean()) / variance**0.5, freedom)
    assert compared(components).p_analytic == pytest.approx(expected)


def test_one_run_is_judged_by_its_images_alone_and_seeds_of_one_subset_by_themselves() -> None:
    from scipy.stats import norm

    one = differences(np.random.default_rng(6), of_subsets=0.0, of_images=0.3, of_both=0.0)[:1]
    error = sum(one[0][s].var(ddof=1) / s.sum() for s in (POSITIVE, ~POSITIVE)) ** 0.5
    value = float((one @ PER_IMAGE)[0])
    assert compared(one).p_analytic == pytest.approx(2 * norm.sf(abs(value) / error))
    seeds = differences(np.random.default_rng(7), of_subsets=0.1, of_images=0.1, of_both=0.1)
    alone = compared(seeds, [3] * 5)
    assert alone.p_analytic == pytest.approx(compared(seeds).p_analytic)


def test_seeds_are_averaged_within_their_subset() -> None:
    random = np.random.default_rng(8)
    one = differences(random, of_subsets=0.1, of_images=0.1, of_both=0.1)
    thrice = np.repeat(one, 3, axis=0)
    subsets = list(np.repeat(np.arange(5), 3))
    assert compared(thrice, subsets).p_analytic == pytest.approx(compared(one).p_analytic)


def test_no_difference_at_all_is_no_evidence_and_a_sure_one_is() -> None:
    nothing = compared(np.zeros((5, M)))
    assert (nothing.p_bootstrap, nothing.p_analytic) == (1.0, 1.0)
    assert (nothing.p_better, nothing.p_worse) == (1.0, 1.0)
    random = np.random.default_rng(9)
    sure = compared(differences(random, of_subsets=0.01, of_images=0.01, of_both=0.01, truth=0.5))
    assert sure.p_bootstrap == pytest.approx(2 / 401)
    # Counts end at 1 / 401; a table of many verdicts needs to know that it is far less.
    assert sure.p_better < 1e-5
    assert sure.p_worse == 1.0


def test_better_is_the_mirror_image_of_worse() -> None:
    components = differences(np.random.default_rng(2), of_subsets=0.1, of_images=0.3, of_both=0.2)
    one, other = compared(components), compared(-components)
    assert one.p_better == pytest.approx(other.p_worse)
    assert one.p_analytic == pytest.approx(other.p_analytic)


def test_subsets_are_drawn_whole_and_each_resample_weighs_one() -> None:
    drawn = drawn_runs((4, 4, 4, 9, 9, 9), 500)
    np.testing.assert_allclose(drawn.sum(1), 1.0)
    of_first = drawn[:, :3].sum(1)
    assert set(np.round(of_first, 6)) == {0.0, 0.5, 1.0}
