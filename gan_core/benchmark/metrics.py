"""Figures of one classifier on the test set.

The rare class is the positive one. A data set of more than two classes is judged on the same
question, rare class against all others together: that is what the GAN's images are for.

Decisions are told at the threshold .5 and, where a threshold was chosen on held-out training
images, at that one (``moved_…``): under class imbalance .5 is mostly the wrong place. "Balanced
accuracy", the mean of sensitivity and specificity, is what the seed study called AUC (it was
computed from hard labels); ``roc_auc`` is the area under the curve of the scores.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FIGURES = (
    "accuracy",
    "balanced_accuracy",
    "sensitivity",
    "specificity",
    "roc_auc",
    "pr_auc",
    "sensitivity_at_90",
    "sensitivity_at_95",
    "brier",
    "calibration_error",
    "moved_accuracy",
    "moved_balanced_accuracy",
    "moved_sensitivity",
    "moved_specificity",
)
THRESHOLD = 0.5
SPECIFICITIES = {"sensitivity_at_90": 0.90, "sensitivity_at_95": 0.95}
CALIBRATION_BINS = 10
LEAST_TESTED = 2
"""Test images of the rare class, and of the others, from which on differences are tested."""


def figures(
    scores: NDArray[np.float32], positive: NDArray[np.bool_], threshold: float | None = None
) -> dict[str, float | None]:
    """Compute every figure of ``FIGURES``.

    Args:
        scores: float [N], probability of the rare class.
        positive: Bool [N], which test images are of the rare class.
        threshold: For the figures named ``moved_…``: scores from here on are called rare.

    Returns:
        Shares in [0, 1] by name; ``pr_auc`` is the average precision, ``sensitivity_at_90`` that at
        the smallest threshold where specificity is at least .90. A figure that the test set does
        not define is None (``undefined_because`` says why), and so are those of a threshold that
        is None.
    """
    from sklearn.metrics import average_precision_score, roc_auc_score

    positive = np.asarray(positive, np.bool_)
    if not len(positive):
        return dict.fromkeys(FIGURES)
    both = bool(positive.any()) and not bool(positive.all())
    found: dict[str, float | None] = dict.fromkeys(FIGURES)
    found |= _decisions(scores >= THRESHOLD, positive, "")
    if threshold is not None:
        found |= _decisions(scores >= threshold, positive, "moved_")
    if both:
        found["roc_auc"] = float(roc_auc_score(positive, scores))
        found["pr_auc"] = float(average_precision_score(positive, scores))
        found |= _sensitivities(scores, positive)
    probabilities = np.clip(scores.astype(np.float64), 0.0, 1.0)
    found["brier"] = float(np.mean((probabilities - positive) ** 2))
    found["calibration_error"] = _calibration_error(probabilities, positive)
    return found


def _decisions(
    says_rare: NDArray[np.bool_], positive: NDArray[np.bool_], prefix: str
) -> dict[str, float | None]:
    sensitivity = float(says_rare[positive].mean()) if positive.any() else None
    specificity = float((~says_rare[~positive]).mean()) if (~positive).any() else None
    return {
        f"{prefix}accuracy": float((says_rare == positive).mean()),
        f"{prefix}balanced_accuracy": (sensitivity + specificity) / 2
        if sensitivity is not None and specificity is not None
        else None,
        f"{prefix}sensitivity": sensitivity,
        f"{prefix}specificity": specificity,
    }


def _sensitivities(
    scores: NDArray[np.float32], positive: NDArray[np.bool_]
) -> dict[str, float | None]:
    from sklearn.metrics import roc_curve

    false_alarms, found, _ = roc_curve(positive, scores, drop_intermediate=False)
    n_negative = int((~positive).sum())
    missed = np.rint(false_alarms * n_negative)
    # Both rise as the threshold falls, so the last that is allowed has the smallest threshold.
    return {
        name: float(found[missed <= allowed_false_alarms(specificity, n_negative)][-1])
        for name, specificity in SPECIFICITIES.items()
    }


def allowed_false_alarms(specificity: float, n_negative: int) -> int:
    """Return how many images of other classes may be called rare at a least specificity."""
    # 1 − .9 is a little less than .1 in floating point.
    return int(np.floor((1.0 - specificity) * n_negative + 1e-9))


def calibration_bins(probabilities: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the bin of equal width, 0 … ``CALIBRATION_BINS`` − 1, of each probability [N]."""
    bins = np.floor(probabilities * CALIBRATION_BINS).astype(np.int64)
    return np.clip(bins, 0, CALIBRATION_BINS - 1)


def _calibration_error(probabilities: NDArray[np.float64], positive: NDArray[np.bool_]) -> float:
    """Naeini et al. 2015, "Obtaining well calibrated probabilities": ECE of the rare class."""
    gaps = np.bincount(
        calibration_bins(probabilities), probabilities - positive, minlength=CALIBRATION_BINS
    )
    return float(np.abs(gaps).sum() / len(positive))


def undefined_because(positive: NDArray[np.bool_]) -> str | None:
    """Say, for a person, why figures are missing; None when none is."""
    if not len(positive):
        return "The test set is empty."
    if not np.any(positive):
        return "The test set has no image of the rare class."
    if np.all(positive):
        return "The test set has images of the rare class only."
    return None


def untested_because(positive: NDArray[np.bool_]) -> str | None:
    """Say, for a person, why no difference can be tested; None when it can.

    One image of a class shows no spread over images, so that whatever two arms make of it would
    count as what they make of all.
    """
    if (undefined := undefined_because(positive)) is not None:
        return undefined
    for of_class, name in ((positive, "the rare class"), (~positive, "the other classes")):
        if int(of_class.sum()) < LEAST_TESTED:
            return f"The test set has a single image of {name}."
    return None
