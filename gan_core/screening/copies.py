"""Which synthetic images are near-copies of a training image.

A generator that was trained on few images can learn them by heart. The check finds what is almost
the same picture; it is no privacy analysis.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gan_core.reading.duplicates import THUMBNAIL, thumbnail


def thumbnails(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return uint8 [N, H, W, 3] shrunk to [N, 32, 32, 3] by averaging boxes.

    Images that have that size already are returned as they are.
    """
    if images.shape[1:] == (THUMBNAIL, THUMBNAIL, 3):
        return images
    small = np.empty((len(images), THUMBNAIL, THUMBNAIL, 3), np.uint8)
    for i, image in enumerate(images):
        small[i] = thumbnail(image)
    return small


def thumbnails_of(
    images: NDArray[np.uint8], rows: NDArray[np.int64], *, block: int = 256
) -> NDArray[np.uint8]:
    """Return thumbnails of some of many images, of which a block at a time is in memory.

    Args:
        images: uint8 [N, H, W, 3], memory-mapped.
        rows: int64 [M], which.
        block: Images at a time.

    Returns:
        uint8 [M, 32, 32, 3].
    """
    small = np.empty((len(rows), THUMBNAIL, THUMBNAIL, 3), np.uint8)
    for start in range(0, len(rows), block):
        small[start : start + block] = thumbnails(images[rows[start : start + block]])
    return small


def near_copies(
    fakes: NDArray[np.uint8], training: NDArray[np.uint8], *, block: int = 512
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Find the nearest training image of every synthetic one.

    An image is a near-copy when its distance is at most the limit (``ScreenSpec.near_copy_rms``).
    To screen block after block, pass ``thumbnails(training)``, so that it is shrunk only once.

    Args:
        fakes: uint8 [N, H, W, 3].
        training: uint8 [M, H', W', 3], M ≥ 1.
        block: Synthetic images compared at a time; bounds memory, changes no result.

    Returns:
        The root mean square difference of the 32 × 32 RGB thumbnails in grey levels, float32 [N],
        and the index of the nearest training image, int64 [N] (the first, when several are equally
        near).

    Raises:
        ValueError: There is no training image.
    """
    if not len(training):
        raise ValueError("there is no training image to compare with")
    # float64 holds the sums of squares of integers exactly, so equal images have distance 0.
    real = thumbnails(training).reshape(len(training), -1).astype(np.float64)
    real_norms = np.einsum("md,md->m", real, real)
    distances = np.empty(len(fakes), np.float32)
    nearest = np.empty(len(fakes), np.int64)
    for start in range(0, len(fakes), block):
        some = thumbnails(fakes[start : start + block]).reshape(-1, real.shape[1])
        flat = some.astype(np.float64)
        norms = np.einsum("nd,nd->n", flat, flat)
        squares = norms[:, None] + real_norms[None] - 2.0 * (flat @ real.T)
        closest = squares.argmin(axis=1)
        rows = np.arange(len(flat))
        rms = np.sqrt(np.maximum(squares[rows, closest], 0.0) / real.shape[1])
        distances[start : start + len(flat)] = rms
        nearest[start : start + len(flat)] = closest
    return distances, nearest
