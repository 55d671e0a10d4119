"""Cross-fitting: real training images are scored by classifiers that did not see them.

What is chosen (a threshold, a ratio of synthetic images) is chosen by these scores, so that neither
the test images nor the classifier's memory of its own training images has a say.

A GAN, unlike the classifiers, has seen the held-out images of the rare class: its images may carry
something of them into the training. That can only make a choice too kind to the GAN, of a ratio
above all; never the test, which no GAN and no choice has seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

IndexArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

MIN_POSITIVE = 2
"""Fewer held-out images of the rare class than this move no threshold."""
CHANCE = 0.5
"""Balanced accuracy of guessing, and the threshold that is not moved."""


@dataclass(frozen=True)
class HeldOut:
    """What is known of a training set by images that were held out of it.

    Attributes:
        threshold: Where balanced accuracy on them is best.
        roc_auc: Share of pairs of a rare and another image that are in the right order.
        balanced_accuracy: At ``threshold``. That was chosen on the same images, so it is a little
            too high.
    """

    threshold: float | None = None
    roc_auc: float | None = None
    balanced_accuracy: float | None = None


def folds_of(
    is_rare: BoolArray, count: int, seed: int, groups: IndexArray | None = None
) -> IndexArray | None:
    """Cut real training images into stratified folds.

    Args:
        is_rare: Bool [N].
        count: Folds that are asked for; there are fewer where a class has fewer images.
        seed: Of the cut; that of the subset, so that all arms and seeds have the same.
        groups: int64 [N], images with the same number are the same or nearly, and go together; the
            strata are of the first image of each.

    Returns:
        int64 [N], the fold of each image, 0 ..; None where a class has fewer than two groups.
    """
    from sklearn.model_selection import StratifiedKFold

    groups = np.arange(len(is_rare)) if groups is None else groups
    _, firsts, group = np.unique(groups, return_index=True, return_inverse=True)
    of_first = is_rare[firsts]
    splits = min(count, int(of_first.sum()), int((~of_first).sum()))
    if splits < 2:
        return None
    folds = np.empty(len(firsts), np.int64)
    cut = StratifiedKFold(splits, shuffle=True, random_state=seed)
    for fold, (_, held) in enumerate(cut.split(firsts, of_first)):
        folds[held] = fold
    return folds[group]


def found_on(scores: NDArray[Any], is_rare: BoolArray, folds: IndexArray | None = None) -> HeldOut:
    """Say what held-out images say.

    Args:
        scores: float [N], each by a classifier that did not train on the image.
        is_rare: Bool [N].
        folds: int64 [N]. Only images of one fold have scores of one classifier, so only these are
            compared with each other for the ROC-AUC; pooled, the differences between classifiers
            would count as errors (Airola et al. 2011, "An experimental comparison of
            cross-validation techniques for estimating the area under the ROC curve"). None: one.

    Returns:
        Nothing, where there are fewer than two images of a class.
    """
    positive = int(is_rare.sum())
    if min(positive, len(is_rare) - positive) < MIN_POSITIVE or not np.isfinite(scores).all():
        return HeldOut()
    threshold, best = best_threshold(scores, is_rare)
    return HeldOut(threshold, _pairs_in_order(scores, is_rare, folds), best)


def best_threshold(scores: NDArray[Any], is_rare: BoolArray) -> tuple[float, float]:
    """Find the threshold with the best balanced accuracy.

    It lies in the middle between two neighbouring scores; of equally good ones the nearest to .5 is
    taken, and .5 itself where no threshold is better than chance.

    Args:
        scores: float [N]; an image is called rare where its score is at least the threshold.
        is_rare: Bool [N], of both kinds.

    Returns:
        The threshold and the balanced accuracy there.
    """
    values, place = np.unique(np.asarray(scores, np.float64), return_inverse=True)
    positive = np.bincount(place, is_rare, len(values))
    negative = np.bincount(place, ~is_rare, len(values))
    below_positive, below_negative = np.cumsum(positive)[:-1], np.cumsum(negative)[:-1]
    balanced = (1 - below_positive / positive.sum() + below_negative / negative.sum()) / 2
    middles = (values[:-1] + values[1:]) / 2
    if not len(middles) or balanced.max() <= CHANCE:
        says_rare = scores >= CHANCE
        return CHANCE, float(says_rare[is_rare].mean() + (~says_rare[~is_rare]).mean()) / 2
    # Sums of shares differ in the last bits.
    equals = np.flatnonzero(balanced >= balanced.max() - 1e-12)
    nearest = equals[np.argmin(np.abs(middles[equals] - CHANCE))]
    return float(middles[nearest]), float(balanced[nearest])


def _pairs_in_order(
    scores: NDArray[Any], is_rare: BoolArray, folds: IndexArray | None
) -> float | None:
    from sklearn.metrics import roc_auc_score

    folds = np.zeros(len(scores), np.int64) if folds is None else folds
    right, pairs = 0.0, 0
    for fold in np.unique(folds):
        here = folds == fold
        rare = int(is_rare[here].sum())
        own = rare * (int(here.sum()) - rare)
        if own:
            right += own * float(roc_auc_score(is_rare[here], scores[here]))
            pairs += own
    return right / pairs if pairs else None


def chosen_ratio(ratios: list[float], roc_aucs: list[float]) -> int:
    """Choose the place of the ratio with the best held-out ROC-AUC; of equals, the smallest."""
    best = max(roc_aucs)
    return min(
        (place for place, found in enumerate(roc_aucs) if found >= best - 1e-9),
        key=lambda place: ratios[place],
    )
