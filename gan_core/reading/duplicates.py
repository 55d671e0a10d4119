"""Images that occur twice: pixel for pixel, or nearly.

A real set has both. A copy of a test image among the training images makes every figure look
better than it is; one among the training images alone counts one patient twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

THUMBNAIL = 32
_COARSE = 8
_BLOCK = 1024
# Rounding of float32 sums of squares; candidates are decided on integers afterwards.
_SLACK = 0.05

Pairs = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]


def thumbnail(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Shrink uint8 [S, S, 3] to uint8 [32, 32, 3] by averaging boxes."""
    image = Image.fromarray(pixels)
    return np.asarray(image.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX))


def near_pairs(
    thumbnails: NDArray[np.uint8],
    rms: float,
    *,
    on_block: Callable[[float], None] = lambda _: None,
) -> Iterator[Pairs]:
    """Find all pairs of thumbnails that differ by no more than ``rms``.

    A mean over boxes never increases a root mean square, so 8 × 8 means rule out almost every
    pair at a sixteenth of the work; what they leave is decided on the full thumbnails.

    Args:
        thumbnails: uint8 [N, 32, 32, 3].
        rms: Largest root mean square difference, in grey levels.
        on_block: Told the share of the pairs that has been looked at.

    Yields:
        ``(first, second, rms)``, each [K]: ``first < second``, int64, and the exact difference in
        grey levels, float64. Blocks without a pair are left out.
    """
    count = len(thumbnails)
    flat = thumbnails.reshape(count, -1)
    coarse = _means(thumbnails)
    norms = np.einsum("nd,nd->n", coarse, coarse, dtype=np.float64)
    limit = (rms + _SLACK) ** 2 * coarse.shape[1]
    starts = range(0, count, _BLOCK)
    blocks = len(starts) * (len(starts) + 1) // 2
    done = 0
    for a in starts:
        for b in range(a, count, _BLOCK):
            product = coarse[a : a + _BLOCK] @ coarse[b : b + _BLOCK].T
            squares = norms[a : a + _BLOCK, None] + norms[None, b : b + _BLOCK] - 2.0 * product
            first, second = np.nonzero(squares <= limit)
            first, second = first + a, second + b
            ordered = first < second
            pairs = _confirmed(flat, first[ordered], second[ordered], rms)
            done += 1
            on_block(done / blocks)
            if len(pairs[0]):
                yield pairs


def _means(thumbnails: NDArray[np.uint8]) -> NDArray[np.float32]:
    count = len(thumbnails)
    box = THUMBNAIL // _COARSE
    means = np.empty((count, _COARSE * _COARSE * 3), np.float32)
    for start in range(0, count, _BLOCK):
        some = thumbnails[start : start + _BLOCK]
        boxes = some.reshape(len(some), _COARSE, box, _COARSE, box, 3)
        # Centred on mid-grey, so that the squares stay small beside float32's precision.
        means[start : start + _BLOCK] = (
            boxes.mean(axis=(2, 4), dtype=np.float32).reshape(len(some), -1) - 128
        )
    return means


def _confirmed(
    flat: NDArray[np.uint8], first: NDArray[np.int64], second: NDArray[np.int64], rms: float
) -> Pairs:
    """Keep the candidates whose thumbnails really are that close, decided on integers."""
    if len(first) > _BLOCK * _BLOCK // 8:
        return _confirmed_densely(flat, first, second, rms)
    distances = np.empty(len(first))
    for start in range(0, len(first), _BLOCK):
        some = slice(start, start + _BLOCK)
        difference = flat[first[some]].astype(np.int32) - flat[second[some]]
        distances[some] = np.sqrt(np.square(difference).mean(axis=1))
    close = distances <= rms
    return first[close], second[close], distances[close]


def _confirmed_densely(
    flat: NDArray[np.uint8], first: NDArray[np.int64], second: NDArray[np.int64], rms: float
) -> Pairs:
    """Do the same for a block full of candidates, so that a set of lookalikes takes no hours.

    One product of matrices instead of a difference a pair; exact to a twentieth of a grey level.
    """
    a, b = int(first.min()), int(second.min())
    left = flat[a : int(first.max()) + 1].astype(np.float32) - 128
    right = flat[b : int(second.max()) + 1].astype(np.float32) - 128
    squares = np.square(left).sum(axis=1)[:, None] + np.square(right).sum(axis=1)
    squares -= 2 * (left @ right.T)
    means = squares[first - a, second - b].astype(np.float64) / flat.shape[1]
    distances = np.sqrt(np.maximum(means, 0))
    close = distances <= rms
    return first[close], second[close], distances[close]


class Groups:
    """Which images hang together, directly or through others."""

    def __init__(self, count: int) -> None:
        self.labels: NDArray[np.int64] = np.arange(count)
        """int64 [N]: images with the same label belong together."""

    def join(self, first: NDArray[np.int64], second: NDArray[np.int64]) -> None:
        """Put each ``first[k]`` and ``second[k]`` into one group."""
        ends = np.stack([self.labels[first], self.labels[second]], axis=1)
        ends = np.unique(ends[ends[:, 0] != ends[:, 1]], axis=0)
        if not len(ends):
            return
        parent: dict[int, int] = {}

        def root(label: int) -> int:
            while label in parent:
                label = parent[label]
            return label

        for a, b in ends.tolist():
            low, high = sorted((root(a), root(b)))
            if low != high:
                parent[high] = low
        renamed = np.arange(len(self.labels))
        for label in parent:
            renamed[label] = root(label)
        self.labels = renamed[self.labels]
