"""The generator at one moment of its training, and what it makes then."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gan_core.generating import TrainedGenerator, generate
from gan_core.training.run import Run


@dataclass(frozen=True)
class Snapshot:
    """What the generator makes at one moment of the training.

    Attributes:
        epoch: Epochs done.
        step: Steps done.
        seeds: What the images were made from; the same in every snapshot.
        images: uint8 [sample_count, S, S, 3].
        model: The generator at that moment, when given to ``on_snapshot``; None in a result.
    """

    epoch: int
    step: int
    seeds: tuple[int, ...]
    images: NDArray[np.uint8]
    model: TrainedGenerator | None = None


OnSnapshot = Callable[[Snapshot], None]


def snapshot_epochs(epochs: int, snapshots: int) -> frozenset[int]:
    """After how many epochs snapshots are made: evenly spaced, the last epoch included."""
    return frozenset(
        max(1, round(epochs * (number + 1) / snapshots)) for number in range(snapshots)
    )


def trained_generator(run: Run, data_digest: str) -> TrainedGenerator:
    """Copy the generator out of a training, ready to sample from.

    Raises:
        SpoiledError: A weight is not finite.
    """
    return TrainedGenerator(
        gan=run.gan.name,
        settings=run.gan.settings_dict(),
        weights=run.sampling_weights(),
        weights_kind="raw" if run.average is None else "ema",
        real_count=run.real_count,
        step=run.steps,
        data_digest=data_digest,
    )


def take_snapshot(run: Run, model: TrainedGenerator, sample_count: int) -> Snapshot:
    """Make images with the ``model`` that was copied out of ``run`` just now."""
    seeds = tuple(range(sample_count))
    images = generate(model, seeds, device=run.device)
    return Snapshot(run.epoch, run.steps, seeds, images, model)


def judged_samples(run: Run, model: TrainedGenerator, count: int) -> NDArray[np.uint8]:
    """Images from the seeds 0, 1, 2, ... to judge a training by, uint8 [count, S, S, 3]."""
    return generate(model, range(count), device=run.device)
