"""The training loop of every GAN.

The real images lie on the device as uint8 and are cut into batches there: an epoch is a seeded
permutation, its last batch may be short. All randomness comes from ``config.seed``, and all state
goes into checkpoints, so that a training that was interrupted ends, on the CPU, with the same bits
as one that was not.

What goes wrong on the way is mended once: a training whose numbers or samples are spoiled goes
back to its last healthy milestone and on with half the learning rates; one that runs out of memory
goes on by the next plan for less (``memory``).
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from gan_core.gans.base import Gan
from gan_core.generating import TrainedGenerator
from gan_core.out_of_memory import free_memory, is_out_of_memory
from gan_core.progress import (
    Notice,
    OnNotice,
    OnProgress,
    Progress,
    ShouldStop,
    Stopped,
    ignore_notice,
    ignore_progress,
    never_stop,
)
from gan_core.spec.errors import GraftError
from gan_core.training.checkpoint import Checkpoint
from gan_core.training.config import TrainConfig, images_digest, training_identity
from gan_core.training.course import OnCourse, course_of, ignore_course
from gan_core.training.health import JUDGED_SAMPLES, MILESTONES, SpoiledError, is_collapsed, spread
from gan_core.training.judging import Ending, Judge, Judgement, best_of, reason_to_end
from gan_core.training.keeping import Keeper
from gan_core.training.memory import memory_plans
from gan_core.training.randomness import borrowed_randomness
from gan_core.training.run import Run, SampleGrid, Setbacks, setbacks_of
from gan_core.training.setbacks import after_out_of_memory, after_spoiling
from gan_core.training.snapshots import (
    OnSnapshot,
    Snapshot,
    judged_samples,
    snapshot_epochs,
    take_snapshot,
    trained_generator,
)
from gan_core.training.start import Start
from gan_core.training.timing import CheckpointTimer

__all__ = ["OnSnapshot", "Snapshot", "TrainConfig", "TrainResult", "train"]

PROGRESS_SECONDS = 0.5
_END_NOTICES: dict[Ending, str] = {
    "plateau": "The training ended at epoch {epoch}: its samples had not got better for long.",
    "copying": "The training ended at epoch {epoch}: it had begun to copy its training images.",
}


@dataclass(frozen=True)
class TrainResult:
    """What a training leaves.

    Attributes:
        model: The generator to make images with.
        history: At most 500 points in order: "epoch" (epochs done) and each loss' mean since the
            point before; JSON-able.
        snapshots: All, those from before an interruption included.
        judgements: Of the snapshots, where there was a judge.
        ended: Why the training ended before its last epoch; None where it did not.
        notices: What went wrong and was mended on the way, a plain sentence each.
    """

    model: TrainedGenerator
    history: list[dict[str, float]]
    snapshots: list[Snapshot]
    judgements: list[Judgement] = field(default_factory=list)
    ended: Ending | None = None
    notices: list[str] = field(default_factory=list)

    @property
    def best(self) -> Judgement | None:
        """The judgement with the lowest score."""
        return best_of(self.judgements)


def train(
    gan: Gan,
    images: NDArray[np.uint8],
    config: TrainConfig,
    *,
    device: str | torch.device = "cpu",
    data_digest: str | None = None,
    judge: Judge | None = None,
    begins: Start | None = None,
    labels: NDArray[np.int64] | None = None,
    checkpoint_dir: Path | None = None,
    on_progress: OnProgress = ignore_progress,
    should_stop: ShouldStop = never_stop,
    on_snapshot: OnSnapshot | None = None,
    on_course: OnCourse = ignore_course,
    on_notice: OnNotice = ignore_notice,
) -> TrainResult:
    """Train a GAN from new weights, or go on from the newest checkpoint.

    Args:
        gan: Its weights are drawn anew from ``config.seed`` and trained in place.
        images: The real images, uint8 [N, S, S, 3], S the GAN's image size.
        config: How to train.
        device: Where to train.
        begins: Trained networks to begin from in place of new weights; a checkpoint wins over them.
        labels: Class of each image, int64 [N], of a GAN with classes; an epoch then shows each
            image of the drawn class once, and as many of every other.
        data_digest: Goes onto the model's card; None takes the SHA-256 of ``images``.
        judge: Judges each snapshot; None: the last generator is kept, whatever ``config`` says.
            With privacy there can be none: it looks at the real images.
        checkpoint_dir: Where checkpoints lie; one training, one directory. None keeps none.
        on_progress: Told about every half second.
        should_stop: Asked before each step.
        on_snapshot: Given each snapshot when it is made; after an interruption perhaps once more,
            with the same images, and after a rollback with others.
        on_course: Given all that there is to show, whenever a point or a snapshot has been added;
            and at first, so that a training that goes on, or back, shows where it is.
        on_notice: Told once of what went wrong, what was mended, and what was the best so far.

    Raises:
        GraftError: too_few_images; start_does_not_fit, freeze_d_out_of_range; diverged, with the
            curves, when the training was spoiled again after a rollback; out_of_memory;
            checkpoint_mismatch, checkpoint_not_written; privacy_not_offered.
        Stopped: should_stop() said so; a checkpoint has been written.
        ValueError: ``images`` has another shape or type; there is a judge beside privacy.
    """
    _check(gan, images)
    if config.privacy is not None and judge is not None:
        raise ValueError("a judge looks at real images in a way that privacy does not cover")
    device = torch.device(device)
    timer = CheckpointTimer(config.checkpoint_seconds, share=config.checkpoint_share)
    identity = training_identity(
        gan, images, config, device, judged=judge is not None, begins=begins, labels=labels
    )
    keeper = Keeper(checkpoint_dir, identity, timer)
    plans = memory_plans(
        # With privacy it is the gradients of single images that fill it, and they come in parts.
        couples_images=gan.couples_images and config.privacy is None,
        batch_size=config.batch_size,
        device=device,
    )
    course = _Course(
        config=config,
        keeper=keeper,
        digest=data_digest or images_digest(images),
        real_spread=spread(images),
        judge=judge,
        on_progress=on_progress,
        should_stop=should_stop,
        on_snapshot=on_snapshot,
        on_course=on_course,
        on_notice=on_notice,
    )
    start = keeper.newest()
    setbacks = Setbacks() if start is None else setbacks_of(start)
    if start is not None:
        on_notice(Notice(f"The training goes on from a checkpoint, of epoch {_epoch_of(start)}."))
    went_back = False
    while True:
        run: Run | None = None
        history: list[dict[str, float]] = []
        epoch = 0
        spoiled: SpoiledError | None = None
        try:
            with borrowed_randomness(device, config.seed):
                run = Run(gan, images, config, device, begins=begins, labels=labels)
                if start is not None:
                    run.restore(start)
                run.face(setbacks, plans[setbacks.memory_level])
                if went_back:
                    # From here on, whoever resumes knows of it.
                    keeper.save(run)
                    went_back = False
                return course.follow(run)
        except SpoiledError as error:
            spoiled = error
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
        if run is not None:
            history, epoch = run.history, run.epoch
        # Nothing of the old run may be in memory when the new one begins: not here, and not in a
        # traceback, which is why this is outside the except blocks.
        run = None
        gan.optimizers = {}
        free_memory()
        if spoiled is None:
            start = keeper.newest()
            setbacks = after_out_of_memory(setbacks, plans, epoch)
        else:
            start = keeper.milestone()
            went_back_to = 0 if start is None else _epoch_of(start)
            setbacks = after_spoiling(
                setbacks, spoiled, went_back_to, history, is_private=config.privacy is not None
            )
            keeper.forget_checkpoints()
            went_back = True
        on_notice(Notice(setbacks.notices[-1], "warning"))


@dataclass(frozen=True)
class _Course:
    """What a training goes through, whichever state it begins with."""

    config: TrainConfig
    keeper: Keeper
    digest: str
    real_spread: float
    judge: Judge | None
    on_progress: OnProgress
    should_stop: ShouldStop
    on_snapshot: OnSnapshot | None
    on_course: OnCourse
    on_notice: OnNotice

    def follow(self, run: Run) -> TrainResult:
        """Train to the end.

        Raises:
            SpoiledError: The numbers or the samples are of no use any more.
            Stopped: A checkpoint has been written.
        """
        config = self.config
        snapshots_due = snapshot_epochs(config.epochs, config.snapshots)
        milestones = snapshot_epochs(config.epochs, MILESTONES)
        model: TrainedGenerator | None = None
        last_report = -math.inf
        self.on_course(course_of(run, config))
        while run.epoch < config.epochs and self._ending(run) is None:
            if self.should_stop():
                self.keeper.save(run)
                raise Stopped
            epoch_is_over = run.step()
            if epoch_is_over and run.epoch in snapshots_due | milestones:
                model = trained_generator(run, self.digest)
                if run.epoch in milestones:
                    self._check_health(run, model)
                if run.epoch in snapshots_due:
                    self._look(run, model)
                if run.epoch in milestones and run.epoch < config.epochs:
                    self.keeper.keep_milestone(run)
            if epoch_is_over and (run.has_new_point or run.epoch in snapshots_due):
                self.on_course(course_of(run, config))
            self.keeper.save_if_due(run)
            now = time.monotonic()
            if now - last_report >= PROGRESS_SECONDS or run.epoch == config.epochs:
                self.on_progress(_progress(run, config))
                last_report = now
        ended = self._ending(run)
        if ended is not None:
            self.on_notice(Notice(_END_NOTICES[ended].format(epoch=run.epoch)))
        if self.config.keep == "best" and run.best is not None:
            model = run.best
        elif model is None or model.step < run.steps:
            model = trained_generator(run, self.digest)
        seeds = tuple(range(config.sample_count))
        return TrainResult(
            model,
            run.history,
            [Snapshot(grid.epoch, grid.step, seeds, grid.images) for grid in run.sample_grids],
            judgements=list(run.judgements),
            ended=ended,
            notices=list(run.setbacks.notices),
        )

    def _ending(self, run: Run) -> Ending | None:
        if not self.config.stop_early or run.epoch == self.config.epochs:
            return None
        return reason_to_end(run.judgements, run.fraction)

    def _check_health(self, run: Run, model: TrainedGenerator) -> None:
        if not run.is_finite():
            raise SpoiledError(run.epoch, "a weight was no longer finite")
        if self.config.privacy is not None:
            return  # the real images' spread is not covered
        samples = judged_samples(run, model, JUDGED_SAMPLES)
        if is_collapsed(samples, self.real_spread, steps=run.steps, fraction=run.fraction):
            raise SpoiledError(run.epoch, "the generator made one and the same image over and over")

    def _look(self, run: Run, model: TrainedGenerator) -> None:
        snapshot = take_snapshot(run, model, self.config.sample_count)
        run.sample_grids.append(SampleGrid(run.epoch, run.steps, snapshot.images))
        if self.judge is not None:
            self._judge(self.judge, run, model)
        if self.on_snapshot is not None:
            self.on_snapshot(snapshot)

    def _judge(self, judge: Judge, run: Run, model: TrainedGenerator) -> None:
        samples = judged_samples(run, model, judge.sample_count)
        is_settled = run.fraction >= run.gan.settled_from()
        found = judge.judge(samples, run.epoch, run.steps, is_settled=is_settled)
        run.judgements.append(found)
        if best_of(run.judgements) is found:
            run.best = model
            self.on_notice(
                Notice(
                    f"The samples of epoch {run.epoch} are the best so far: KID {found.kid:.3f}."
                )
            )


def _epoch_of(checkpoint: Checkpoint) -> int:
    epoch: int = checkpoint.progress["epoch"]
    return epoch


def _progress(run: Run, config: TrainConfig) -> Progress:
    under_way = min(run.epoch + 1, config.epochs)
    detail = f"{config.label}, epoch {under_way}/{config.epochs}"
    if (best := best_of(run.judgements)) is not None:
        detail += f", KID {run.judgements[-1].kid:.3f} (best so far: epoch {best.epoch})"
    return Progress(run.fraction, detail)


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
