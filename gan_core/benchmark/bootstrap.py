"""Percentile bootstrap over test images, for all resamples at once.

Efron & Tibshirani 1993, "An introduction to the bootstrap", ch. 13. Test images are drawn with
replacement within each class (stratified), so every resample has both. The same seed draws the
same images for every arm: differences are paired.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gan_core.benchmark.metrics import FIGURES, THRESHOLD

FloatMatrix = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

RESAMPLES = 2000
SEED = 20_240
_CELLS_AT_ONCE = 4_000_000  # float64 cells of a temporary: 32 MB


def resample_weights(positive: BoolArray, resamples: int = RESAMPLES) -> FloatMatrix:
    """How often each test image is in each resample.

    Args:
        positive: Bool [M].
        resamples: How many.

    Returns:
        float64 [resamples, M]; the weights of each class sum to its size.
    """
    rng = np.random.default_rng(SEED)
    weights = np.zeros((resamples, len(positive)))
    for label in (False, True):
        of_class = np.flatnonzero(positive == label)
        if len(of_class):
            share = np.full(len(of_class), 1.0 / len(of_class))
            weights[:, of_class] = rng.multinomial(len(of_class), share, size=resamples)
    return weights


def resampled_figures(
    scores: NDArray[np.float32], positive: BoolArray, weights: FloatMatrix
) -> dict[str, FloatMatrix]:
    """Every figure of one run on every resample.

    Args:
        scores: float32 [M].
        positive: Bool [M].
        weights: [B, M], from ``resample_weights``.

    Returns:
        float64 [B] by name; NaN where the test set does not define the figure.
    """
    rows = max(1, _CELLS_AT_ONCE // max(1, len(scores)))
    pieces = [
        _figures(scores, positive, weights[start : start + rows])
        for start in range(0, len(weights), rows)
    ]
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in FIGURES}


def _figures(
    scores: NDArray[np.float32], positive: BoolArray, weights: FloatMatrix
) -> dict[str, FloatMatrix]:
    n_positive, n_negative = int(positive.sum()), int((~positive).sum())
    undefined = np.full(len(weights), np.nan)
    says_rare = scores >= THRESHOLD
    found = weights @ (says_rare & positive)
    spared = weights @ (~says_rare & ~positive)
    sensitivity = found / n_positive if n_positive else undefined
    specificity = spared / n_negative if n_negative else undefined
    ranked = _ranked(scores, positive, weights) if n_positive and n_negative else None
    return {
        "accuracy": (found + spared) / len(scores) if len(scores) else undefined,
        "balanced_accuracy": (sensitivity + specificity) / 2,
        "sensitivity": sensitivity,
        "specificity": specificity,
        "roc_auc": undefined if ranked is None else ranked[0],
        "pr_auc": undefined if ranked is None else ranked[1],
    }


def _ranked(
    scores: NDArray[np.float32], positive: BoolArray, weights: FloatMatrix
) -> tuple[FloatMatrix, FloatMatrix]:
    """ROC-AUC (ties count half) and average precision, [B] each."""
    order = np.argsort(-scores, kind="stable")
    in_order = scores[order]
    # Images of equal score are one threshold: their weights are summed.
    starts = np.flatnonzero(np.r_[True, in_order[1:] != in_order[:-1]])
    sorted_weights = weights[:, order]
    is_positive = positive[order]
    hits = np.add.reduceat(sorted_weights * is_positive, starts, axis=1)
    misses = np.add.reduceat(sorted_weights * ~is_positive, starts, axis=1)
    true_positives, false_positives = hits.cumsum(1), misses.cumsum(1)
    all_positive, all_negative = true_positives[:, -1], false_positives[:, -1]
    # A miss at a threshold is beaten by every hit above it and drawn with those at it.
    beaten = (misses * (true_positives - hits / 2)).sum(1)
    said = true_positives + false_positives
    precision = np.divide(true_positives, said, out=np.zeros_like(said), where=said > 0)
    average_precision = (hits * precision).sum(1) / all_positive
    return beaten / (all_positive * all_negative), average_precision


def interval(values: FloatMatrix) -> tuple[float, float]:
    """The 2.5% and 97.5% percentiles."""
    low, high = np.percentile(values, (2.5, 97.5))
    return float(low), float(high)
