"""What an upscaler is, and how a long set of images goes through one.

Every image comes out bit for bit the same whichever batch and place it was in: an engine is given
batches of one fixed shape and pads the last. That is what makes any single image of a set
repeatable alone, and a set resumable.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from gan_core.out_of_memory import ShrinkingBatch
from gan_core.progress import (
    OnProgress,
    Progress,
    ShouldStop,
    Stopped,
    ignore_progress,
    never_stop,
)
from gan_core.resumable import ResumableArray

Images = npt.NDArray[np.uint8]


class Upscaler(ABC):
    """One way to bring images to a larger size.

    Attributes:
        name: The engine's name, one of ``ENGINES``.
        scale: The net's own factor; 1 for a plain filter, which goes straight to the size.
        fingerprint: SHA-256 over everything of the engine that can change a pixel (weights,
            settings, arithmetic).
        micro_batch: Images that the engine takes at a time.
    """

    name: str
    scale: int
    fingerprint: str
    micro_batch: int

    @abstractmethod
    def upscale_batch(self, images: Images, *, size: int) -> Images:
        """Upscale one batch.

        Args:
            images: uint8 [n, side, side, 3], RGB, 1 ≤ n ≤ ``micro_batch``.
            size: Side of the output in pixels.

        Returns:
            uint8 [n, size, size, 3].
        """

    def upscale(
        self,
        images: Images,
        *,
        size: int,
        on_progress: OnProgress = ignore_progress,
        should_stop: ShouldStop = never_stop,
    ) -> Images:
        """Upscale images in memory; ``upscale_set`` does so into a file and can be resumed.

        Args:
            images: uint8 [N, side, side, 3], RGB; N may be 0.
            size: Side of the output in pixels.
            on_progress: Told after each batch.
            should_stop: Asked before each batch.

        Returns:
            uint8 [N, size, size, 3].

        Raises:
            ValueError: ``images`` is not of that shape and type, or ``size`` is not positive.
            Stopped: ``should_stop()`` said so; what was done is lost.
        """
        check(images, size)
        out = np.empty((len(images), size, size, 3), np.uint8)
        for done, batch in self.batches(images, 0, size, should_stop):
            out[done - len(batch) : done] = batch
            on_progress(_progress(self, done, len(images)))
        return out

    def batches(
        self, images: Images, start: int, size: int, should_stop: ShouldStop
    ) -> Iterator[tuple[int, Images]]:
        """Upscale ``images`` from number ``start`` on, batch by batch.

        Where memory runs out, batches are halved from there on; on a GPU the last bit of what
        follows may then be another.

        Yields:
            (How many images are done, counted from number 0; the batch just done.)

        Raises:
            Stopped: ``should_stop()`` said so before a batch.
        """
        batch_size = ShrinkingBatch(self.micro_batch)
        done = start

        def some(count: int) -> Images:
            self.micro_batch = count
            return self.upscale_batch(np.ascontiguousarray(images[done : done + count]), size=size)

        while done < len(images):
            if should_stop():
                raise Stopped
            batch = batch_size.run(some)
            done += len(batch)
            yield done, batch


def check(images: Images, size: int) -> None:
    """Check the arguments of an upscaler.

    Raises:
        ValueError: Not square uint8 RGB images, or ``size`` is not positive.
    """
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3:
        raise ValueError(f"images must be uint8 [N, side, side, 3], not {images.dtype} "
                         f"{images.shape}")  # fmt: skip
    if images.shape[1] != images.shape[2] or images.shape[1] == 0:
        # The output is square: anything else would be distorted without a word.
        raise ValueError(f"images must be square, not {images.shape[1]} × {images.shape[2]}")
    if size < 1:
        raise ValueError(f"size must be positive, not {size}")


def _progress(upscaler: Upscaler, done: int, total: int) -> Progress:
    return Progress(done / max(total, 1), f"{upscaler.name}, image {done}/{total}")


def upscale_set(
    upscaler: Upscaler,
    images: Images,
    out: Path,
    *,
    size: int,
    on_progress: OnProgress = ignore_progress,
    should_stop: ShouldStop = never_stop,
) -> Images:
    """Upscale images into a ``.npy`` file, going on where an earlier call was interrupted.

    A call with another input, engine or size starts anew (``ResumableArray``). The result equals
    that of an undisturbed call bit for bit.

    Args:
        upscaler: The engine.
        images: uint8 [N, side, side, 3]; may be memory-mapped.
        out: The file to write; its directory must exist, and one process at a time may write it.
        size: Side of the output in pixels.
        on_progress: Told after each batch.
        should_stop: Asked before each batch.

    Returns:
        uint8 [N, size, size, 3], memory-mapped from ``out``, read-only.

    Raises:
        ValueError: As ``Upscaler.upscale``.
        Stopped: ``should_stop()`` said so; call again to go on.
        OSError: The disk is full, ...
    """
    check(images, size)
    shape = (len(images), size, size, 3)
    with ResumableArray(out, shape, np.uint8, _key(upscaler, images, size)) as made:
        for done, batch in upscaler.batches(images, made.done, size, should_stop):
            made.put(batch)
            on_progress(_progress(upscaler, done, len(images)))
    finished: Images = made.finished()
    return finished


def _key(upscaler: Upscaler, images: Images, size: int) -> str:
    total = hashlib.sha256(f"{upscaler.fingerprint} {size} {images.shape}\n".encode())
    for image in images:
        total.update(np.ascontiguousarray(image).data)
    return total.hexdigest()
