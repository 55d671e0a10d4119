"""What the seed CNN's training is set to, which images train, and in which order they are shown."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gan_core.classifiers.images import IndexArray
from gan_core.training.precision import Precision

Sampling = Literal["natural", "oversample"]


@dataclass(frozen=True)
class SeedCnnConfig:
    """Settings of a training; the defaults are the study's.

    Attributes:
        epochs: Passes over the training images.
        batch_size: Images a step.
        learning_rate: Adam's.
        weight_decay: L2, added to the gradient.
        seed: Of the first weights, the images held out and their order.
        class_weights: Weights of the loss for (other, rare); a batch's loss is the sum of its
            weighted losses over its number of images.
        sampling: "oversample" shows each class equally often: in an epoch every image of the
            smaller class comes as often as fits into the larger one, and the rest is drawn.
        augment: Whether each image is shown with a classic augmentation of its own every time
            (``gan_core.augmenting``).
        precision: Of the convolutions; "auto" takes bfloat16 where the hardware has it.
        validation_fraction: Share of the images that is held out of the training.
    """

    epochs: int = 30
    batch_size: int = 8
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    seed: int = 0
    class_weights: tuple[float, float] | None = None
    sampling: Sampling = "natural"
    augment: bool = False
    precision: Precision = "auto"
    validation_fraction: float = 0.2


@dataclass(frozen=True)
class SeedCnnRun:
    """One training of those that go on side by side: which of the images it sees, and how.

    Attributes:
        rows: int64 [n], its images among all; may have some in common with another's.
        labels: int64 [n], 1 for the rare class and 0 for all others.
        is_real: Bool [n]. Only real images are scored for the plot.
        config: Settings.
        checkpoint_dir: Where its state is kept, its own alone; None: nowhere.
        label: What its progress is told as.
        copy_of: int64 [n], place in ``rows`` of the image that an image was made of, -1 for none:
            copies of what is held out do not train. None: there are none.
    """

    rows: IndexArray
    labels: IndexArray
    is_real: NDArray[np.bool_]
    config: SeedCnnConfig
    checkpoint_dir: Path | None = None
    label: str = "seed-cnn"
    copy_of: IndexArray | None = None

    @cached_property
    def split(self) -> tuple[IndexArray, IndexArray]:
        """Places in ``rows`` of the images that train, and of those held out and scored."""
        held = held_out(self.is_real, self.config.validation_fraction, self.config.seed)
        trains, validates = both_classes_train(*held, self.labels)
        if self.copy_of is not None:
            trains = trains[~np.isin(self.copy_of[trains], validates)]
            trains, validates = both_classes_train(trains, validates, self.labels)
        return trains, validates


def shared_label(runs: Iterable[SeedCnnRun]) -> str:
    """The label of all runs, where they have one."""
    labels = {run.label for run in runs}
    return labels.pop() if len(labels) == 1 else "seed-cnn"


def held_out(
    is_real: NDArray[np.bool_], fraction: float, seed: int
) -> tuple[IndexArray, IndexArray]:
    """Split a training set at random.

    Args:
        is_real: Bool [N].
        fraction: Share of the real, and of the synthetic, images that is held out (rounded down).
        seed: Of the draw. The draw of the real images does not depend on the synthetic ones.

    Returns:
        Indices that train and indices of held-out real images, int64, ascending.
    """
    out = []
    for kind, images in enumerate((np.flatnonzero(is_real), np.flatnonzero(~is_real))):
        rng = np.random.default_rng([seed, 0x5EED, kind])
        out.append(rng.permutation(images)[: int(len(images) * fraction)])
    trains = np.setdiff1d(np.arange(len(is_real)), np.concatenate(out))
    return trains.astype(np.int64), np.sort(out[0]).astype(np.int64)


def both_classes_train(
    trains: IndexArray, validates: IndexArray, labels: IndexArray
) -> tuple[IndexArray, IndexArray]:
    """Give a class back to the training that chance held out whole: two rare images, say."""
    gone = ~np.isin(labels, labels[trains])
    if not gone.any():
        return trains, validates
    back = np.flatnonzero(gone)
    return np.union1d(trains, back), np.setdiff1d(validates, back)


def augmentation_seeds(config: SeedCnnConfig, epoch: int, count: int) -> IndexArray:
    """Seeds of the augmentations of the images that an epoch shows, in their order; int64 [count].

    Each depends on the run's seed, the epoch and the place alone.
    """
    rng = np.random.default_rng([config.seed, 0xA06, epoch])
    return rng.integers(0, 2**62, count, np.int64)


def epoch_order(
    labels: IndexArray, rows: IndexArray, config: SeedCnnConfig, epoch: int
) -> IndexArray:
    """The order in which an epoch shows the training images.

    Args:
        labels: int64 [N], 0 or 1.
        rows: int64 [n], the rows that train.
        config: Its seed and its sampling.
        epoch: From 0.

    Returns:
        int64 rows: each of ``rows`` once, or, oversampled, twice the larger class's number.
    """
    rng = np.random.default_rng([config.seed, 0x0DE5, epoch])
    if config.sampling == "natural":
        return rng.permutation(rows)
    return balanced_order(labels, rows, rng)


def balanced_order(labels: IndexArray, rows: IndexArray, rng: np.random.Generator) -> IndexArray:
    """Show both classes equally often, and no image of a class more than once above another.

    Returns:
        int64 [2 × the larger class], rows in random order.
    """
    classes = [rows[labels[rows] == label] for label in (0, 1)]
    most = max(len(of_class) for of_class in classes)
    shown = []
    for of_class in classes:
        rounds = [rng.permutation(of_class) for _ in range(math.ceil(most / len(of_class)))]
        shown.append(np.concatenate(rounds)[:most])
    return rng.permutation(np.concatenate(shown))
