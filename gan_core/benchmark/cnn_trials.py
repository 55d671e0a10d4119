"""The trainings in epochs of an evaluation: the seed CNN, side by side, and the fine-tuned network.

Both hold out a fifth of their real training images for themselves; their figures and threshold on
held-out images are by those, since a training for each fold would take five times as long. At 10
real images of the rare class that leaves about two: where there are fewer, no threshold is moved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from gan_core.benchmark.crossfit import HeldOut, found_on
from gan_core.benchmark.trials import (
    NOTHING,
    OF_NONE,
    Column,
    FloatArray,
    Ground,
    IndexArray,
    Points,
    Trial,
)
from gan_core.classifiers.images import ImageRows, StackedImages
from gan_core.classifiers.seed_cnn import (
    EpochRecord,
    SeedCnnConfig,
    SeedCnnResult,
    SeedCnnRun,
    predict_together,
    train_seed_cnns,
)
from gan_core.progress import OnProgress, Progress, ShouldStop, part


@dataclass(frozen=True)
class Means:
    """What trainings are done with.

    Attributes:
        label: The real count, as progress tells it.
        device: Where to train.
        checkpoint_dir: Gets a folder for each trial.
        checkpoint_seconds: Time from one checkpoint to the next, at least.
        on_progress: Told of the whole.
        should_stop: Asked before every step.
    """

    label: str
    device: torch.device | str
    checkpoint_dir: Path | None
    checkpoint_seconds: float
    on_progress: OnProgress
    should_stop: ShouldStop

    def folder(self, trial: Trial) -> Path | None:
        """Where a trial's state is kept."""
        name = f"{trial.classifier}-{trial.arm.name}-{trial.seed}".replace(":", "-")
        return self.checkpoint_dir and self.checkpoint_dir / name

    def told(self, trial: Trial) -> str:
        """What a trial's progress is told as."""
        return f"{trial.arm.name}, {self.label} real, {trial.classifier}"


@dataclass(frozen=True)
class Trained:
    """What came of a trial: scores float32 [M] of the test images, held-out images, a curve."""

    scores: FloatArray
    held: HeldOut
    points: Points


class Pile:
    """The images of several trials in one pile: all real ones of the column, then each source's."""

    def __init__(self, trials: Sequence[Trial], ground: Ground) -> None:
        column = ground.column
        parts: list[tuple[ImageRows, IndexArray]] = [(ground.data.train_images, column.pool)]
        self._column = column
        self._starts: dict[str, int] = {}
        self._used: dict[str, IndexArray] = {}
        start = len(column.pool)
        for name in sorted({t.arm.source for t in trials if t.arm.source}):
            used = np.unique(np.concatenate([t.joined for t in trials if t.arm.source == name]))
            parts.append((ground.sources[name].images, used))
            self._starts[name], self._used[name] = start, used
            start += len(used)
        self.images = StackedImages(parts)

    def real(self, rows: IndexArray) -> IndexArray:
        """Places of training images."""
        return np.searchsorted(self._column.pool, rows).astype(np.int64)

    def of(self, trial: Trial) -> IndexArray:
        """Places of a trial's images, real ones first."""
        real = self.real(trial.real_rows)
        if not trial.arm.source:
            return real
        name = trial.arm.source
        joined = self._starts[name] + np.searchsorted(self._used[name], trial.joined)
        return np.concatenate([real, joined]).astype(np.int64)


def copies_of(trial: Trial) -> IndexArray:
    """Say of a trial's images what they were made of.

    Returns:
        int64 [n + m], the place among the trial's images of what each was made of, -1 for none.
    """
    places = np.full(len(trial.labels), OF_NONE, np.int64)
    is_copy = np.isin(trial.copy_of, trial.real_rows)
    found = np.searchsorted(trial.real_rows, trial.copy_of[is_copy])
    places[len(trial.real_rows) + np.flatnonzero(is_copy)] = found
    return places


def seed_cnn_runs(
    trials: Sequence[Trial], ground: Ground, config: SeedCnnConfig, means: Means
) -> list[Trained]:
    """Train the seed CNNs of all trials, side by side where the device likes that, and test them.

    The images are those of the trials' arms: all share the real ones, and lie on a GPU once.

    Args:
        trials: Of one column.
        ground: Of the trials.
        config: Settings but for seed, class weights, sampling and augmentation.
        means: What to train with.

    Raises:
        GraftError: Those of ``train_seed_cnns``.
        Stopped: It was asked to.
    """
    pile = Pile(trials, ground)
    runs = [
        SeedCnnRun(
            pile.of(trial),
            trial.labels,
            np.arange(len(trial.labels)) < len(trial.real_rows),
            replace(
                config,
                seed=trial.seed,
                class_weights=trial.class_weights,
                sampling=trial.arm.sampling,
                augment=trial.arm.is_augmented,
            ),
            means.folder(trial),
            means.told(trial),
            copies_of(trial),
        )
        for trial in trials
    ]
    results = train_seed_cnns(
        pile.images,
        runs,
        device=means.device,
        checkpoint_seconds=means.checkpoint_seconds,
        on_progress=part(means.on_progress, 0.0, 0.96),
        should_stop=means.should_stop,
    )

    def tell(told: Progress) -> None:
        means.on_progress(
            Progress(0.96 + 0.02 * told.fraction, f"{means.label} real, {told.detail}")
        )

    scores = predict_together(
        results, ground.data.test_images, on_progress=tell, should_stop=means.should_stop
    )
    held = _held_out(trials, runs, results, (pile, ground.column), means)
    return [
        Trained(of_test, of_held, [points_of(record) for record in result.history])
        for of_test, of_held, result in zip(scores, held, results, strict=True)
    ]


def _held_out(
    trials: Sequence[Trial],
    runs: Sequence[SeedCnnRun],
    results: Sequence[SeedCnnResult],
    where: tuple[Pile, Column],
    means: Means,
) -> list[HeldOut]:
    """What each network's held-out images say; those of a seed hold out about the same ones."""
    pile, column = where
    of_run = []
    for trial, run in zip(trials, runs, strict=True):
        # Without real images of the rare class in training, all of them are held out.
        rare = NOTHING if trial.arm.has_real_rare else pile.real(column.chosen)
        of_run.append(np.union1d(run.rows[run.split[1]], rare).astype(np.int64))
    rare_places = pile.real(column.chosen)
    found = [HeldOut()] * len(runs)
    seeds = sorted({trial.seed for trial in trials})
    for number, seed in enumerate(seeds):
        places = [place for place, trial in enumerate(trials) if trial.seed == seed]
        every = np.unique(np.concatenate([of_run[place] for place in places]))
        if not len(every):
            continue

        def tell(told: Progress, number: int = number) -> None:
            share = 0.98 + 0.02 * (number + told.fraction) / len(seeds)
            means.on_progress(Progress(share, f"{means.label} real, {told.detail}"))

        scores = predict_together(
            [results[place] for place in places],
            StackedImages([(pile.images, every)]),
            on_progress=tell,
            should_stop=means.should_stop,
        )
        for place, own in zip(places, scores, strict=True):
            held = of_run[place]
            of_held = own[np.searchsorted(every, held)]
            found[place] = found_on(of_held, np.isin(held, rare_places))
    return found


def points_of(record: EpochRecord) -> dict[str, float]:
    """An epoch of the loss and accuracy plot, by the names that the report knows."""
    values = {
        "epoch": float(record.epoch),
        "train_loss": record.train_loss,
        "train_accuracy": record.train_accuracy,
        "val_loss": record.validation_loss,
        "val_accuracy": record.validation_accuracy,
    }
    return {name: value for name, value in values.items() if value is not None}
