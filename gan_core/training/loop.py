"""The training loop of every GAN.

The real images lie on the device as uint8 and are cut into batches there: an epoch is a seeded
permutation, its last batch may be short. All randomness comes from ``config.seed``, and all state
goes into checkpoints, so that a training that was interrupted ends, on the CPU, with the same bits
as one that was not.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from gan_core.gans.base import Gan
from gan_core.generating import TrainedGenerator
from gan_core.progress import (
    OnProgress,
    Progress,
    ShouldStop,
    Stopped,
    ignore_progress,
    never_stop,
)
from gan_core.spec.errors import GraftError
from gan_core.training.checkpoint import load_checkpoint, save_checkpoint
from gan_core.training.precision import Precision
from gan_core.training.randomness import borrowed_randomness
from gan_core.training.run import Run, SampleGrid, images_digest
from gan_core.training.snapshots import (
    OnSnapshot,
    Snapshot,
    snapshot_epochs,
    take_snapshot,
    trained_generator,
)

__all__ = ["OnSnapshot", "Snapshot", "TrainConfig", "TrainResult", "train"]

PROGRESS_SECONDS = 0.5


@dataclass(frozen=True)
class TrainConfig:
    """How to train, whatever the GAN.

    Attributes:
        batch_size: Real images a step; the last batch of an epoch may be smaller.
        epochs: Passes over the real images.
        seed: Of the weights, the order of the images, latents and dropout; 0 .. 2**32 - 1.
        precision: "auto" computes in bfloat16 where the hardware does.
        ema_decay: Of the generator's moving average, a step; None samples from the raw weights.
        snapshots: How many times to look at samples, evenly spaced, the end included; 0 for never.
        sample_count: Images in a snapshot, made from the seeds 0, 1, 2, ...
        checkpoint_seconds: Time from one checkpoint to the next.
        label: What progress calls this training ("infogan, 100 real").
    """

    batch_size: int
    epochs: int
    seed: int = 0
    precision: Precision = "auto"
    ema_decay: float | None = None
    snapshots: int = 4
    sample_count: int = 16
    checkpoint_seconds: float = 60.0
    label: str = "training"

    def __post_init__(self) -> None:
        if self.batch_size < 1 or self.epochs < 1:
            raise ValueError("batch_size and epochs are at least 1")
        if self.snapshots < 0 or self.sample_count < 1:
            raise ValueError("snapshots is at least 0 and sample_count at least 1")
        if self.ema_decay is not None and not 0 <= self.ema_decay < 1:
            raise ValueError("ema_decay is at least 0 and below 1")


@dataclass(frozen=True)
class TrainResult:
    """What a training leaves.

    Attributes:
        model: The generator to make images with.
        history: At most 500 points in order: "epoch" (epochs done) and each loss' mean since the
            point before; JSON-able.
        snapshots: All, those from before an interruption included.
    """

    model: TrainedGenerator
    history: list[dict[str, float]]
    snapshots: list[Snapshot]


def train(
    gan: Gan,
    images: NDArray[np.uint8],
    config: TrainConfig,
    *,
    device: str | torch.device = "cpu",
    data_digest: str | None = None,
    checkpoint_dir: Path | None = None,
    on_progress: OnProgress = ignore_progress,
    should_stop: ShouldStop = never_stop,
    on_snapshot: OnSnapshot | None = None,
) -> TrainResult:
    """Train a GAN from new weights, or go on from the newest checkpoint.

    Args:
        gan: Its weights are drawn anew from ``config.seed`` and trained in place.
        images: The real images, uint8 [N, S, S, 3], S the GAN's image size.
        config: How to train.
        device: Where to train.
        data_digest: Goes onto the model's card; None takes the SHA-256 of ``images``.
        checkpoint_dir: Where checkpoints lie; one training, one directory. None keeps none.
        on_progress: Told about every half second.
        should_stop: Asked before each step.
        on_snapshot: Given each snapshot when it is made; after an interruption perhaps once more,
            with the same images.

    Raises:
        GraftError: too_few_images, diverged, checkpoint_mismatch, checkpoint_not_written.
        Stopped: should_stop() said so; a checkpoint has been written.
        ValueError: ``images`` has another shape or type.
    """
    _check(gan, images)
    device = torch.device(device)
    with borrowed_randomness(device, config.seed):
        run = Run(
            gan,
            images,
            batch_size=config.batch_size,
            epochs=config.epochs,
            seed=config.seed,
            precision=config.precision,
            ema_decay=config.ema_decay,
            device=device,
        )
        identity = run.identity(snapshots=config.snapshots, sample_count=config.sample_count)
        if checkpoint_dir is not None:
            checkpoint = load_checkpoint(checkpoint_dir, identity)
            if checkpoint is not None:
                run.restore(checkpoint)
        digest = data_digest or images_digest(images)
        due = snapshot_epochs(config.epochs, config.snapshots)
        model: TrainedGenerator | None = None
        last_checkpoint, last_report = time.monotonic(), -math.inf
        while run.epoch < config.epochs:
            if should_stop():
                if checkpoint_dir is not None:
                    save_checkpoint(checkpoint_dir, run.checkpoint(identity))
                raise Stopped
            epoch_is_over = run.step()
            if epoch_is_over and run.epoch in due:
                model = trained_generator(run, digest)
                snapshot = take_snapshot(run, model, config.sample_count)
                run.sample_grids.append(SampleGrid(run.epoch, run.steps, snapshot.images))
                if on_snapshot is not None:
                    on_snapshot(snapshot)
            now = time.monotonic()
            if checkpoint_dir is not None and now - last_checkpoint >= config.checkpoint_seconds:
                save_checkpoint(checkpoint_dir, run.checkpoint(identity))
                last_checkpoint = time.monotonic()
            if now - last_report >= PROGRESS_SECONDS or run.epoch == config.epochs:
                on_progress(_progress(run, config))
                last_report = now
        if model is None or model.step < run.steps:
            model = trained_generator(run, digest)
    seeds = tuple(range(config.sample_count))
    snapshots = [Snapshot(grid.epoch, grid.step, seeds, grid.images) for grid in run.sample_grids]
    return TrainResult(model, run.history, snapshots)


def _progress(run: Run, config: TrainConfig) -> Progress:
    under_way = min(run.epoch + 1, config.epochs)
    return Progress(run.fraction, f"{config.label}, epoch {under_way}/{config.epochs}")


def _check(gan: Gan, images: NDArray[np.uint8]) -> None:
    size = gan.image_size
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != (size, size, 3):
        raise ValueError(
            f"images are {images.dtype} {list(images.shape)}, not uint8 [N, {size}, {size}, 3]"
        )
    if len(images) < 2:
        raise GraftError(
            "too_few_images",
            f"A GAN cannot learn from {len(images)} image{'' if len(images) == 1 else 's'}.",
            "Give it at least 2 images of the rare class.",
        )
