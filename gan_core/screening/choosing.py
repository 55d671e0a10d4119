"""The rules of the screen in their order, and what they leave."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_core.progress import ShouldStop, never_stop
from gan_core.screening.diversity import pick_diverse
from gan_core.spec.errors import GraftError
from gan_core.spec.findings import REJECTED_BECAUSE

Features = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What an image must keep to; None: that rule does not apply, its score is only told.

    Attributes:
        near_copy_rms: At most so far from a training image is a near-copy, in grey levels.
        distance: At most so far from the nearest real image of the rare class is not too far, as a
            share of what ``manifold.farthest_allowed`` allows: 1.
        confidence: At least so sure of the rare class a classifier must be.
    """

    near_copy_rms: float | None = None
    distance: float | None = None
    confidence: float | None = None


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Of each image that was drawn.

    Attributes:
        near_copy_rms: Distance of its thumbnail to the nearest of a training image, grey levels.
        distance: Of its features to the nearest real image's, over the farthest allowed.
        confidence: Probability of the rare class; None: no classifier was asked.
    """

    near_copy_rms: NDArray[np.float32]
    distance: NDArray[np.float64]
    confidence: NDArray[np.float32] | None

    def of(self, row: int) -> dict[str, float]:
        """Return one image's scores by name, as they stand beside it in the zip."""
        said = {
            "near_copy_rms": round(float(self.near_copy_rms[row]), 3),
            "distance": round(float(self.distance[row]), 4),
        }
        if self.confidence is not None:
            said["confidence"] = round(float(self.confidence[row]), 4)
        return said


def choose(
    features: Features,
    scores: Scores,
    limits: Limits,
    *,
    count: int,
    diverse: bool,
    should_stop: ShouldStop = never_stop,
) -> list[str | None]:
    """Choose among images, by the rules and then by number.

    No rule gives way when too few are left: fewer than ``count`` are then chosen.

    Args:
        features: float32 [N, D], in the order of drawing; of these ``diverse`` picks.
        scores: Of the same images.
        limits: The rules.
        count: How many at most.
        diverse: Pick images that differ (``pick_diverse``); else the first drawn are taken.
        should_stop: Asked now and then.

    Returns:
        For each image why it is left out, the first rule that it breaks in the order of
        ``REJECTED_BECAUSE``; None: it is taken.

    Raises:
        GraftError: ``nothing_passed``: not a single image is left.
        Stopped: ``should_stop()`` said so.
    """
    reasons: list[str | None] = [None] * len(features)

    def reject(rows: NDArray[np.int64], reason: str) -> None:
        for row in rows:
            reasons[row] = reasons[row] or reason

    if limits.near_copy_rms is not None:
        reject(np.flatnonzero(scores.near_copy_rms <= limits.near_copy_rms), "near-copy")
    if limits.distance is not None:
        reject(np.flatnonzero(scores.distance > limits.distance), "off-manifold")
    if limits.confidence is not None and scores.confidence is not None:
        reject(np.flatnonzero(scores.confidence < limits.confidence), "wrong-class")
    left = np.array([row for row, reason in enumerate(reasons) if reason is None], np.int64)
    if not len(left):
        raise GraftError(
            "nothing_passed",
            f"None of the {len(features)} images that were drawn passed the screen:"
            f" {_told(counted(reasons))}.",
            "Train the GAN for longer or on more real images, draw more images, or switch rules of"
            " the screen off.",
        )
    picked = (
        left[pick_diverse(np.asarray(features[left]), count, should_stop=should_stop)]
        if diverse
        else left[:count]
    )
    reject(np.setdiff1d(left, picked), "alike" if diverse else "not-needed")
    return reasons


def counted(reasons: list[str | None]) -> dict[str, int]:
    """Count images by the reason why they are left out, in the order of the rules."""
    return {reason: n for reason in REJECTED_BECAUSE if (n := reasons.count(reason))}


def _told(counts: dict[str, int]) -> str:
    return ", ".join(f"{reason} {n}" for reason, n in counts.items()) or "none was drawn"


def limits_said(limits: Limits, more: dict[str, Any]) -> dict[str, Any]:
    """Return the rules as ``screening.json`` and the zip's manifest tell them."""
    return {
        "near_copy_rms": limits.near_copy_rms,
        "distance": limits.distance,
        "confidence": None if limits.confidence is None else round(limits.confidence, 6),
    } | more
