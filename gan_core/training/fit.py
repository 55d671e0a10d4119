"""Bringing real images to a GAN's size."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from gan_core.progress import (
    OnProgress,
    Progress,
    ShouldStop,
    Stopped,
    ignore_progress,
    never_stop,
)

_BATCH = 64


def fit_to_size(
    images: NDArray[np.uint8],
    size: int,
    *,
    on_progress: OnProgress = ignore_progress,
    should_stop: ShouldStop = never_stop,
) -> NDArray[np.uint8]:
    """Resize the shorter side to ``size`` (antialiased, bilinear) and crop the centre square.

    Args:
        images: uint8 [N, H, W, 3].
        size: Pixels.
        on_progress: Told after each batch.
        should_stop: Asked before each batch.

    Returns:
        uint8 [N, size, size, 3]; images that have that size come back as they are.

    Raises:
        Stopped: ``should_stop()`` said so.
    """
    count, height, width, _ = images.shape
    if (height, width) == (size, size):
        return images.copy()
    scale = size / min(height, width)
    resized = (max(size, round(height * scale)), max(size, round(width * scale)))
    top, left = (resized[0] - size) // 2, (resized[1] - size) // 2
    fitted = np.empty((count, size, size, 3), np.uint8)
    for start in range(0, count, _BATCH):
        if should_stop():
            raise Stopped
        # A copy, for the images may be a read-only map of a file.
        batch = torch.from_numpy(np.array(images[start : start + _BATCH])).permute(0, 3, 1, 2)
        small = F.interpolate(batch.float(), size=resized, mode="bilinear", antialias=True)
        small = small[:, :, top : top + size, left : left + size]
        rounded = small.round_().clamp_(0, 255).to(torch.uint8)
        fitted[start : start + _BATCH] = rounded.permute(0, 2, 3, 1).numpy()
        done = min(start + _BATCH, count)
        on_progress(Progress(done / count, f"fitting to {size} pixels, image {done}/{count}"))
    return fitted
