"""The report of a study: one HTML file for a physician, and its parts as PNG, CSV and text."""

from __future__ import annotations

from gan_core.report.data import (
    CopyPair,
    DatasetSection,
    GanSection,
    LeakPicture,
    LearningCurve,
    ReportData,
    ScoreCurves,
    Snapshot,
    Sweep,
)
from gan_core.report.exports import results_csv, results_text, verdicts_csv
from gan_core.report.pictures import samples_png
from gan_core.report.plots import over_counts_png
from gan_core.report.render import render_report
from gan_core.report.tables import classifiers

__all__ = [
    "CopyPair",
    "DatasetSection",
    "GanSection",
    "LeakPicture",
    "LearningCurve",
    "ReportData",
    "ScoreCurves",
    "Snapshot",
    "Sweep",
    "curves_png",
    "render_report",
    "results_csv",
    "results_text",
    "samples_png",
    "verdicts_csv",
]


def curves_png(data: ReportData) -> bytes | None:
    """Return ROC-AUC and balanced accuracy against the real counts as PNG bytes.

    Returns:
        None when no classifier was part of the study.
    """
    names = classifiers(data.results)
    return over_counts_png(data.results, names) if names else None
