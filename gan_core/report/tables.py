"""The tables of a study, as plain rows: the literature's own form, and the honest one."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

from gan_core.report.text import ENGLISH, Text
from gan_core.spec.results import ArmSummary, Interval, ResultRow, Results

HONEST_FIGURES = ("accuracy", "balanced_accuracy", "sensitivity", "specificity", "roc_auc")

# A best value is marked only where calling everything by one name cannot win it.
_MARKED_FIGURES = ("balanced_accuracy", "roc_auc")

_CLASSIFIER_ORDER = ("seed-cnn", "probe")
_ARM_ORDER = ("real-only", "class-weights", "oversample")


@dataclass(frozen=True)
class Column:
    """A real count of the study."""

    label: str
    real_count: int
    heading: str
    phrase: str


@dataclass(frozen=True)
class StudyTable:
    """Arms down, real counts across, "accuracy / AUC" in each cell, as the literature prints it."""

    classifier: str
    columns: list[Column]
    rows: list[tuple[str, list[str]]]
    most_runs: int


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


def share(value: float | None) -> str:
    """Return a share in [0, 1] as journals print it (".83", "1.00"), or a dash."""
    if value is None:
        return "–"
    return signless(f"{value:.2f}")


def difference(value: float | None) -> str:
    """Return a difference of shares with its sign ("+.02", "−.10"), or a dash."""
    if value is None:
        return "–"
    if abs(value) < 0.005:
        return ".00"
    sign = "+" if value > 0 else "−"
    return sign + signless(f"{abs(value):.2f}")


def signless(text: str) -> str:
    """Drop the zero before the point ("0.83" → ".83")."""
    return text.removeprefix("0") if text.startswith("0.") else text


def classifiers(results: Results) -> list[str]:
    """Return the classifiers that have results, the study's own first."""
    present = {s.classifier for s in results.summaries}
    known = [name for name in _CLASSIFIER_ORDER if name in present]
    return known + sorted(present - set(known))


def arms(results: Results) -> list[str]:
    """Return the arms that have results, those without a GAN first."""
    present = {s.arm for s in results.summaries}
    known = [name for name in _ARM_ORDER if name in present]
    return known + sorted(present - set(known))


def columns(results: Results, text: Text = ENGLISH) -> list[Column]:
    """Return the real counts that have results, rising; "all" is last."""
    labels = {(s.real_count_label, s.real_count) for s in results.summaries}
    ordered = sorted(labels, key=lambda c: (c[1], not c[0].isdigit()))
    return [Column(c[0], c[1], text.count(*c), text.phrase(*c)) for c in ordered]


def summary_of(results: Results, classifier: str, arm: str, column: Column) -> ArmSummary | None:
    """Return the summary of one arm at one real count, or None when it was not run."""
    for s in results.summaries:
        if (s.classifier, s.arm, s.real_count_label) == (classifier, arm, column.label):
            return s
    return None


def _mean(summary: ArmSummary | None, figure: str) -> float | None:
    if summary is None or figure not in summary.figures:
        return None
    return summary.figures[figure].mean


def study_table(results: Results, classifier: str, text: Text = ENGLISH) -> StudyTable:
    """Return the table in the form of the literature.

    Cells hold "accuracy/balanced accuracy", the second of which the literature calls AUC.
    """
    across = columns(results, text)
    rows = []
    most_runs = 0
    failed: dict[tuple[str, str], set[str]] = {}
    for entry in results.failed:
        if "arm" in entry:
            column_of = (entry["arm"], entry["real_count"])
            failed.setdefault(column_of, set()).add(entry["subset"])
    present = arms(results)
    for arm in present + sorted({arm for arm, _ in failed} - set(present)):
        cells = []
        for column in across:
            summary = summary_of(results, classifier, arm, column)
            if summary is None:
                cells.append(text("cell_failed") if (arm, column.label) in failed else "–")
                continue
            most_runs = max(most_runs, summary.n_runs)
            accuracy = share(_mean(summary, "accuracy"))
            balanced = share(_mean(summary, "balanced_accuracy"))
            lost = len(failed.get((arm, column.label), ()))
            mark = text("cell_lost", n=lost) if lost else ""
            cells.append(f"{accuracy}/{balanced}{mark}")
        if any(cell != "–" for cell in cells):
            rows.append((arm, cells))
    return StudyTable(classifier, across, rows, most_runs)


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
    between = ""
    if interval.low is not None and interval.high is not None:
        between = f"{share(interval.low)}–{share(interval.high)}"
    return Cell(share(interval.mean), spread, between, is_best)


def honest_table(results: Results, classifier: str, text: Text = ENGLISH) -> list[HonestGroup]:
    """Return every figure of every arm with its spread and interval, grouped by real count."""
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
                group_note = text("group_note", **counts)
                note = text("fakes_note", **counts) if run.n_fake else ""
            cells = [
                _cell(summary.figures.get(f), is_best=summary.arm in best.get(f, ()))
                for f in HONEST_FIGURES
            ]
            label = text.arm(summary.arm)
            rows.append(HonestRow(label, summary.arm.startswith("gan:"), note, cells))
        groups.append(HonestGroup(column, group_note, rows))
    return groups


def _example(results: Results, summary: ArmSummary) -> ResultRow | None:
    for row in results.rows:
        if (row.classifier, row.arm, row.real_count_label) == (
            summary.classifier,
            summary.arm,
            summary.real_count_label,
        ):
            return row
    return None


def results_csv(results: Results) -> str:
    """Return every run as CSV (RFC 4180 but for bare newlines), a line a run.

    Columns are ``ResultRow``'s fields in their order; an undefined figure is an empty field.
    """
    out = io.StringIO()
    writer = csv.DictWriter(out, list(ResultRow.model_fields), lineterminator="\n")
    writer.writeheader()
    for row in results.rows:
        writer.writerow(row.model_dump())
    return out.getvalue()


def results_text(results: Results, text: Text = ENGLISH) -> str:
    """Return the tables as plain text for a terminal, one for each classifier.

    Cells hold accuracy/balanced accuracy/ROC-AUC.
    """
    blocks = []
    for classifier in classifiers(results):
        across = columns(results, text)
        lines = [["", *(column.heading for column in across)]]
        for arm in arms(results):
            found = [summary_of(results, classifier, arm, column) for column in across]
            if not any(found):
                continue
            cells = [
                "/".join(share(_mean(s, f)) for f in ("accuracy", "balanced_accuracy", "roc_auc"))
                if s
                else "–"
                for s in found
            ]
            lines.append([text.arm(arm), *cells])
        widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
        heading = text("terminal_heading", classifier=text.named("classifier", classifier))
        printed = [
            "  ".join(
                cell.ljust(width) if i == 0 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        ]
        blocks.append("\n".join([heading, *printed]))
    return "\n\n".join(blocks)
