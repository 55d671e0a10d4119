"""Training images that are the same as a test image, or nearly: they make every figure too good.

They are always told; a study that asks for it leaves them out of everything that learns: GANs,
screens, classifiers. Barz & Denzler 2020, "Do we train on test data?", arXiv:1902.00423, found 3 to
10% of such images in the test sets that all the world compares by.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_core.reading import PackedDataset
from gan_core.screening import near_copies, thumbnails

NEAR_RMS = 8.0
"""Of 32 × 32 thumbnails, in grey levels: as the ingest step takes near-duplicates."""
_BLOCK = 512

IndexArray = NDArray[np.int64]


def training_images_of_test(dataset: PackedDataset, rms: float = NEAR_RMS) -> IndexArray:
    """Find the training images that are within ``rms`` of a test image.

    The index of a data set lists its closest pairs only; this looks at all.

    Returns:
        int64, rows of the training split, ascending.
    """
    test = _small(dataset.images("test"))
    if not len(test):
        return np.empty(0, np.int64)
    training = dataset.images("train")
    found = [
        start + np.flatnonzero(near_copies(training[start : start + _BLOCK], test)[0] <= rms)
        for start in range(0, len(training), _BLOCK)
    ]
    return np.concatenate([*found, np.empty(0, np.int64)]).astype(np.int64)


def _small(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    blocks = [thumbnails(images[i : i + _BLOCK]) for i in range(0, len(images), _BLOCK)]
    return np.concatenate(blocks) if blocks else images


def left_out(dataset: PackedDataset, params: Mapping[str, Any]) -> IndexArray:
    """Return the training rows that a step must not learn from.

    Args:
        dataset: The data set.
        params: Of the step; ``leaks: leave-out`` asks for it.

    Returns:
        int64, ascending; empty unless it was asked for.
    """
    if params.get("leaks") != "leave-out":
        return np.empty(0, np.int64)
    return training_images_of_test(dataset)
