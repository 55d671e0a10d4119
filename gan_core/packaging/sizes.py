"""The last change before an image leaves, the same when it is written and when it is checked."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def resized(images: NDArray[np.uint8], size: int | None) -> NDArray[np.uint8]:
    """Return uint8 [N, S, S, 3] brought to [N, size, size, 3] with a Lanczos filter.

    Images that have the size already, or with ``size`` None, are returned untouched.
    """
    if size is None or images.shape[1:3] == (size, size):
        return images
    out = np.empty((len(images), size, size, 3), np.uint8)
    for i, image in enumerate(images):
        fitted = Image.fromarray(image).resize((size, size), Image.Resampling.LANCZOS)
        out[i] = np.asarray(fitted)
    return out


def greyed(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return uint8 [N, S, S, 3] with three equal channels: the luma of ITU-R BT.601."""
    out = np.empty_like(images)
    for i, image in enumerate(images):
        out[i] = np.asarray(Image.fromarray(image).convert("L"))[..., None]
    return out
