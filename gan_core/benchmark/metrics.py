"""Figures of one classifier on the test set.

The rare class is the positive one. Where a threshold is needed it is .5. A data set of more than
two classes is judged on the same question, rare class against all others together: that is what
the GAN's images are for.

"Balanced accuracy", the mean of sensitivity and specificity, is what the seed study called AUC
(it was computed from hard labels); ``roc_auc`` is the area under the curve of the scores.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FIGURES = ("accuracy", "balanced_accuracy", "sensitivity", "specificity", "roc_auc", "pr_auc")
THRESHOLD = 0.5


def figures(scores: NDArray[np.float32], positive: NDArray[np.bool_]) -> dict[str, float | None]:
    """Compute every figure of ``FIGURES``.

    Args:
        scores: float [N], probability of the rare class.
        positive: Bool [N], which test images are of the rare class.

    Returns:
        Shares in [0, 1] by name; ``pr_auc`` is the average precision. A figure that the test set
        does not define is None (``undefined_because`` says why).
    """
    from sklearn.metrics import average_precision_score, roc_auc_score

    positive = np.asarray(positive, np.bool_)
    if not len(positive):
        return dict.fromkeys(FIGURES)
    says_rare = scores >= THRESHOLD
    sensitivity = float(says_rare[positive].mean()) if positive.any() else None
    specificity = float((~says_rare[~positive]).mean()) if (~positive).any() else None
    both = sensitivity is not None and specificity is not None
    return {
        "accuracy": float((says_rare == positive).mean()),
        "balanced_accuracy": (sensitivity + specificity) / 2
        if sensitivity is not None and specificity is not None
        else None,
        "sensitivity": sensitivity,
        "specificity": specificity,
        "roc_auc": float(roc_auc_score(positive, scores)) if both else None,
        "pr_auc": float(average_precision_score(positive, scores)) if both else None,
    }


def undefined_because(positive: NDArray[np.bool_]) -> str | None:
    """Say, for a person, why figures are missing; None when none is."""
    if not len(positive):
        return "The test set is empty."
    if not np.any(positive):
        return "The test set has no image of the rare class."
    if np.all(positive):
        return "The test set has images of the rare class only."
    return None
