"""The honest table: every figure with its spread and interval, in groups that fit a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gan_core.report.armnames import has_fakes, parsed
from gan_core.report.tables import Column, arms, columns, interval_between, share, summary_of
from gan_core.report.text import ENGLISH, Text
from gan_core.spec.results import ArmSummary, Interval, ResultRow, Results

# A table of all seventeen would fit no page.
FIGURE_GROUPS: dict[str, tuple[str, ...]] = {
    "main": (
        "roc_auc",
        "pr_auc",
        "moved_balanced_accuracy",
        "moved_sensitivity",
        "moved_specificity",
    ),
    "half": ("accuracy", "balanced_accuracy", "sensitivity", "specificity"),
    "more": (
        "sensitivity_at_90",
        "sensitivity_at_95",
        "brier",
        "calibration_error",
        "moved_accuracy",
    ),
}

# A best value is marked only where calling everything by one name cannot win it.
_MARKED_FIGURES = ("balanced_accuracy", "moved_balanced_accuracy", "roc_auc")


def figure_groups(results: Results) -> dict[str, list[str]]:
    """Return the groups of figures that a study has, each with those of its figures that it has."""
    present = {figure for s in results.summaries for figure in s.figures}
    groups = {name: [f for f in of if f in present] for name, of in FIGURE_GROUPS.items()}
    return {name: figures for name, figures in groups.items() if figures}


@dataclass(frozen=True)
class Cell:
    """One figure of one arm, ready to print."""

    value: str
    spread: str = ""
    interval: str = ""
    is_best: bool = False


@dataclass(frozen=True)
class HonestRow:
    """One arm at one real count."""

    label: str
    is_gan: bool
    note: str
    cells: list[Cell]


@dataclass(frozen=True)
class HonestGroup:
    """All arms at one real count, with one classifier."""

    column: Column
    note: str
    rows: list[HonestRow]


def best_arms(summaries: list[ArmSummary], figure: str) -> set[str]:
    """Return the arm whose interval lies wholly above every other arm's, if there is one.

    Without intervals, or with overlapping ones, the largest mean is no finding: nothing is marked.
    """
    intervals = {s.arm: s.figures[figure] for s in summaries if figure in s.figures}
    if len(intervals) < 2:
        return set()
    best = max(intervals, key=lambda arm: intervals[arm].mean)
    low = intervals[best].low
    others = [interval.high for arm, interval in intervals.items() if arm != best]
    if low is None or any(high is None or high >= low for high in others):
        return set()
    return {best}


def _cell(interval: Interval | None, *, is_best: bool) -> Cell:
    if interval is None:
        return Cell("–")
    spread = "" if interval.sd is None else f"±\u202f{share(interval.sd)}"
    return Cell(share(interval.mean), spread, interval_between(interval), is_best)


def honest_table(
    results: Results, classifier: str, figures: Sequence[str], text: Text = ENGLISH
) -> list[HonestGroup]:
    """Return figures of every arm with their spread and interval, grouped by real count."""
    groups = []
    for column in columns(results, text):
        found = [summary_of(results, classifier, arm, column) for arm in arms(results)]
        summaries = [summary for summary in found if summary is not None]
        if not summaries:
            continue
        best = {f: best_arms(summaries, f) for f in _MARKED_FIGURES}
        rows = []
        group_note = ""
        for summary in summaries:
            run = _example(results, summary)
            note = ""
            if run is not None:
                counts = run.model_dump() | {"rare_class": results.rare_class}
                if parsed(summary.arm).kind != "synthetic-only":
                    group_note = group_note or text("group_note", **counts)
                note = _fakes_note(results, summary, text)
            cells = [
                _cell(summary.figures.get(f), is_best=summary.arm in best.get(f, ()))
                for f in figures
            ]
            label = text.arm(summary.arm)
            rows.append(HonestRow(label, has_fakes(summary.arm), note, cells))
        groups.append(HonestGroup(column, group_note, rows))
    return groups


def _fakes_note(results: Results, summary: ArmSummary, text: Text) -> str:
    """Say how many synthetic images were added; where runs chose a number, between which."""
    added = {row.n_fake for row in _runs(results, summary)}
    if not any(added):
        return text("fakes_note_none") if has_fakes(summary.arm) else ""
    if len(added) == 1:
        return text("fakes_note", n_fake=added.pop())
    return text("fakes_note_between", low=min(added), high=max(added))


def _example(results: Results, summary: ArmSummary) -> ResultRow | None:
    return next(iter(_runs(results, summary)), None)


def _runs(results: Results, summary: ArmSummary) -> list[ResultRow]:
    of = (summary.classifier, summary.arm, summary.real_count_label)
    return [row for row in results.rows if (row.classifier, row.arm, row.real_count_label) == of]
