"""Whether a training is worth going on with: finite numbers, and samples that differ.

Judged at milestones, which depend on the epochs done and never on the clock, so that a training
that was interrupted comes to the same judgement as one that was not.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MILESTONES = 4
JUDGED_SAMPLES = 16
# The lowest of honest trainings was 0.5: InfoGAN at 32 and 64 pixels, 10 and 50 real images, looked
# at 20 times on the way.
COLLAPSED_SHARE = 0.02
# Real images that hardly differ themselves say nothing about what samples should do.
LEAST_REAL_SPREAD = 2.0
# A new generator's images are all grey: it is given half of the training, and so many steps.
FIRST_JUDGED_FRACTION = 0.5
FIRST_JUDGED_STEP = 200


class SpoiledError(Exception):
    """The state of a training is of no use any more.

    Attributes:
        epoch: Epochs done when it was found.
        what: The finding, to follow "At epoch 3 " in a sentence.
    """

    def __init__(self, epoch: int, what: str) -> None:
        super().__init__(f"epoch {epoch}: {what}")
        self.epoch = epoch
        self.what = what


def spread(images: NDArray[np.uint8]) -> float:
    """How much images of a set differ: each value's standard deviation over the set, averaged.

    Args:
        images: uint8 [N, H, W, 3].

    Returns:
        Levels, 0 (all the same) .. 127.5.
    """
    return float(images.astype(np.float32).std(axis=0).mean())


def is_collapsed(
    samples: NDArray[np.uint8], real_spread: float, *, steps: int, fraction: float
) -> bool:
    """Whether a generator makes almost the same image whatever its latent (mode collapse).

    Said of the clear case alone: the samples' spread is below 2% of the real images'. A generator
    that knows only some modes is not caught by this, and one that has merely begun is not meant.

    Args:
        samples: uint8 [N, S, S, 3], each from another latent.
        real_spread: ``spread`` of the real images.
        steps: Steps done.
        fraction: Share of the training that is done.
    """
    if steps < FIRST_JUDGED_STEP or fraction < FIRST_JUDGED_FRACTION:
        return False
    return real_spread >= LEAST_REAL_SPREAD and spread(samples) < COLLAPSED_SHARE * real_spread
