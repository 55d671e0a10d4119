"""One figure of two arms with the same runs: their difference, its interval, its p-values.

Two ways that err differently, of which the less favourable one counts:

*Bootstrap.* Subsets of the real images are drawn with replacement, seeds within them, and test
images within their classes. It assumes no shape, but a handful of subsets resampled shows less
spread than they have, and knows nothing of Student's t.

*Multi-reader, multi-case.* The design is that of a reader study: every subset (a reader) is tested
on the same images (cases) with both arms (modalities). Obuchowski & Rockette 1995, with the degrees
of freedom of Hillis 2008, "A comparison of denominator degrees of freedom methods for multiple
observer ROC analyses". With d_s the difference on subset s of S, written as d + t_s + e_s, where
t_s is what the subset brings and e_s what the test images bring (covariance C between subsets, as
they share the images), the variance of the mean is MS / S + C: MS, the sample variance of the d_s,
already holds what of e_s is each subset's own. C is the mean covariance between subsets of the
differences' components over images: DeLong's placements for ROC-AUC, right or wrong for balanced
accuracy. Satterthwaite gives (MS / S + C)² / ((MS / S)² / (S − 1)) degrees of freedom.

With one subset, seeds take the place of subsets, and with one run the images alone vary: what is
said then holds for this subset.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from gan_core.benchmark.bootstrap import SEED, BoolArray, FloatMatrix, interval
from gan_core.benchmark.delong import covariance
from gan_core.spec.findings import Interval

# Fewer resamples than these beyond 0 do not tell how far out 0 lies.
_COUNTED = 10


@dataclass(frozen=True)
class Paired:
    """A difference of two arms in one figure, first minus second.

    Attributes:
        difference: Mean over runs; the interval is the wider end, each, of the two ways.
        p_bootstrap: Two-sided, at least 1 / (resamples + 1).
        p_analytic: Two-sided.
        p_better: One-sided, that the first is not better: the larger of the two ways.
        p_worse: One-sided, that the first is not worse.
    """

    difference: Interval
    p_bootstrap: float
    p_analytic: float
    p_better: float
    p_worse: float


def compare(
    values: Sequence[float],
    components: FloatMatrix,
    resampled: NDArray[np.floating],
    subsets: Sequence[int],
    positive: BoolArray,
) -> Paired:
    """Compare two arms run by run, from the differences of what each run has.

    Args:
        values: Differences of the figure, [R].
        components: Differences of the runs' components over test images, [R, M]. The figure is a
            sum or mean of the two classes' means of them.
        resampled: Differences of the figure on each resample of the test images, [R, B].
        subsets: Which subset of the real images each run has, [R].
        positive: Bool [M].
    """
    drawn = drawn_runs(tuple(subsets), resampled.shape[1])
    by_resample = np.einsum("rb,br->b", resampled, drawn)
    mean = float(np.mean(values))
    units = _units(subsets)
    error, freedom = _error(units @ np.asarray(values), units @ components, positive)
    analytic_better, analytic_worse = _analytic(mean, error, freedom)
    better, worse = _bootstrapped(mean, by_resample)
    low, high = interval(by_resample)
    half = _t_quantile(freedom) * error
    return Paired(
        Interval(
            mean=mean,
            sd=float(np.std(values, ddof=1)) if len(values) > 1 else None,
            low=min(low, mean - half),
            high=max(high, mean + half),
        ),
        p_bootstrap=min(1.0, 2 * min(_counted(by_resample <= 0), _counted(by_resample >= 0))),
        p_analytic=min(1.0, 2 * min(analytic_better, analytic_worse)),
        p_better=max(analytic_better, better),
        p_worse=max(analytic_worse, worse),
    )


def _units(subsets: Sequence[int]) -> FloatMatrix:
    """Return the weights [S, R] that average runs by subset; of one subset, each run is a unit."""
    names, subset_of = np.unique(subsets, return_inverse=True)
    if len(names) == 1:
        return np.eye(len(subsets))
    belongs = (subset_of == np.arange(len(names))[:, None]).astype(np.float64)
    averaging: FloatMatrix = belongs / belongs.sum(1, keepdims=True)
    return averaging


def _error(
    values: FloatMatrix, components: FloatMatrix, positive: BoolArray
) -> tuple[float, float]:
    """Return the mean's standard error and its degrees of freedom, of units' [S] and [S, M]."""
    over_images = covariance(components, positive)
    n = len(values)
    if n == 1:
        return float(over_images[0, 0]) ** 0.5, np.inf
    own = float(np.var(values, ddof=1)) / n
    shared = (over_images.sum() - np.trace(over_images)) / (n * (n - 1))
    total = own + max(float(shared), 0.0)
    return total**0.5, total**2 / (own**2 / (n - 1)) if own > 0 else np.inf


def _analytic(mean: float, error: float, freedom: float) -> tuple[float, float]:
    """Return the one-sided p of "better" and of "worse"."""
    from scipy.special import ndtr, stdtr

    if error < 1e-12:
        return (1.0, 1.0) if abs(mean) < 1e-12 else (float(mean < 0), float(mean > 0))
    t = mean / error
    if np.isinf(freedom):
        return float(ndtr(-t)), float(ndtr(t))
    return float(stdtr(freedom, -t)), float(stdtr(freedom, t))


def _t_quantile(freedom: float) -> float:
    from scipy.special import ndtri, stdtrit

    return float(ndtri(0.975) if np.isinf(freedom) else stdtrit(freedom, 0.975))


def _counted(beyond: NDArray[np.bool_]) -> float:
    return float(beyond.sum() + 1) / (len(beyond) + 1)


def _bootstrapped(mean: float, by_resample: FloatMatrix) -> tuple[float, float]:
    """Return the one-sided p of "better" and of "worse".

    Counts of 2,000 resamples end at .0005, which a table of a hundred verdicts, corrected for their
    number, could not use; where next to none lie beyond 0, the normal tail with the resamples'
    spread takes over, and the counts bound it from above.
    """
    from scipy.special import ndtr

    spread = float(by_resample.std())
    found = []
    for sign in (1, -1):
        beyond = sign * by_resample <= 0
        counted = _counted(beyond)
        if beyond.sum() < _COUNTED and spread > 1e-12:
            counted = min(float(ndtr(-sign * mean / spread)), (_COUNTED + 1) / (len(beyond) + 1))
        found.append(counted)
    return found[0], found[1]


@lru_cache(maxsize=64)
def drawn_runs(subsets: tuple[int, ...], resamples: int) -> FloatMatrix:
    """How much each run weighs in each resample, [resamples, runs]; each resample sums to 1.

    Subsets are drawn first and their seeds within: runs of one subset share its real images and one
    training of the GAN, and are no independent witnesses.
    """
    rng = np.random.default_rng(SEED + 1)
    names, subset_of = np.unique(subsets, return_inverse=True)
    times = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=resamples)
    drawn = np.zeros((resamples, len(subsets)))
    for place in range(len(names)):
        runs = np.flatnonzero(subset_of == place)
        share = np.full(len(runs), 1 / len(runs))
        drawn[:, runs] = rng.multinomial(times[:, place] * len(runs), share)
    weights: FloatMatrix = drawn / drawn.sum(1, keepdims=True)
    weights.flags.writeable = False
    return weights
