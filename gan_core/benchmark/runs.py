"""All runs of one arm: what they found, on the test images and on every resample of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gan_core.benchmark.bootstrap import (
    BoolArray,
    FloatMatrix,
    interval,
    resample_weights,
    resampled_figures,
)
from gan_core.benchmark.delong import placements
from gan_core.benchmark.metrics import FIGURES, THRESHOLD
from gan_core.spec.results import ArmSummary, Interval, ResultRow

RANKING, DECISION = "ranking", "decision"
JUDGED = (RANKING, DECISION)
"""What a verdict looks at: ROC-AUC, and balanced accuracy at the moved threshold (at .5 where a run
has none)."""
UNMOVED = "decision at .5"
"""Balanced accuracy at .5, whether or not a run has a moved threshold: for a comparison with a run
that has none."""

Scores = Sequence[NDArray[np.float32]] | NDArray[np.float32]
Key = tuple[str, int, str, str]
"""Classifier, real count, its label, arm."""


@dataclass(frozen=True)
class ArmRuns:
    """All runs of one arm, R of them.

    Attributes:
        rows: As given.
        summary: Of them.
        resampled: By each of ``JUDGED``, and ``UNMOVED``: the figure on each resample, float32
            [R, B].
        components: By the same: each test image's share in the figure, [R, M]; empty where the
            test set does not define it.
        distinct: Runs whose scores differ from one another.
    """

    rows: list[ResultRow]
    summary: ArmSummary
    resampled: dict[str, NDArray[np.float32]]
    components: dict[str, FloatMatrix]
    distinct: int

    @property
    def runs(self) -> list[tuple[int, int]]:
        """Subset and seed of each."""
        return [(row.subset, row.seed) for row in self.rows]

    def is_moved(self, run: int) -> bool:
        """Say whether a run's threshold was moved."""
        return _moved_threshold(self.rows[run]) is not None

    def mean_of(self, field: str) -> float | None:
        """Return the mean of a field of the rows; None where a row has none."""
        values = [getattr(row, field) for row in self.rows]
        return None if None in values else float(np.mean(values))

    def value(self, judged: str, run: int) -> float:
        """Return one run's figure of ``JUDGED`` or ``UNMOVED``, which the test set defines."""
        row = self.rows[run]
        figure = _figure(judged, row)
        found: float | None = getattr(row, figure)
        if found is None:
            raise ValueError(f"a run of {row.arm} has no {figure}")
        return found


def _moved_threshold(row: ResultRow) -> float | None:
    return None if row.moved_balanced_accuracy is None else row.threshold


def _figure(judged: str, row: ResultRow) -> str:
    if judged == RANKING:
        return "roc_auc"
    is_moved = judged == DECISION and _moved_threshold(row) is not None
    return "moved_balanced_accuracy" if is_moved else "balanced_accuracy"


def group_runs(
    rows: Sequence[ResultRow],
    scores: Scores,
    positive: BoolArray,
    on_run: Callable[[int], None] = lambda _: None,
) -> dict[Key, ArmRuns]:
    """Put the runs of each arm together, and resample them.

    Args:
        rows: Any number of arms, real counts and classifiers.
        scores: float32 [rows, M], each run's scores of the test images.
        positive: Bool [M], which test images are of the rare class.
        on_run: Told how many runs have been resampled, after each.

    Returns:
        In the order of the first row of each.

    Raises:
        ValueError: Not as many scores as rows.
    """
    if len(rows) != len(scores):
        raise ValueError(f"{len(rows)} rows, but the scores of {len(scores)} runs")
    positive = np.asarray(positive, np.bool_)
    weights = resample_weights(positive)
    members: dict[Key, list[int]] = {}
    for i, row in enumerate(rows):
        key = (row.classifier, row.real_count, row.real_count_label, row.arm)
        members.setdefault(key, []).append(i)
    grouped = {}
    done = 0
    for key, of_arm in members.items():
        runs = []
        for i in of_arm:
            runs.append(_Run.of(rows[i], np.asarray(scores[i], np.float32), positive, weights))
            done += 1
            on_run(done)
        grouped[key] = _together(key, [rows[i] for i in of_arm], runs)
    return grouped


@dataclass(frozen=True)
class _Run:
    figures: dict[str, FloatMatrix]
    components: dict[str, FloatMatrix]
    scores: bytes

    @classmethod
    def of(
        cls,
        row: ResultRow,
        scores: NDArray[np.float32],
        positive: BoolArray,
        weights: NDArray[np.float32],
    ) -> _Run:
        threshold = _moved_threshold(row)
        components: dict[str, FloatMatrix] = {}
        if positive.any() and not positive.all():
            moved = (scores >= (THRESHOLD if threshold is None else threshold)) == positive
            unmoved = (scores >= THRESHOLD) == positive
            components = {
                RANKING: placements(scores, positive),
                DECISION: moved / 2.0,
                UNMOVED: unmoved / 2.0,
            }
        figures = resampled_figures(scores, positive, weights, threshold)
        return cls(figures, components, scores.tobytes())

    def resampled(self, judged: str, row: ResultRow) -> NDArray[np.float32]:
        return self.figures[_figure(judged, row)].astype(np.float32)


def _together(key: Key, rows: list[ResultRow], runs: list[_Run]) -> ArmRuns:
    both = list(zip(runs, rows, strict=True))
    compared = (*JUDGED, UNMOVED)
    return ArmRuns(
        rows,
        _summary(key, rows, runs),
        {name: np.stack([run.resampled(name, row) for run, row in both]) for name in compared},
        {name: np.stack([run.components[name] for run in runs]) for name in compared}
        if runs[0].components
        else {},
        len({run.scores for run in runs}),
    )


def _summary(key: Key, rows: list[ResultRow], runs: list[_Run]) -> ArmSummary:
    figures = {}
    for name in FIGURES:
        values = [getattr(row, name) for row in rows]
        # A row of a figure's own that was written before it was thought of has none.
        if None in values or any(np.isnan(run.figures[name][0]) for run in runs):
            continue
        low, high = interval(np.mean([run.figures[name] for run in runs], axis=0))
        spread = float(np.std(values, ddof=1)) if len(values) > 1 else None
        figures[name] = Interval(mean=float(np.mean(values)), sd=spread, low=low, high=high)
    return ArmSummary(
        arm=key[3],
        gan=rows[0].gan,
        real_count=key[1],
        real_count_label=key[2],
        classifier=key[0],
        n_runs=len(rows),
        figures=figures,
    )
