"""The variance of a ROC-AUC over test images, by DeLong's method.

DeLong, DeLong & Clarke-Pearson 1988, "Comparing the areas under two or more correlated receiver
operating characteristic curves: a nonparametric approach"; by midranks, as Sun & Xu 2014, "Fast
implementation of DeLong's algorithm". An image's *placement* is the share of the images of the
other side that it is ranked right against (ties count half): both sides' placements have the AUC
as their mean, and their spread is its variance.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gan_core.spec.findings import Interval

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

_NORMAL_975 = 1.959963984540054


def placements(scores: NDArray[np.floating], positive: BoolArray) -> FloatArray:
    """Return each image's placement (DeLong's structural component).

    Args:
        scores: Any ordering value, [M]; higher speaks for the positive class.
        positive: Bool [M], of which both values must occur.

    Returns:
        float64 [M] in [0, 1].
    """
    from scipy.stats import rankdata

    positive = np.asarray(positive, np.bool_)
    found = np.empty(len(scores))
    among_all = rankdata(scores)
    for side in (True, False):
        of_side = positive == side
        below = (among_all[of_side] - rankdata(scores[of_side])) / (~of_side).sum()
        found[of_side] = below if side else 1.0 - below
    return found


def variance(components: FloatArray, positive: BoolArray) -> float:
    """Return the variance of a figure that is the mean of each class's components [M].

    A class of one image tells no spread: its share is taken as 0.
    """
    return float(covariance(components[None], positive)[0, 0])


def covariance(components: FloatArray, positive: BoolArray) -> FloatArray:
    """Return the covariance over test images of K figures from their components [K, M], [K, K]."""
    found = np.zeros((len(components), len(components)))
    for side in (True, False):
        of_side = components[:, positive == side]
        n = of_side.shape[1]
        if n > 1:
            centred = of_side - of_side.mean(1, keepdims=True)
            found += centred @ centred.T / (n * (n - 1))
    return found


def auc_interval(scores: NDArray[np.floating], positive: BoolArray) -> Interval:
    """Return a ROC-AUC with its 95% interval over test images.

    DeLong's variance on the logit scale, which keeps the interval within [0, 1] and its level on
    few images (Pepe 2003, "The statistical evaluation of medical tests", 5.2). Where all images of
    a class are placed alike, as when the classes are told apart without a single error, that
    variance is 0 and says nothing: then the interval of Newcombe 2006, "Confidence intervals for an
    effect size measure based on the Mann-Whitney statistic", method 5.

    Args:
        scores: As in ``placements``.
        positive: As there.

    Returns:
        ``mean`` is the AUC.

    Raises:
        ValueError: One of the classes has no image.
    """
    positive = np.asarray(positive, np.bool_)
    if positive.all() or not positive.any():
        raise ValueError("a ROC-AUC needs images of both classes")
    components = placements(np.asarray(scores), positive)
    auc = float(components[positive].mean())
    spread = variance(components, positive) ** 0.5
    if spread < 1e-9 or not 0.0 < auc < 1.0:
        low, high = _newcombe(auc, int(positive.sum()), int((~positive).sum()))
        return Interval(mean=auc, low=low, high=high)
    logit, half = np.log(auc / (1.0 - auc)), _NORMAL_975 * spread / (auc * (1.0 - auc))
    low, high = (float(1.0 / (1.0 + np.exp(-at))) for at in (logit - half, logit + half))
    return Interval(mean=auc, low=low, high=high)


def _newcombe(auc: float, n_positive: int, n_negative: int) -> tuple[float, float]:
    """Return the values from which ``auc`` lies 1.96 standard errors, these taken at the value."""
    from scipy.optimize import brentq

    shared = (n_positive + n_negative) / 2 - 1

    def excess(true: float) -> float:
        # Hanley & McNeil 1982's variance, symmetric in the two classes' sizes.
        factor = 1 + shared * ((1 - true) / (2 - true) + true / (1 + true))
        error = (true * (1 - true) * factor / (n_positive * n_negative)) ** 0.5
        return float(abs(auc - true) - _NORMAL_975 * error)

    # At 0 and 1 the error itself is 0, which is not the crossing that is looked for.
    inside = min(max(auc, 1e-9), 1 - 1e-9)
    low = 0.0 if auc <= 0.0 else float(brentq(excess, 0.0, inside))
    high = 1.0 if auc >= 1.0 else float(brentq(excess, inside, 1.0))
    return low, high


def auc_difference(
    scores: NDArray[np.floating], others: NDArray[np.floating], positive: BoolArray
) -> tuple[float, float]:
    """Return the paired difference of two ROC-AUCs on the same images, and its standard error."""
    positive = np.asarray(positive, np.bool_)
    between = placements(scores, positive) - placements(others, positive)
    return float(between[positive].mean()), variance(between, positive) ** 0.5
