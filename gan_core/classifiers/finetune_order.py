"""What the fine-tuned network's training is set to, which images train, and how fast it learns."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gan_core.classifiers.images import IndexArray
from gan_core.classifiers.seed_cnn_order import Sampling, SeedCnnConfig, epoch_order
from gan_core.training.precision import Precision

_WARM_UP = 0.1
_HELD_OUT, _AUGMENTED = 0xF17E, 0xA06


@dataclass(frozen=True)
class FinetuneConfig:
    """Settings of a training.

    Attributes:
        epochs: Passes over the training images, at least 1.
        batch_size: Images a step.
        learning_rate: AdamW's largest. With 100 rare and 500 other training images, 3 epochs and
            600 other real training images to judge by, .0001 gave a ROC-AUC of .941 and .0003 one
            of .921, where the probe that both began as had .925: at .0003 the first steps undo
            what the features knew (the first epoch's loss was .64 against .36).
        seed: Of the images held out, their order and their augmentation. The first weights are
            the same whatever it is.
        class_weights: Weights of the loss for (other, rare); a batch's loss is the sum of its
            weighted losses over its number of images.
        sampling: "oversample" shows each class equally often, as ``SeedCnnConfig`` has it.
        augment: Whether each image is shown with a classic augmentation of its own every time.
        precision: Of the training's convolutions; "auto" takes bfloat16 on a GPU that has it.
        validation_fraction: Share of the real images of each class that is held out.
    """

    epochs: int = 8
    batch_size: int = 32
    learning_rate: float = 1e-4
    seed: int = 0
    class_weights: tuple[float, float] | None = None
    sampling: Sampling = "natural"
    augment: bool = False
    precision: Precision = "auto"
    validation_fraction: float = 0.2


@dataclass(frozen=True)
class ShownImages:
    """What an epoch shows: rows int64 [n] in order, and the seed of each one's augmentation."""

    rows: IndexArray
    seeds: IndexArray

    def batches(self, size: int, start: int = 0) -> Iterator[ShownImages]:
        """Cut it into batches from the place ``start`` on; the last may be smaller."""
        for place in range(start, len(self.rows), size):
            yield ShownImages(self.rows[place : place + size], self.seeds[place : place + size])


def stratified_held_out(
    labels: IndexArray,
    is_real: NDArray[np.bool_],
    fraction: float,
    seed: int,
    *,
    copy_of: IndexArray | None = None,
) -> tuple[IndexArray, IndexArray]:
    """Hold out a share of the real images of each class.

    The draw depends on the seed and, class by class, on the real images alone: arms with the same
    real images hold out the same ones, whatever synthetic images they add.

    Args:
        labels: int64 [N], 0 or 1.
        is_real: Bool [N].
        fraction: Of each class; rounded down, so that of 4 images or fewer a fifth is none.
        seed: Of the draw.
        copy_of: int64 [N], row of the image that each is made of, -1 for none. What is made of a
            held-out image is left out altogether.

    Returns:
        Rows that train and rows of held-out real images, int64, ascending.
    """
    parts = []
    for label in (0, 1):
        of_class = np.flatnonzero(is_real & (labels == label))
        rng = np.random.default_rng([seed, _HELD_OUT, label])
        parts.append(rng.permutation(of_class)[: int(len(of_class) * fraction)])
    held = np.sort(np.concatenate(parts)).astype(np.int64)
    trains = np.ones(len(labels), np.bool_)
    trains[held] = False
    if copy_of is not None:
        trains &= ~np.isin(copy_of, held)
    return np.flatnonzero(trains).astype(np.int64), held


def shown_images(
    labels: IndexArray, rows: IndexArray, config: FinetuneConfig, epoch: int
) -> ShownImages:
    """Which of the training images an epoch shows, in which order, each augmented by which seed.

    Args:
        labels: int64 [N], 0 or 1.
        rows: int64 [n], the rows that train.
        config: Its seed and its sampling.
        epoch: From 0; all have the same number of images.
    """
    ordering = SeedCnnConfig(seed=config.seed, sampling=config.sampling)
    order = epoch_order(labels, rows, ordering, epoch)
    rng = np.random.default_rng([config.seed, _AUGMENTED, epoch])
    return ShownImages(order, rng.integers(0, 2**62, len(order), np.int64))


def learning_rate_factor(step: int, steps: int) -> float:
    """Share of the largest learning rate at a step.

    It rises in a straight line over the first tenth of the steps, then falls as half a cosine
    (Loshchilov and Hutter 2017, arXiv:1608.03983, without restarts).

    Args:
        step: From 0.
        steps: Of the whole training.

    Returns:
        Above 0, at most 1.
    """
    rising = max(1, round(_WARM_UP * steps))
    if step < rising:
        return (step + 1) / rising
    return (1 + math.cos(math.pi * (step - rising) / (steps - rising))) / 2
