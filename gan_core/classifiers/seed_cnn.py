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

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gan_core.classifiers.images import ImageRows, IndexArray
from gan_core.classifiers.seed_cnn_checkpoint import Checkpoint, Position, digest_of
from gan_core.classifiers.seed_cnn_network import (
    PatchMoments,
    SeedCnn,
    batches,
    check_size,
    fast_logits,
)
from gan_core.classifiers.seed_cnn_order import (
    SeedCnnConfig,
    balanced_order,
    both_classes_train,
    epoch_order,
    held_out,
)
from gan_core.classifiers.seed_cnn_training import (
    PREDICTION_BATCH,
    SeedCnnTraining,
    keeps_resident,
)
from gan_core.out_of_memory import free_memory, is_out_of_memory
from gan_core.progress import OnProgress, Progress, ShouldStop, Stopped, ignore_progress, never_stop
from gan_core.spec.errors import GraftError
from gan_core.training.timing import CheckpointTimer

__all__ = [
    "EpochRecord",
    "SeedCnnConfig",
    "SeedCnnResult",
    "SeedCnnTraining",
    "balanced_order",
    "epoch_order",
    "held_out",
    "train_seed_cnn",
]


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
        self,
        images: ImageRows,
        *,
        on_progress: OnProgress = ignore_progress,
        should_stop: ShouldStop = never_stop,
    ) -> NDArray[np.float32]:
        """Probability of the rare class.

        Args:
            images: uint8 [N, 224, 224, 3].
            on_progress: Told of the share of images that is done.
            should_stop: Asked before each batch.

        Returns:
            float32 [N].

        Raises:
            GraftError: ``classifier_image_size``.
            Stopped: ``should_stop`` said so.
        """
        check_size(images.shape)
        count = images.shape[0]
        scores = np.empty(count, np.float32)
        device = self.network.linear.weight.device
        for rows in batches(count, PREDICTION_BATCH):
            if should_stop():
                raise Stopped
            chosen = torch.from_numpy(images[np.arange(rows.start, rows.stop)]).to(device)
            with torch.inference_mode():
                logits = fast_logits(self.network, chosen, self.dtype, None)
            scores[rows] = logits.softmax(1)[:, 1].float().cpu().numpy()
            on_progress(Progress(rows.stop / count, "seed-cnn, scoring"))
        return scores


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


def train_seed_cnn(
    images: ImageRows,
    labels: IndexArray,
    config: SeedCnnConfig,
    *,
    is_real: NDArray[np.bool_] | None = None,
    device: torch.device | str = "cpu",
    checkpoint_dir: Path | None = None,
    checkpoint_seconds: float = 60.0,
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
        checkpoint_dir: Where the state is kept; a training that finds its own there goes on from
            it, and on the CPU ends bit for bit as if undisturbed. Keep one directory a run.
        checkpoint_seconds: Time from one checkpoint to the next, at least; see ``CheckpointTimer``.
        on_progress: Told of epochs.
        should_stop: Asked before every step.

    Returns:
        The network of the last epoch and the curves.

    Raises:
        GraftError: ``classifier_image_size``, ``one_class_only``, ``checkpoint_mismatch``.
        Stopped: ``should_stop`` said so; the state is in ``checkpoint_dir``.
    """
    real = np.ones(len(labels), np.bool_) if is_real is None else np.asarray(is_real, np.bool_)
    trains, validates = both_classes_train(
        *held_out(real, config.validation_fraction, config.seed), labels
    )
    _checked(images, labels, trains)
    device = torch.device(device)

    def attempt(is_resident: bool) -> SeedCnnResult:
        run = SeedCnnTraining(images, labels, config, device, is_resident=is_resident)
        moments = run.moments(trains, should_stop, on_progress)
        digest = digest_of(asdict(config), labels, real, moments.mean.cpu().numpy())
        return _train(
            run,
            moments,
            trains=trains,
            validates=validates,
            checkpoint=Checkpoint(checkpoint_dir, digest),
            timer=CheckpointTimer(checkpoint_seconds),
            on_progress=on_progress,
            should_stop=should_stop,
        )

    is_resident = keeps_resident(device)
    try:
        return attempt(is_resident)
    except (MemoryError, RuntimeError) as error:
        if not is_resident or not is_out_of_memory(error):
            raise
    # Outside the except block, whose traceback holds the images. A step that was cut short may
    # have moved the statistics already: it goes on from what was kept, not from what is there.
    free_memory()
    return attempt(is_resident=False)


def _train(
    run: SeedCnnTraining,
    moments: PatchMoments,
    *,
    trains: IndexArray,
    validates: IndexArray,
    checkpoint: Checkpoint,
    timer: CheckpointTimer,
    on_progress: OnProgress,
    should_stop: ShouldStop,
) -> SeedCnnResult:
    config = run.config
    labels = run.labels.numpy()

    def fresh(history: list[dict[str, Any]]) -> Position:
        return Position(torch.zeros(2, dtype=torch.float64, device=run.device), history)

    at = checkpoint.restore(run.net, run.optimizer) or fresh([])

    def keep() -> None:
        with timer.saving():
            checkpoint.write(run.net, run.optimizer, at)

    def tell() -> None:
        epoch = len(at.history)
        done = (epoch + at.shown / len(order)) / config.epochs
        on_progress(Progress(done, f"seed-cnn, epoch {epoch + 1}/{config.epochs}"))

    while len(at.history) < config.epochs:
        order = epoch_order(labels, trains, config, len(at.history))
        for part in list(batches(len(order), config.batch_size))[at.batch :]:
            if should_stop():
                keep()
                raise Stopped
            at.total += run.train_batch(order[part], moments)
            at.batch, at.shown = at.batch + 1, part.stop
            tell()
            if timer.is_due():
                keep()
        loss, right = (at.total / at.shown).tolist()
        record = EpochRecord(len(at.history) + 1, loss, right, *run.score(validates, tell))
        at = fresh([*at.history, asdict(record)])
    # A finished training is not done again when the step that it is a part of is interrupted.
    keep()
    run.net.eval()
    history = [EpochRecord(**record) for record in at.history]
    return SeedCnnResult(run.net, history, len(trains), len(validates), run.dtype)
