"""The last resize and encoding that every image of the benchmark goes through, real or synthetic.

Real images come as JPEGs of all kinds, synthetic ones out of a net or a resampling filter, and only
the rare class has these. A classifier finds such traces more easily than a disease: image formats
alone are enough to bias it (Grommelt et al. 2024, "Fake or JPEG?", arXiv:2403.17608). So all images
are resized by one filter and pass through one JPEG encoder, whose blocks lie on one grid. What a
GAN's size takes from an image's detail stays away: for that there is the upscaler's control arm.
"""

from __future__ import annotations

import hashlib
import io
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import PIL
from numpy.typing import NDArray
from PIL import Image, features

from gan_core.progress import (
    OnProgress,
    Progress,
    ShouldStop,
    Stopped,
    ignore_progress,
    never_stop,
)
from gan_core.resumable import ResumableArray

SIDE = 224
"""Pixels: what the classifiers see."""
QUALITY = 90
_SUBSAMPLING = "4:2:0"
_BLOCK = 64
# Pillow holds no lock while it resizes, encodes and decodes.
_THREADS = min(8, os.cpu_count() or 1)

FINGERPRINT = hashlib.sha256(
    f"matching 1 bicubic jpeg {QUALITY} {_SUBSAMPLING} pillow {PIL.__version__}"
    f" {features.version('libjpeg_turbo')}".encode()
).hexdigest()
"""SHA-256 over what can change a pixel."""

Images = NDArray[np.uint8]


def matched(images: Images, side: int = SIDE) -> Images:
    """Bring images to one size and through one encoder.

    An image comes out the same whichever others it is given with.

    Args:
        images: uint8 [N, S, S, 3], RGB; may be memory-mapped. Those of another size are resized by
            Pillow's bicubic filter, which is antialiased; those of that size are not resampled.
        side: Pixels.

    Returns:
        uint8 [N, side, side, 3], as decoded from a JPEG of quality 90 with halved colour.

    Raises:
        ValueError: ``images`` is not of that shape and type, or ``side`` is not positive.
    """
    _check(images, side)
    done = np.empty((len(images), side, side, 3), np.uint8)

    def match(row: int) -> None:
        done[row] = _matched(images[row], side)

    if len(images) == 1 or _THREADS == 1:
        for row in range(len(images)):
            match(row)
    elif len(images):
        with ThreadPoolExecutor(min(_THREADS, len(images))) as pool:
            list(pool.map(match, range(len(images))))
    return done


def matched_into(
    path: Path,
    images: Images,
    key: str,
    *,
    side: int = SIDE,
    on_progress: OnProgress = ignore_progress,
    should_stop: ShouldStop = never_stop,
) -> Images:
    """Match images into a ``.npy`` file, going on where an earlier call was interrupted.

    Args:
        path: The file; see ``ResumableArray``.
        images: uint8 [N, S, S, 3], RGB; may be memory-mapped, and is read block by block.
        key: Names the images: other images, another key.
        side: Pixels.
        on_progress: Told after each block.
        should_stop: Asked before each block.

    Returns:
        uint8 [N, side, side, 3], memory-mapped from ``path``, read-only.

    Raises:
        ValueError: As ``matched``.
        Stopped: ``should_stop()`` said so; call again to go on.
        OSError: The disk is full, ...
    """
    _check(images, side)
    shape = (len(images), side, side, 3)
    with ResumableArray(path, shape, np.uint8, f"{FINGERPRINT} {side} {key}") as made:
        while made.done < len(images):
            if should_stop():
                raise Stopped
            made.put(matched(images[made.done : made.done + _BLOCK], side))
            on_progress(
                Progress(made.done / len(images), f"matching, image {made.done}/{len(images)}")
            )
    finished: Images = made.finished()
    return finished


def _matched(image: Images, side: int) -> Images:
    picture = Image.fromarray(image)
    if picture.size != (side, side):
        picture = picture.resize((side, side), Image.Resampling.BICUBIC)
    encoded = io.BytesIO()
    picture.save(encoded, "JPEG", quality=QUALITY, subsampling=_SUBSAMPLING)
    with Image.open(encoded, formats=("JPEG",)) as decoded:
        return np.asarray(decoded)


def _check(images: Images, side: int) -> None:
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3:
        raise ValueError(f"images must be uint8 [N, S, S, 3], not {images.dtype} {images.shape}")
    if images.shape[1] != images.shape[2]:
        raise ValueError(f"images must be square, not {images.shape[1]} × {images.shape[2]}")
    if side < 1:
        raise ValueError(f"side must be positive, not {side}")
