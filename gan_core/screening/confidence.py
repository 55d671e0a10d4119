"""Whether a synthetic image looks like its class, to a classifier that has seen real ones alone.

Xue et al. 2021, "Selective synthetic augmentation with HistoGAN", arXiv:2111.06399, choose by a
classifier's confidence. Here it is cross-fitted: the limit is set by real images that the
classifier has not learnt from, for its confidence in those that it has says nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gan_core.classifiers.probe import Probe, fit_probe
from gan_core.progress import ShouldStop, Stopped, never_stop
from gan_core.spec.errors import GraftError

Features = NDArray[np.float32]

FOLDS = 5
PASSING = 0.9
"""Share of held-out real images of the rare class that the limit lets pass."""
HIGHEST_LIMIT = 0.5
"""More is not asked of an image: from here on the classifier takes it for the rare class."""


@dataclass(frozen=True)
class LabelScreen:
    """A cross-fitted classifier, and how sure it must be of an image.

    Attributes:
        probes: One for each fold, fitted on the real images of all the others.
        limit: Images of which the probes are less sure are taken for another class.
        passing: Share of the held-out real images of the rare class that are at or above it.
        others_passing: The same of the held-out real images of all other classes.
    """

    probes: Sequence[Probe]
    limit: float
    passing: float
    others_passing: float

    def confidence(self, features: Features) -> Features:
        """Mean over the probes of the rare class's probability, float32 [N], of features [N, D]."""
        total = np.zeros(len(features), np.float32)
        for probe in self.probes:
            total += probe.predict(features)
        return total / np.float32(len(self.probes))


def fit_label_screen(
    features: Features,
    labels: NDArray[np.int64],
    *,
    folds: int = FOLDS,
    seed: int = 0,
    should_stop: ShouldStop = never_stop,
) -> LabelScreen:
    """Fit the classifier on real training images, and set the limit.

    The limit is where ``PASSING`` of the held-out real images of the rare class pass. It is at most
    ``HIGHEST_LIMIT``. And it is at least the median of the held-out images of the other classes:
    with ten real images the classifier knows the rare class so little that nine of them pass nearly
    any limit, and an image that looks less like it than most others do would pass, too.

    Args:
        features: float32 [N, D], of real training images.
        labels: int64 [N], 1 for the rare class and 0 for all others.
        folds: Parts that are held out in turn, with as many of each class; fewer where a class has
            fewer images.
        seed: Of the split.
        should_stop: Asked before each fit.

    Raises:
        GraftError: ``too_few_to_screen``: a class has fewer than two images.
        Stopped: ``should_stop()`` said so.
    """
    from sklearn.model_selection import StratifiedKFold

    n_rare = int(labels.sum())
    n_other = len(labels) - n_rare
    if min(n_rare, n_other) < 2:
        raise GraftError(
            "too_few_to_screen",
            f"A classifier that screens labels needs two real images of each class; here there are"
            f" {n_rare} of the rare class and {n_other} of all others.",
            "Raise the real count, or leave `screen.label` out.",
        )
    parts = StratifiedKFold(min(folds, n_rare, n_other), shuffle=True, random_state=seed)
    held_out = np.empty(len(labels), np.float32)
    probes: list[Probe] = []
    for learnt, held in parts.split(features, labels):
        if should_stop():
            raise Stopped
        rare = int(labels[learnt].sum())
        weights = len(learnt) / (2 * (len(learnt) - rare)), len(learnt) / (2 * rare)
        probe = fit_probe(features[learnt], labels[learnt], class_weights=weights)
        held_out[held] = probe.predict(features[held])
        probes.append(probe)
    ours, others = np.sort(held_out[labels == 1]), held_out[labels == 0]
    # So that at least this share is at or above it, however few there are.
    limit = float(ours[int((1 - PASSING) * n_rare + 1e-9)])
    limit = max(min(limit, HIGHEST_LIMIT), float(np.median(others)))
    return LabelScreen(
        probes, limit, float((ours >= limit).mean()), float((others >= limit).mean())
    )
