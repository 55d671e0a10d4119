"""Takes a fine-tuning from its first step, or from a checkpoint, to its last."""

from __future__ import annotations

import math
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from gan_core.classifiers.device_images import DeviceImages
from gan_core.classifiers.finetune_network import FinetuneNet
from gan_core.classifiers.finetune_order import FinetuneConfig, ShownImages, shown_images
from gan_core.classifiers.finetune_training import FinetuneTraining
from gan_core.classifiers.images import IndexArray
from gan_core.classifiers.seed_cnn_checkpoint import Checkpoint, Position
from gan_core.classifiers.seed_cnn_course import EpochRecord
from gan_core.progress import OnProgress, Progress, ShouldStop, Stopped
from gan_core.training.timing import CheckpointTimer


class FinetuneCourse:
    """One training.

    Args:
        images: All images.
        labels: int64 [N], 0 or 1.
        split: Rows that train, and rows that are held out.
        config: Settings.
        checkpoint: Where its state is kept.

    Attributes:
        at: Its epochs so far, and its place in the one that is under way.
    """

    def __init__(
        self,
        images: DeviceImages,
        labels: IndexArray,
        split: tuple[IndexArray, IndexArray],
        config: FinetuneConfig,
        checkpoint: Checkpoint,
    ) -> None:
        self._labels, self._config, self._checkpoint = labels, config, checkpoint
        self._trains, self._held = split
        self._steps_an_epoch = math.ceil(len(self._shown(0).rows) / config.batch_size)
        steps = config.epochs * self._steps_an_epoch
        self._training = FinetuneTraining(images, labels, config, steps)
        self.at = Position()

    def train(
        self,
        timer: CheckpointTimer,
        label: str,
        on_progress: OnProgress,
        should_stop: ShouldStop,
    ) -> tuple[FinetuneNet, NDArray[np.float32]]:
        """Train to the end.

        Returns:
            The network, and its logits of the held-out images.

        Raises:
            GraftError: ``checkpoint_mismatch``, ``checkpoint_not_written``.
            Stopped: ``should_stop`` said so; where it is, is kept.
        """

        def keep() -> None:
            with timer.saving():
                self._checkpoint.write(self._training.state(has_ended=self._has_ended), self.at)

        def after_step(progress: Progress) -> None:
            on_progress(progress)
            if timer.is_due():
                keep()

        self._begin(label, on_progress, should_stop)
        logits = None
        try:
            while not self._has_ended:
                self._train_epoch(label, after_step, should_stop)
                logits = self._end_epoch(label, on_progress, should_stop)
        except Stopped:
            keep()
            raise
        if logits is None:  # it had ended before
            logits, _, _ = self._training.score(self._held, should_stop=should_stop)
        else:
            # It is not done again when the step that it is a part of is interrupted.
            keep()
        return self._training.network, logits

    @property
    def _has_ended(self) -> bool:
        return len(self.at.history) >= self._config.epochs

    def _shown(self, epoch: int) -> ShownImages:
        return shown_images(self._labels, self._trains, self._config, epoch)

    def _progress(self, label: str, share_of_epoch: float) -> Progress:
        epoch, epochs = len(self.at.history), self._config.epochs
        return Progress((epoch + share_of_epoch) / epochs, f"{label}, epoch {epoch + 1}/{epochs}")

    def _begin(self, label: str, on_progress: OnProgress, should_stop: ShouldStop) -> None:
        """Go to where the checkpoint is, or to the start."""
        kept = self._checkpoint.restore()
        if kept is not None:
            tensors, self.at = kept
            self._training.restore(tensors)
            return
        count = len(self._trains)
        self._training.start_head(
            self._shown(0).rows,
            tell=lambda done: on_progress(
                Progress(0.0, f"{label}, image {done}/{count} looked at")
            ),
            should_stop=should_stop,
        )

    def _train_epoch(self, label: str, after_step: OnProgress, should_stop: ShouldStop) -> None:
        """Make the steps of an epoch that are left."""
        epoch = len(self.at.history)
        shown = self._shown(epoch)
        for batch in shown.batches(self._config.batch_size, self.at.shown):
            if should_stop():
                raise Stopped
            self._training.train_batch(batch, epoch * self._steps_an_epoch + self.at.batch)
            self.at.shown += len(batch.rows)
            self.at.batch += 1
            after_step(self._progress(label, self.at.shown / len(shown.rows)))

    def _end_epoch(
        self, label: str, on_progress: OnProgress, should_stop: ShouldStop
    ) -> NDArray[np.float32]:
        """Write down an epoch; return the logits of the held-out images."""
        told = self._progress(label, 1.0)
        logits, *held = self._training.score(
            self._held, tell=lambda _: on_progress(told), should_stop=should_stop
        )
        loss, right = (self._training.totals / self.at.shown).tolist()
        record = EpochRecord(len(self.at.history) + 1, loss, right, *held)
        self.at = Position([*self.at.history, asdict(record)])
        self._training.totals.zero_()
        return logits
