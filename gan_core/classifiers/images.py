"""Image sets made of parts that lie in different arrays, without copying them together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gan_core.spec.errors import GraftError

IndexArray = NDArray[np.int64]
ImageArray = NDArray[np.uint8]


class ImageRows(Protocol):
    """What the classifiers read: a numpy array, a memory map, or ``StackedImages``.

    ``shape`` is (N, S, S, 3); indexing with an int64 array of n rows gives uint8 [n, S, S, 3].
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, S, S, 3)."""

    def __getitem__(self, rows: IndexArray, /) -> ImageArray:
        """Return the images in these rows, uint8 [n, S, S, 3]."""


class StackedImages:
    """Rows of several image arrays, one after the other, read where they lie.

    Args:
        parts: (array uint8 [M, S, S, 3], rows int64 [m]) of each part. The arrays may be memory
            maps, and the same array may come twice.

    Raises:
        GraftError: ``sizes_differ`` when the parts' images differ in size.
    """

    def __init__(self, parts: Sequence[tuple[ImageRows, IndexArray]]) -> None:
        sizes = {tuple(array.shape[1:]) for array, _ in parts}
        if len(sizes) != 1:
            raise GraftError(
                "sizes_differ",
                "The images of a training set must all have one size, and here are"
                f" {', '.join(str(size) for size in sorted(sizes)) or 'none'}.",
                "Bring them to one size first.",
            )
        self._arrays = [array for array, _ in parts]
        self._part = np.concatenate(
            [np.full(len(rows), part, np.int64) for part, (_, rows) in enumerate(parts)]
        )
        self._row = np.concatenate([np.asarray(rows, np.int64) for _, rows in parts])
        self.shape: tuple[int, ...] = (len(self._row), *sizes.pop())

    def __getitem__(self, rows: IndexArray) -> ImageArray:
        """Return the images in these rows, uint8 [n, S, S, 3]."""
        rows = np.asarray(rows, np.int64)
        images = np.empty((len(rows), *self.shape[1:]), np.uint8)
        for part in np.unique(self._part[rows]):
            here = self._part[rows] == part
            images[here] = self._arrays[part][self._row[rows[here]]]
        return images
