"""Features of images as a generator drew them, on the same footing as the training images'."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gan_core import matching
from gan_core.features import FeatureExtractor
from gan_core.progress import OnProgress, ShouldStop, ignore_progress, never_stop
from gan_core.upscaling.lanczos import LanczosUpscaler


def drawn_features(
    path: Path,
    images: NDArray[np.uint8],
    key: str,
    extractor: FeatureExtractor,
    *,
    on_progress: OnProgress = ignore_progress,
    should_stop: ShouldStop = never_stop,
) -> NDArray[np.float32]:
    """Compute features, going on where an earlier call was interrupted.

    The images go up to the classifiers' size by a plain filter and through the same encoding as all
    others (as the features step does it for a GAN's size); only a batch at a time is that large.

    Args:
        path: A ``.npy`` file; see ``ResumableArray``.
        images: uint8 [N, S, S, 3]; may be memory-mapped.
        key: Names the images: other images, another key.
        extractor: Of the features.
        on_progress: Told after each batch.
        should_stop: Asked before each batch.

    Returns:
        float32 [N, 1280], memory-mapped from ``path``, read-only.

    Raises:
        Stopped: ``should_stop()`` said so; call again to go on.
        OSError: The disk is full, ...
    """
    upscaler = LanczosUpscaler()

    def prepare(_: int, batch: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return matching.matched(upscaler.upscale(batch, size=matching.SIDE))

    return extractor.extract_into(
        path,
        images,
        f"{upscaler.fingerprint} {matching.FINGERPRINT} {key}",
        prepare=prepare,
        on_progress=on_progress,
        should_stop=should_stop,
    )
