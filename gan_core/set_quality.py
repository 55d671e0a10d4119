"""All figures of a set's quality, from equal numbers of real and synthetic images."""

from __future__ import annotations

from typing import Literal

import numpy as np

from gan_core.quality import (
    Features,
    density_and_coverage,
    diversity,
    frechet_distance,
    kernel_distance,
    precision_and_recall,
)
from gan_core.spec.findings import OfColumn, SetQuality

MOST_COMPARED = 1000
"""Of a side: time grows with the square of it, that of the Fréchet distance with the cube."""
LEAST_COMPARED = 4
"""For a kernel distance."""


def quality_of_set(
    real: Features,
    fake: Features,
    column: OfColumn,
    *,
    features: str,
    against: Literal["held-out", "test", "training"],
    seed: int = 0,
) -> SetQuality | None:
    """Compare a set with real images.

    Density, coverage, recall and the Fréchet distance depend on the numbers of images: as many of
    each side are taken, at most ``MOST_COMPARED``, drawn at random.

    Args:
        real: float32 [N, D].
        fake: float32 [M, D].
        column: Which set it is.
        features: What the features are called.
        against: Which real images these are.
        seed: Of the draws.

    Returns:
        None with fewer than 4 images on a side, of which nothing can be said.
    """
    count = min(len(real), len(fake), MOST_COMPARED)
    if count < LEAST_COMPARED:
        return None
    random = np.random.default_rng(seed)
    some_real = real[random.permutation(len(real))[:count]]
    some_fake = fake[random.permutation(len(fake))[:count]]
    kid, kid_sd = kernel_distance(some_real, some_fake)
    precision, recall = precision_and_recall(some_real, some_fake)
    density, coverage = density_and_coverage(some_real, some_fake)
    return SetQuality(
        **column.model_dump(),
        features=features,
        against=against,
        n_real=count,
        n_fake=count,
        kid=kid,
        kid_sd=kid_sd,
        frechet=frechet_distance(some_real, some_fake),
        precision=precision,
        recall=recall,
        density=density,
        coverage=coverage,
        diversity=diversity(some_real, some_fake),
        chance_kid=_chance(real, random),
    )


def _chance(real: Features, random: np.random.Generator) -> float | None:
    """Kernel distance between two halves of the real images; None where these are too small."""
    shuffled = real[random.permutation(len(real))[: 2 * MOST_COMPARED]]
    half = len(shuffled) // 2
    if half < LEAST_COMPARED:
        return None
    return kernel_distance(shuffled[:half], shuffled[half : 2 * half])[0]
