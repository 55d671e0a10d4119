"""Numbers as people print them, and the table of a study in the literature's own form."""

from __future__ import annotations

from dataclasses import dataclass

from gan_core.report.armnames import in_order
from gan_core.report.text import ENGLISH, Text
from gan_core.spec.results import ArmSummary, Interval, Results

_CLASSIFIER_ORDER = ("seed-cnn", "probe", "finetune")


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


def share(value: float | None) -> str:
    """Return a share in [0, 1] as journals print it (".83", "1.00"), or a dash."""
    if value is None:
        return "–"
    return signless(f"{value:.2f}")


def difference(value: float | None, decimals: int = 2) -> str:
    """Return a difference of shares with its sign ("+.02", "−.10"), or a dash."""
    if value is None:
        return "–"
    size = f"{abs(value):.{decimals}f}"
    if not float(size):
        return signless(size)
    return ("+" if value > 0 else "−") + signless(size)


def signless(text: str) -> str:
    """Drop the zero before the point ("0.83" → ".83")."""
    return text.removeprefix("0") if text.startswith("0.") else text


def interval_between(interval: Interval) -> str:
    """Return the bounds of a share's interval (".57–.63"); empty where it has none."""
    if interval.low is None or interval.high is None:
        return ""
    return f"{share(interval.low)}–{share(interval.high)}"


def classifiers(results: Results) -> list[str]:
    """Return the classifiers that have results, the study's own first."""
    present = {s.classifier for s in results.summaries}
    known = [name for name in _CLASSIFIER_ORDER if name in present]
    return known + sorted(present - set(known))


def arms(results: Results) -> list[str]:
    """Return the arms that have results, those without a GAN first."""
    return in_order({s.arm for s in results.summaries})


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


def mean_of(summary: ArmSummary | None, figure: str) -> float | None:
    """Return the mean of a figure of an arm; None where it has none."""
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
    for arm in in_order({*present, *(arm for arm, _ in failed)}):
        cells = []
        for column in across:
            summary = summary_of(results, classifier, arm, column)
            if summary is None:
                cells.append(text("cell_failed") if (arm, column.label) in failed else "–")
                continue
            most_runs = max(most_runs, summary.n_runs)
            accuracy = share(mean_of(summary, "accuracy"))
            balanced = share(mean_of(summary, "balanced_accuracy"))
            lost = len(failed.get((arm, column.label), ()))
            mark = text("cell_lost", n=lost) if lost else ""
            cells.append(f"{accuracy}/{balanced}{mark}")
        if any(cell != "–" for cell in cells):
            rows.append((arm, cells))
    return StudyTable(classifier, across, rows, most_runs)
