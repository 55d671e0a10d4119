"""Trains the seed study's plain CNN, with the study's schedule and without its slips.

Adam 1e-3, betas (.9, .999), weight decay 1e-4 (added to the gradient, as ``torch.optim.Adam`` has
it), batch 8, 30 epochs, cross-entropy on logits, the network of the last epoch.

The study held out a random 20% of the training folder for its loss and accuracy plot. So does
this: 20% of the real images, and 20% of the synthetic ones, do not train, so that as many steps
are made as in the study; but only the real ones among them are scored for the plot (scored on
synthetic images, the study's validation read .92 where the test said .68). Nothing is selected
by these figures. The real images held out depend on the seed and on the real images alone, so
arms of one seed hold out the same ones (but where chance would leave a class without any).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from gan_core.classifiers.images import ImageRows, IndexArray
from gan_core.classifiers.seed_cnn_checkpoint import Checkpoint, digest_of
from gan_core.classifiers.seed_cnn_network import (
    PatchMoments,
    SeedCnn,
    batches,
    check_size,
    fast_logits,
    patch_moments,
)
from gan_core.progress import OnProgress, Progress, ShouldStop, Stopped, ignore_progress, never_stop
from gan_core.spec.errors import GraftError
from gan_core.training.precision import Precision, compute_dtype

Sampling = Literal["natural", "oversample"]
_PREDICTION_BATCH = 32


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
    precision: Precision = "auto"
    validation_fraction: float = 0.2


@dataclass(frozen=True)
class EpochRecord:
    """One epoch of the loss and accuracy plot; losses unweighted, in nats.

    ``validation_*`` are of held-out real images, null when none were held out.
    """

    epoch: int
    train_loss: float
    train_accuracy: float
    validation_loss: float | None
    validation_accuracy: float | None


@dataclass(frozen=True)
class SeedCnnResult:
    """A trained seed CNN.

    Attributes:
        network: In evaluation mode.
        history: A record an epoch.
        n_train: Images that trained.
        n_validation: Real images that were held out and scored.
    """

    network: SeedCnn
    history: list[EpochRecord]
    n_train: int
    n_validation: int
    dtype: torch.dtype = field(repr=False)

    def predict(
        self, images: ImageRows, *, on_progress: OnProgress = ignore_progress
    ) -> NDArray[np.float32]:
        """Probability of the rare class.

        Args:
            images: uint8 [N, 224, 224, 3].
            on_progress: Told of the share of images that is done.

        Returns:
            float32 [N].

        Raises:
            GraftError: ``classifier_image_size``.
        """
        check_size(images.shape)
        count = images.shape[0]
        scores = np.empty(count, np.float32)
        device = self.network.linear.weight.device
        for rows in batches(count, _PREDICTION_BATCH):
            chosen = torch.from_numpy(images[np.arange(rows.start, rows.stop)]).to(device)
            with torch.inference_mode():
                logits = fast_logits(self.network, chosen, self.dtype, None)
            scores[rows] = logits.softmax(1)[:, 1].float().cpu().numpy()
            on_progress(Progress(rows.stop / count, "seed-cnn, scoring"))
        return scores


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


def _both_classes_train(
    trains: IndexArray, validates: IndexArray, labels: IndexArray
) -> tuple[IndexArray, IndexArray]:
    """Give a class back to the training that chance held out whole: two rare images, say."""
    gone = ~np.isin(labels, labels[trains])
    if not gone.any():
        return trains, validates
    back = np.flatnonzero(gone)
    return np.union1d(trains, back), np.setdiff1d(validates, back)


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


def _checked(images: ImageRows, labels: IndexArray, trains: IndexArray) -> None:
    check_size(images.shape)
    if len(labels) != images.shape[0]:
        raise ValueError(f"{images.shape[0]} images, but {len(labels)} labels")
    if not np.isin(labels, (0, 1)).all():
        raise ValueError("labels are 0 (other) and 1 (rare)")
    if len(np.unique(labels[trains])) < 2:
        raise GraftError(
            "one_class_only",
            "A classifier needs training images of the rare class and of others.",
            "Raise the real count, or check the data set's class folders.",
        )


class SeedCnnTraining:
    """The parts of one training: network, optimizer, images. ``train_seed_cnn`` puts them together.

    ``train_batch`` is public for those who measure a step.
    """

    def __init__(
        self, images: ImageRows, labels: IndexArray, config: SeedCnnConfig, device: torch.device
    ) -> None:
        self.images, self.config, self.device = images, config, device
        self.labels = torch.from_numpy(np.asarray(labels, np.int64))
        self.dtype = compute_dtype(config.precision, device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            self.net = SeedCnn()
        self.net.to(device)
        self.optimizer = torch.optim.Adam(
            self.net.parameters(),
            lr=config.learning_rate,
            betas=(0.9, 0.999),
            weight_decay=config.weight_decay,
            fused=device.type in ("cpu", "cuda"),
        )
        weights = config.class_weights
        self.class_weights = None if weights is None else torch.tensor(weights, device=device)
        self.history: list[EpochRecord] = []
        # On a GPU the whole set (397 MB at 2,637 images) is there from the start.
        self.resident = None if device.type == "cpu" else self._all_images()

    def _all_images(self) -> Tensor:
        parts = [
            torch.from_numpy(self.images[np.arange(rows.start, rows.stop)]).to(self.device)
            for rows in batches(self.images.shape[0], 256)
        ]
        return torch.cat(parts)

    def batch(self, rows: IndexArray) -> tuple[Tensor, Tensor]:
        """Images uint8 [n, 224, 224, 3] and labels int64 [n] on the device."""
        index = torch.from_numpy(rows)
        if self.resident is None:
            return torch.from_numpy(self.images[rows]), self.labels[index]
        return self.resident[index.to(self.device)], self.labels[index].to(self.device)

    def moments(self, rows: IndexArray, should_stop: ShouldStop = never_stop) -> PatchMoments:
        """Patch moments [N, ...] of the training rows; the other rows are left zero."""
        count = len(self.labels)
        mean = torch.zeros(count, 27, dtype=torch.float64, device=self.device)
        second = torch.zeros(count, 27, 27, dtype=torch.float64, device=self.device)
        for part in batches(len(rows), 32):
            if should_stop():
                raise Stopped
            found = patch_moments(self.batch(rows[part])[0])
            index = torch.from_numpy(rows[part]).to(self.device)
            mean[index], second[index] = found.mean, found.second
        return PatchMoments(mean, second)

    def train_batch(self, rows: IndexArray, moments: PatchMoments) -> Tensor:
        """One step; returns (sum of losses, right answers) [2] without waiting for the device."""
        images, labels = self.batch(rows)
        of_rows = moments[torch.from_numpy(rows).to(self.device)]
        logits = fast_logits(self.net, images, self.dtype, of_rows)
        self.optimizer.zero_grad(set_to_none=True)
        # Not the weighted mean: divided by the batch's own weights, a batch without the rare class
        # would pull as hard as one with it, and 10 rare images among 1,144 would have 6% of a say.
        loss = F.cross_entropy(logits, labels, weight=self.class_weights, reduction="sum")
        (loss / len(rows)).backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return _tally(logits.detach(), labels)

    def score(self, rows: IndexArray) -> tuple[float | None, float | None]:
        """Mean loss and accuracy in evaluation mode."""
        if not len(rows):
            return None, None
        self.net.eval()
        total = torch.zeros(2, dtype=torch.float64, device=self.device)
        with torch.inference_mode():
            for part in batches(len(rows), _PREDICTION_BATCH):
                images, labels = self.batch(rows[part])
                total += _tally(fast_logits(self.net, images, self.dtype, None), labels)
        self.net.train()
        loss, right = (total / len(rows)).tolist()
        return loss, right


def _tally(logits: Tensor, labels: Tensor) -> Tensor:
    loss = F.cross_entropy(logits.float(), labels, reduction="sum")
    return torch.stack([loss, (logits.argmax(1) == labels).sum()]).double()


def _chunks(order: IndexArray, size: int) -> Iterator[IndexArray]:
    for part in batches(len(order), size):
        yield order[part]


def train_seed_cnn(
    images: ImageRows,
    labels: IndexArray,
    config: SeedCnnConfig,
    *,
    is_real: NDArray[np.bool_] | None = None,
    device: torch.device | str = "cpu",
    checkpoint_dir: Path | None = None,
    on_progress: OnProgress = ignore_progress,
    should_stop: ShouldStop = never_stop,
) -> SeedCnnResult:
    """Train the study's CNN to tell the rare class from all others.

    Args:
        images: uint8 [N, 224, 224, 3]: an array, a memory map or ``StackedImages``.
        labels: int64 [N], 1 for the rare class and 0 for all others.
        config: Settings.
        is_real: Bool [N]; None: all are. Only real images are scored for the plot.
        device: Where to train.
        checkpoint_dir: Where an epoch's end is kept; a training that finds its own there goes on
            from it, and on the CPU ends bit for bit as if undisturbed. Keep one directory a run.
        on_progress: Told of epochs.
        should_stop: Asked before every step.

    Returns:
        The network of the last epoch and the curves.

    Raises:
        GraftError: ``classifier_image_size``, ``one_class_only``, ``checkpoint_mismatch``.
        Stopped: ``should_stop`` said so; the last whole epoch is in ``checkpoint_dir``.
    """
    real = np.ones(len(labels), np.bool_) if is_real is None else np.asarray(is_real, np.bool_)
    trains, validates = _both_classes_train(
        *held_out(real, config.validation_fraction, config.seed), labels
    )
    _checked(images, labels, trains)
    run = SeedCnnTraining(images, labels, config, torch.device(device))
    moments = run.moments(trains, should_stop)
    digest = digest_of(asdict(config), labels, real, moments.mean.cpu().numpy())
    checkpoint = Checkpoint(checkpoint_dir, digest)
    run.history = [EpochRecord(**r) for r in checkpoint.restore(run.net, run.optimizer)]

    for epoch in range(len(run.history), config.epochs):
        order = epoch_order(labels, trains, config, epoch)
        total = torch.zeros(2, dtype=torch.float64, device=run.device)
        shown = 0
        for rows in _chunks(order, config.batch_size):
            if should_stop():
                raise Stopped
            total += run.train_batch(rows, moments)
            shown += len(rows)
            done = (epoch + shown / len(order)) / config.epochs
            on_progress(Progress(done, f"seed-cnn, epoch {epoch + 1}/{config.epochs}"))
        loss, right = (total / shown).tolist()
        run.history.append(EpochRecord(epoch + 1, loss, right, *run.score(validates)))
        checkpoint.write(run.net, run.optimizer, [asdict(r) for r in run.history])
    run.net.eval()
    return SeedCnnResult(run.net, run.history, len(trains), len(validates), run.dtype)
