"""Features of images as a generator drew them, on the same footing as the training images'."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gan_core import matching
from gan_core.features import FeatureExtractor
from gan_core.progress import OnProgress, Progress, ShouldStop, ignore_progress, never_stop
from gan_core.resumable import ResumableArray
from gan_core.upscaling.lanczos import LanczosUpscaler

_BLOCK = 128


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

    The images go up to the classifiers' size by a plain filter, and through the same encoding as
    all others; only a block at a time is ever that large.

    Args:
        path: A ``.npy`` file; see ``ResumableArray``.
        images: uint8 [N, S, S, 3]; may be memory-mapped.
        key: Names the images: other images, another key.
        extractor: Of the features.
        on_progress: Told after each block.
        should_stop: Asked before each batch.

    Returns:
        float32 [N, 1280], memory-mapped from ``path``, read-only.

    Raises:
        Stopped: ``should_stop()`` said so; call again to go on.
        OSError: The disk is full, ...
    """
    upscaler = LanczosUpscaler()
    how = f"{extractor.fingerprint} {upscaler.fingerprint} {matching.FINGERPRINT} {key}"
    total = len(images)
    with ResumableArray(path, (total, extractor.dimensions), np.float32, how) as made:
        while made.done < total:
            block = np.asarray(images[made.done : made.done + _BLOCK])
            large = upscaler.upscale(block, size=matching.SIDE, should_stop=should_stop)
            for batch in extractor.batches(matching.matched(large), should_stop=should_stop):
                made.put(batch)
            detail = f"{extractor.name} of drawn images, image {made.done}/{total}"
            on_progress(Progress(made.done / total, detail))
    return made.finished()
