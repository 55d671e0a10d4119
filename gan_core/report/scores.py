"""ROC curves and calibration of each arm, from the scores of its runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_curve

from gan_core.report.data import Floats, ScoreCurves
from gan_core.spec.results import ResultRow

RATES: Floats = np.linspace(0.0, 1.0, 101)
"""False-alarm rates at which ROC curves are averaged."""
_BINS = 10


def score_curves(
    rows: Sequence[ResultRow],
    scores: Sequence[npt.NDArray[np.floating]],
    positive: npt.NDArray[np.bool_],
) -> list[ScoreCurves]:
    """Average the ROC curves of each arm's runs, and pool its scores for calibration.

    Curves are averaged vertically, at equal false-alarm rates (Fawcett 2006, "An introduction to
    ROC analysis").

    Args:
        rows: A run each.
        scores: [M] each, of the test images, in the order of ``rows``.
        positive: [M], which test images are of the rare class.

    Returns:
        An entry for each classifier, real count and arm, in the order of the first row of each;
        none where the test images are all of one kind.
    """
    if not positive.any() or positive.all():
        return []
    members: dict[tuple[str, int, str, str], list[int]] = {}
    for i, row in enumerate(rows):
        key = (row.classifier, row.real_count, row.real_count_label, row.arm)
        members.setdefault(key, []).append(i)
    found = []
    for (classifier, count, label, arm), places in members.items():
        runs = np.stack([np.asarray(scores[i], np.float64) for i in places])
        rates = np.stack([_roc(run, positive) for run in runs])
        found.append(
            ScoreCurves(
                classifier=classifier,
                arm=arm,
                real_count=count,
                real_count_label=label,
                found=rates.mean(0),
                spread=rates.std(0, ddof=1) if len(runs) > 1 else None,
                decision=_decision([rows[i] for i in places]),
                calibration=_calibration(runs, positive),
            )
        )
    return found


def _roc(scores: Floats, positive: npt.NDArray[np.bool_]) -> Floats:
    alarms, hits, _ = roc_curve(positive, scores)
    at_rates: Floats = np.interp(RATES, alarms, hits)
    return at_rates


def _decision(rows: Sequence[ResultRow]) -> tuple[float, float] | None:
    points = [
        (1 - row.moved_specificity, row.moved_sensitivity)
        for row in rows
        if row.moved_specificity is not None and row.moved_sensitivity is not None
    ]
    if not points:
        return None
    alarms, hits = np.mean(points, axis=0)
    return float(alarms), float(hits)


def _calibration(runs: Floats, positive: npt.NDArray[np.bool_]) -> list[tuple[float, float, float]]:
    bins = np.clip((runs * _BINS).astype(int), 0, _BINS - 1)
    truth = np.broadcast_to(positive, runs.shape)
    return [
        (float(runs[own].mean()), float(truth[own].mean()), float(own.sum() / len(runs)))
        for own in (bins == i for i in range(_BINS))
        if own.any()
    ]
