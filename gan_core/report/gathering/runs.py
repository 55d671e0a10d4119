"""What the evaluate steps left: every run with its scores, learning curves and tried ratios."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_core.report.armnames import in_order
from gan_core.report.data import LearningCurve
from gan_core.spec.findings import RatioPoint
from gan_core.spec.results import ResultRow


@dataclass(frozen=True)
class Runs:
    """All runs of a study, in the order of the tables.

    Attributes:
        rows: A run each.
        scores: float32 [M] each, of the test images.
        curves: How classifiers learned.
        ratios: The ratios that were tried.
    """

    rows: list[ResultRow]
    scores: list[NDArray[np.float32]]
    curves: list[LearningCurve]
    ratios: list[RatioPoint]


def labelled(inputs: Mapping[str, Path], kind: str) -> list[tuple[str, Path]]:
    """Return the folders of one kind of step with their labels ("fastgan-50-s0"), sorted."""
    start = f"{kind}-"
    return [
        (label.removeprefix(start), path)
        for label, path in sorted(inputs.items())
        if label.startswith(start)
    ]


def read_json(path: Path) -> Any:
    """Return what a file holds; None where there is none."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def gather_runs(inputs: Mapping[str, Path], classifiers: Sequence[str]) -> Runs:
    """Read the folders of the evaluate steps among a step's inputs.

    Args:
        inputs: Label → folder.
        classifiers: Of the spec, in its order.
    """
    rows: list[ResultRow] = []
    scores: list[NDArray[np.float32]] = []
    curves: list[LearningCurve] = []
    ratios: list[RatioPoint] = []
    for _, folder in labelled(inputs, "evaluate"):
        rows += [ResultRow.model_validate(row) for row in read_json(folder / "rows.json")]
        scores += list(np.load(folder / "scores.npy", allow_pickle=False))
        curves += [LearningCurve(**curve) for curve in read_json(folder / "curves.json") or []]
        # Evaluations of earlier versions tried no ratios.
        tried = read_json(folder / "ratios.json") or []
        ratios += [RatioPoint.model_validate(point) for point in tried]
    order = _table_order(rows, classifiers)
    return Runs(
        rows=[rows[i] for i in order],
        scores=[scores[i] for i in order],
        curves=curves,
        ratios=sorted(ratios, key=lambda p: (p.gan, p.classifier, p.real_count, p.subset, p.ratio)),
    )


def _table_order(rows: Sequence[ResultRow], classifiers: Sequence[str]) -> list[int]:
    """Sort as the table is read: classifier, real count, arms without a GAN first, runs."""
    arms = in_order({row.arm for row in rows})

    def place(i: int) -> tuple[int, int, str, int, int, int]:
        row = rows[i]
        return (
            classifiers.index(row.classifier),
            row.real_count,
            row.real_count_label,
            arms.index(row.arm),
            row.subset,
            row.seed,
        )

    return sorted(range(len(rows)), key=place)
