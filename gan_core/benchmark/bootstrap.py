"""Percentile bootstrap over test images, for all resamples at once.

Efron & Tibshirani 1993, "An introduction to the bootstrap", ch. 13. Test images are drawn with
replacement within each class (stratified), so every resample has both. The same seed draws the
same images for every arm: differences are paired.

Resamples are weights: how often each image was drawn. Figures that are sums over images are then
products of matrices; those of the ranking need each class in the order of its scores, once for all
resamples. Weights are whole numbers, which float32 holds and sums exactly up to 2²⁴.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_core.benchmark.metrics import (
    CALIBRATION_BINS,
    FIGURES,
    SPECIFICITIES,
    THRESHOLD,
    allowed_false_alarms,
    calibration_bins,
)

FloatMatrix = NDArray[np.float64]
Weights = NDArray[np.float32]
BoolArray = NDArray[np.bool_]

RESAMPLES = 2000
SEED = 20_240
_CELLS_AT_ONCE = 4_000_000  # float32 cells of a temporary: 16 MB


def resample_weights(positive: BoolArray, resamples: int = RESAMPLES) -> Weights:
    """How often each test image is in each resample.

    Args:
        positive: Bool [M].
        resamples: How many.

    Returns:
        float32 [resamples, M]; the weights of each class sum to its size. In memory an image's
        weights lie side by side (the transpose of a [M, resamples] array): what follows takes
        images in the order of their scores.
    """
    rng = np.random.default_rng(SEED)
    by_image = np.zeros((len(positive), resamples), np.float32)
    for label in (False, True):
        of_class = np.flatnonzero(positive == label)
        if len(of_class):
            share = np.full(len(of_class), 1.0 / len(of_class))
            by_image[of_class] = rng.multinomial(len(of_class), share, size=resamples).T
    return by_image.T


def resampled_figures(
    scores: NDArray[np.float32],
    positive: BoolArray,
    weights: NDArray[np.float32] | FloatMatrix,
    threshold: float | None = None,
) -> dict[str, FloatMatrix]:
    """Every figure of one run on every resample.

    Args:
        scores: float32 [M].
        positive: Bool [M].
        weights: [B, M], from ``resample_weights``.
        threshold: As in ``metrics.figures``.

    Returns:
        float64 [B] by name; NaN where the test set does not define the figure.
    """
    by_image = np.ascontiguousarray(weights.T, np.float32)  # no copy of resample_weights' own
    found = _sums(scores, positive, by_image, threshold)
    if positive.any() and not positive.all():
        at_once = max(1, _CELLS_AT_ONCE // len(scores))
        ranking = _Ranking(scores, positive)
        pieces = [
            ranking.figures(by_image[:, start : start + at_once])
            for start in range(0, by_image.shape[1], at_once)
        ]
        found |= {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
    undefined = np.full(by_image.shape[1], np.nan)
    return {name: found.get(name, undefined) for name in FIGURES}


def _sums(
    scores: NDArray[np.float32], positive: BoolArray, by_image: Weights, threshold: float | None
) -> dict[str, FloatMatrix]:
    """Return the figures that are sums over images, [B] each."""
    n, n_positive = len(scores), int(positive.sum())
    if not n:
        return {}
    probabilities = np.clip(scores.astype(np.float64), 0.0, 1.0)
    gap = probabilities - positive
    thresholds = {"": THRESHOLD} | ({} if threshold is None else {"moved_": threshold})
    columns: list[NDArray[Any]] = [gap**2]
    columns += [(calibration_bins(probabilities) == k) * gap for k in range(CALIBRATION_BINS)]
    for at in thresholds.values():
        says_rare = scores >= at
        columns += [says_rare & positive, ~says_rare & ~positive]
    sums = (np.stack(columns).astype(np.float32) @ by_image).astype(np.float64)
    bins = sums[1 : 1 + CALIBRATION_BINS]
    found = {"brier": sums[0] / n, "calibration_error": np.abs(bins).sum(0) / n}
    for place, prefix in enumerate(thresholds):
        hits, spared = sums[1 + CALIBRATION_BINS + 2 * place :][:2]
        found[f"{prefix}accuracy"] = (hits + spared) / n
        if n_positive:
            found[f"{prefix}sensitivity"] = hits / n_positive
        if n_positive < n:
            found[f"{prefix}specificity"] = spared / (n - n_positive)
        if 0 < n_positive < n:
            both = found[f"{prefix}sensitivity"] + found[f"{prefix}specificity"]
            found[f"{prefix}balanced_accuracy"] = both / 2
    return found


class _Ranking:
    """One run's order of the images, by class; its figures on many resamples.

    Attributes:
        rare: Indices of the images of the rare class, the highest score first; [P].
        others: The same of all other images; [N].
    """

    def __init__(self, scores: NDArray[np.float32], positive: BoolArray) -> None:
        order = np.argsort(-scores, kind="stable")
        self.rare = order[positive[order]]
        self.others = order[~positive[order]]
        # Lowest first, as searchsorted wants it.
        of_rare, of_others = -scores[self.rare], -scores[self.others]
        self.rare_above = np.searchsorted(of_rare, of_others, side="left")
        self.rare_from = np.searchsorted(of_rare, of_others, side="right")
        self.rare_at_own = np.searchsorted(of_rare, of_rare, side="right")
        self.others_at_rare = np.searchsorted(of_others, of_rare, side="right")

    def figures(self, by_image: Weights) -> dict[str, FloatMatrix]:
        """ROC-AUC (ties count half), average precision, sensitivities; of [M, B], [B] each."""
        columns = np.arange(by_image.shape[1])
        rare, others = by_image[self.rare], by_image[self.others]
        found = _summed(rare)  # row k: images of the rare class among the k highest of them
        alarms = _summed(others)
        n_rare, n_others = len(self.rare), len(self.others)
        beaten = np.einsum("nb,nb->b", others, found[self.rare_above])
        beaten += np.einsum("nb,nb->b", others, found[self.rare_from])
        hits = found[self.rare_at_own]
        # A resample without any image down to here has no hit here either: 0 / 1.
        precision = hits / np.maximum(hits + alarms[self.others_at_rare], 1.0)
        results = {
            "roc_auc": beaten.astype(np.float64) / (2.0 * n_rare * n_others),
            "pr_auc": np.einsum("pb,pb->b", rare, precision).astype(np.float64) / n_rare,
        }
        # What is found above the first image of the others that is an alarm too many.
        found_above = np.append(self.rare_above, n_rare)
        for name, specificity in SPECIFICITIES.items():
            allowed = allowed_false_alarms(specificity, n_others)
            first_too_many = np.count_nonzero(alarms[1:] <= allowed, axis=0)
            at = found[found_above[first_too_many], columns]
            results[name] = at.astype(np.float64) / n_rare
        return results


def _summed(weights: Weights) -> Weights:
    """Return the sums of the first 0, 1, 2, ... rows of [K, B], as [K + 1, B]."""
    sums = np.zeros((len(weights) + 1, weights.shape[1]), np.float32)
    np.cumsum(weights, axis=0, out=sums[1:])
    return sums


def interval(values: FloatMatrix) -> tuple[float, float]:
    """The 2.5% and 97.5% percentiles."""
    low, high = np.percentile(values, (2.5, 97.5))
    return float(low), float(high)
