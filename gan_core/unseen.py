"""Real images of the rare class that a GAN has not seen: what its images are compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gan_core.leaks import NEAR_RMS
from gan_core.reading import PackedDataset
from gan_core.screening import near_copies, thumbnails_of

LEAST_UNSEEN = 20
"""Held-out training images from which on no test image is looked at. With fewer, a figure of them
says next to nothing."""
MOST_UNSEEN = 500
"""Their features, and a discriminator's scores of them, have to be computed."""

IndexArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class Unseen:
    """Images of the rare class that a GAN has not learnt from.

    Attributes:
        source: "held-out": of the training split, outside the GAN's subset; "test": test images,
            where too few of those are left.
        rows: int64, rows of that split, ascending; at least one.
    """

    source: Literal["held-out", "test"]
    rows: IndexArray

    @property
    def split(self) -> Literal["train", "test"]:
        """The split that ``rows`` are of."""
        return "train" if self.source == "held-out" else "test"


def unseen_images(
    dataset: PackedDataset,
    rare_index: int,
    members: IndexArray,
    *,
    without: IndexArray,
    seed: int,
    most: int = MOST_UNSEEN,
) -> Unseen:
    """Choose real images of the rare class that a GAN has not seen.

    Held-out training images, where there are ``LEAST_UNSEEN`` of them; else the test images, unless
    these are fewer still. Findings of test images choose nothing: they are told, and that is all.

    Args:
        dataset: The data set.
        rare_index: The rare class.
        members: int64, training rows that the GAN learnt from.
        without: int64, training rows that are those of test images (``leaks.left_out``).
        seed: Of the draw, where there are more.
        most: How many.

    Returns:
        At least one: no class of a data set is without a test image.
    """
    known = np.concatenate([members, without])
    held_out = np.setdiff1d(np.flatnonzero(dataset.labels("train") == rare_index), known)
    test = np.flatnonzero(dataset.labels("test") == rare_index)
    is_held_out = len(held_out) >= LEAST_UNSEEN or len(held_out) >= len(test)
    rows = held_out if is_held_out else test
    drawn = np.random.default_rng([seed, 0x0B5E]).permutation(rows)[:most]
    return Unseen("held-out" if is_held_out else "test", np.sort(drawn).astype(np.int64))


def is_new(dataset: PackedDataset, unseen: Unseen, learnt: IndexArray) -> BoolArray:
    """Say which unseen images are not nearly the same as an image that the GAN has learnt from.

    A second picture of a patient, or a copy, lies as close to a training image as a synthetic copy
    does: among fewer than 99 images a single one hides a GAN that does nothing but copy
    (``privacy.closeness``), and an attack that finds it has found what it was asked for.

    Args:
        dataset: The data set.
        unseen: Images that the GAN has not learnt from.
        learnt: int64, training rows that it has learnt from; at least one.

    Returns:
        Bool, for each of ``unseen.rows``; all of them where most have a twin: then it is not twins
        that they have, but a class whose images are alike.
    """
    images = dataset.images("train")
    distances, _ = near_copies(
        thumbnails_of(dataset.images(unseen.split), unseen.rows), thumbnails_of(images, learnt)
    )
    found: BoolArray = distances > NEAR_RMS
    return found if 2 * found.sum() >= len(found) else np.ones_like(found)
