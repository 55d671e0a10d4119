"""Bringing real images to a GAN's size."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

_BATCH = 64


def fit_to_size(images: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Resize the shorter side to ``size`` (antialiased, bilinear) and crop the centre square.

    Args:
        images: uint8 [N, H, W, 3].
        size: Pixels.

    Returns:
        uint8 [N, size, size, 3]; images that have that size come back as they are.
    """
    count, height, width, _ = images.shape
    if (height, width) == (size, size):
        return images.copy()
    scale = size / min(height, width)
    resized = (max(size, round(height * scale)), max(size, round(width * scale)))
    top, left = (resized[0] - size) // 2, (resized[1] - size) // 2
    fitted = np.empty((count, size, size, 3), np.uint8)
    for start in range(0, count, _BATCH):
        # A copy, for the images may be a read-only map of a file.
        batch = torch.from_numpy(np.array(images[start : start + _BATCH])).permute(0, 3, 1, 2)
        small = F.interpolate(batch.float(), size=resized, mode="bilinear", antialias=True)
        small = small[:, :, top : top + size, left : left + size]
        rounded = small.round_().clamp_(0, 255).to(torch.uint8)
        fitted[start : start + _BATCH] = rounded.permute(0, 2, 3, 1).numpy()
    return fitted
