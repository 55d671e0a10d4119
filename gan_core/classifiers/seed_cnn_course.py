"""Takes trainings of the seed CNN from their first step to their last, several side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from torch import Tensor

from gan_core.classifiers.device_images import DeviceImages
from gan_core.classifiers.images import IndexArray
from gan_core.classifiers.seed_cnn_checkpoint import Checkpoint, Position, digest_of
from gan_core.classifiers.seed_cnn_network import PatchMoments, SeedCnn
from gan_core.classifiers.seed_cnn_order import (
    SeedCnnRun,
    augmentation_seeds,
    epoch_order,
    shared_label,
)
from gan_core.classifiers.seed_cnn_training import SeedCnnTraining
from gan_core.progress import OnProgress, Progress, ShouldStop, Stopped
from gan_core.training.timing import CheckpointTimer


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


class Course:
    """Where one training is.

    Args:
        run: The training.
        moments: Of all images: by them a checkpoint knows its images.

    Attributes:
        at: Its epochs so far, and its place in the one that is under way.
        network: Of the last epoch; None before.
    """

    def __init__(self, run: SeedCnnRun, moments: PatchMoments) -> None:
        self.run = run
        self.at = Position()
        self.network: SeedCnn | None = None
        self._order: IndexArray | None = None
        self._seeds: IndexArray | None = None
        trains = run.rows[run.split[0]]
        seen = moments.mean.cpu().numpy()[trains]
        digest = digest_of(asdict(run.config), run.labels, run.is_real, seen)
        self.checkpoint = Checkpoint(run.checkpoint_dir, digest)

    @property
    def has_ended(self) -> bool:
        """Whether every epoch is done."""
        return len(self.at.history) >= self.run.config.epochs

    @property
    def share(self) -> float:
        """Of the training, how much is done."""
        epochs = self.run.config.epochs
        if self.has_ended:
            return 1.0
        return (len(self.at.history) + self.at.shown / len(self.order)) / max(epochs, 1)

    @property
    def order(self) -> IndexArray:
        """Places in the run's rows, in the order in which this epoch shows them."""
        if self._order is None:
            run = self.run
            self._order = epoch_order(run.labels, run.split[0], run.config, len(self.at.history))
        return self._order

    def batch(self) -> IndexArray:
        """The next batch of this epoch."""
        start = self.at.batch * self.run.config.batch_size
        return self.order[start : start + self.run.config.batch_size]

    def seeds(self) -> IndexArray | None:
        """Of the augmentations of the next batch; None: it is not augmented."""
        config = self.run.config
        if not config.augment:
            return None
        if self._seeds is None:
            self._seeds = augmentation_seeds(config, len(self.at.history), len(self.order))
        start = self.at.batch * config.batch_size
        return self._seeds[start : start + config.batch_size]

    def step(self) -> bool:
        """Go on by one batch; return whether it was the epoch's last."""
        self.at.shown += len(self.batch())
        self.at.batch += 1
        return self.at.shown == len(self.order)

    def end_epoch(self, loss: float, right: float, held: tuple[float | None, float | None]) -> None:
        """Write down an epoch: its sum of losses, right answers, and figures of what is held out.

        The next one begins.
        """
        shown = self.at.shown
        record = EpochRecord(len(self.at.history) + 1, loss / shown, right / shown, *held)
        self.at = Position([*self.at.history, asdict(record)])
        self._order = self._seeds = None

    def begin(self) -> dict[str, Tensor] | None:
        """Go to where the checkpoint is, or to the start; return the kept state.

        Raises:
            GraftError: ``checkpoint_mismatch``.
        """
        kept = self.checkpoint.restore()
        tensors, self.at = (None, Position()) if kept is None else kept
        self._order = self._seeds = None
        return tensors


@dataclass(frozen=True)
class SideBySide:
    """What all trainings of a set of images share."""

    images: DeviceImages
    moments: PatchMoments
    courses: Sequence[Course]
    checkpoint_seconds: float
    on_progress: OnProgress
    should_stop: ShouldStop

    def train(self, left: Sequence[Course], at_once: int) -> None:
        """Train some of those that are left, ``at_once`` at most, to their ends.

        Those that have come equally far go together: the steps of an optimizer are counted.

        Raises:
            GraftError: ``checkpoint_mismatch``, ``checkpoint_not_written``.
            Stopped: ``should_stop`` said so; where each is, is kept.
            MemoryError, RuntimeError: There was not enough memory for so many.
        """
        states = [course.begin() for course in left]
        steps = [_steps_done(state) for state in states]
        places = [place for place, done in enumerate(steps) if done == steps[0]][:at_once]
        # What was kept before the first step is a fresh start.
        kept = [state for place in places if (state := states[place]) is not None and steps[0]]
        courses = [left[place] for place in places]
        runs = [course.run for course in courses]
        self._train(SeedCnnTraining(self.images, runs, kept or None), courses)

    def _train(self, training: SeedCnnTraining, courses: list[Course]) -> None:
        timer = CheckpointTimer(self.checkpoint_seconds)

        def keep() -> None:
            with timer.saving():
                for place, course in enumerate(courses):
                    if course.run.checkpoint_dir is not None:
                        course.checkpoint.write(training.state(place), course.at)

        courses = self._without_ended(training, courses)
        while courses:
            if self.should_stop():
                keep()
                raise Stopped
            training.train_batch(
                [course.batch() for course in courses],
                self.moments,
                [course.seeds() for course in courses],
            )
            over = [place for place, course in enumerate(courses) if course.step()]
            self._tell(courses)
            if timer.is_due():
                keep()
            if over:
                self._end_epochs(training, courses, over)
                courses = self._without_ended(training, courses)

    def _tell(self, courses: Sequence[Course]) -> None:
        done = sum(1.0 if c.network is not None else c.share for c in self.courses)
        slowest = min(courses, key=lambda course: course.share)
        epoch = len(slowest.at.history) + 1
        label = shared_label(course.run for course in courses)
        detail = f"{label}, epoch {epoch}/{slowest.run.config.epochs}"
        if len(courses) > 1:
            detail += f", {len(courses)} side by side"
        self.on_progress(Progress(done / len(self.courses), detail))

    def _end_epochs(
        self, training: SeedCnnTraining, courses: list[Course], places: list[int]
    ) -> None:
        sums = training.totals.cpu().numpy()
        held = training.score(places, lambda: self._tell(courses))
        for place, of_run in zip(places, held, strict=True):
            loss, right = sums[place].tolist()
            courses[place].end_epoch(loss, right, of_run)
        training.totals[places] = 0.0

    def _without_ended(self, training: SeedCnnTraining, courses: list[Course]) -> list[Course]:
        """Keep what has come to its end, and go on with the others."""
        going = [place for place, course in enumerate(courses) if not course.has_ended]
        if len(going) == len(courses):
            return courses
        for place, course in enumerate(courses):
            if course.has_ended:
                # It is not done again when the step that it is a part of is interrupted.
                if course.run.checkpoint_dir is not None:
                    course.checkpoint.write(training.state(place), course.at)
                course.network = training.network(place)
        if going:
            training.keep_only(going)
        return [courses[place] for place in going]


def _steps_done(state: dict[str, Tensor] | None) -> int:
    key = "adam.linear.weight.step"
    return 0 if state is None or key not in state else int(state[key])


__all__ = ["Course", "EpochRecord", "SideBySide"]
