"""What a training has to show while it runs: its curves, and what its snapshots look like."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gan_core.training.config import TrainConfig
from gan_core.training.judging import Judgement, best_of
from gan_core.training.run import Run, SampleGrid


@dataclass(frozen=True)
class Course:
    """A training so far.

    Attributes:
        epochs: That it was asked for.
        history: See ``loop.TrainResult``.
        judgements: Of the snapshots, where there is a judge.
        grids: The samples of each snapshot.
        chosen_epoch: Of the snapshot whose generator would be kept; None where the last one is.
        notices: What went wrong and was mended, a plain sentence each.
    """

    epochs: int
    history: Sequence[dict[str, float]]
    judgements: Sequence[Judgement]
    grids: Sequence[SampleGrid]
    chosen_epoch: int | None
    notices: Sequence[str]


OnCourse = Callable[[Course], None]


def ignore_course(_: Course) -> None:
    """An ``on_course`` for callers that do not want to know."""


def course_of(run: Run, config: TrainConfig) -> Course:
    """Return a training so far; its lists are the live ones."""
    best = best_of(run.judgements) if config.keep == "best" else None
    return Course(
        epochs=config.epochs,
        history=run.history,
        judgements=run.judgements,
        grids=run.sample_grids,
        chosen_epoch=None if best is None else best.epoch,
        notices=run.setbacks.notices,
    )
