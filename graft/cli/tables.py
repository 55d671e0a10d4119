"""Tables for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from gan_core.spec.results import ArmSummary, Interval, Results
    from graft.client import PlannedJob

_FIGURES = {
    "accuracy": "acc.",
    "balanced_accuracy": "bal. acc.",
    "sensitivity": "sens.",
    "specificity": "spec.",
    "roc_auc": "ROC-AUC",
}
_LEGEND = (
    "acc.: accuracy; bal. acc.: balanced accuracy, what the study called “AUC”; sens., spec.:"
    " sensitivity and specificity for the rare class"
)
_PIPE_WIDTH = 160
_COLOURS = {"helps": "green", "harms": "red"}


def console() -> Console:
    """Return the console for a command's answer."""
    from rich.console import Console

    out = Console(highlight=False, soft_wrap=True)
    if not out.is_terminal:
        # A file or a pipe has no edge at which a table would have to be folded.
        out.width = max(out.width, _PIPE_WIDTH)
    return out


def printable(text: str) -> str:
    """Return a text without what a terminal would obey: names come from whoever gave them."""
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)


def plain_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; every cell is text that was not written by us, so no markup in it."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, column in enumerate(columns):
        # The first is an id, to be copied whole.
        table.add_column(column, overflow="fold", no_wrap=number == 0)
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    out = console()
    out.soft_wrap = False
    out.print(table)


def _cell(figure: Interval | None) -> str:
    if figure is None:
        return "–"
    if figure.sd is not None:
        return f"{figure.mean:.2f} ± {figure.sd:.2f}"
    return f"{figure.mean:.2f}"


def show_results(results: Results) -> None:
    """Print the table of every classifier, then the verdicts."""
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    out = console()
    out.soft_wrap = False
    for classifier in dict.fromkeys(s.classifier for s in results.summaries):
        table = Table(
            title=f"{classifier}: real test images, rare class {results.rare_class!r}",
            title_justify="left",
            header_style="bold",
            box=SIMPLE_HEAD,
        )
        table.add_column("real", no_wrap=True)
        table.add_column("arm", no_wrap=True)
        for label in _FIGURES.values():
            table.add_column(label, justify="right", no_wrap=True)
        before: str | None = None
        for summary in [s for s in results.summaries if s.classifier == classifier]:
            if before not in {None, summary.real_count_label}:
                table.add_section()
            table.add_row(*_row(summary, is_first=before != summary.real_count_label))
            before = summary.real_count_label
        out.print(table)
    if results.summaries:
        out.print(f"[dim]{_LEGEND}[/]")
    # Results of the version before have a verdict a GAN, and no conclusion a real count.
    for told in results.conclusions or results.verdicts:
        colour = _COLOURS.get(told.outcome, "yellow")
        out.print(f"[{colour}]●[/] {escape(told.sentence)}")
    for failed in results.failed:
        column = f"{failed['column']}. " if "column" in failed else ""
        said = escape(column + failed.get("detail", failed.get("code", "")))
        out.print(f"[red]not computed:[/] {said}")


def _row(summary: ArmSummary, *, is_first: bool) -> list[str]:
    label = summary.real_count_label
    count = label if label == str(summary.real_count) else f"{label} ({summary.real_count})"
    figures = [_cell(summary.figures.get(name)) for name in _FIGURES]
    return [count if is_first else "", summary.arm, *figures]


def estimated(planned: PlannedJob) -> str:
    """Return how long a planned job will take, and how that is known."""
    how = "typical of two CPU cores" if planned.estimate is None else planned.estimate.source
    return f"about {duration(planned.estimate_seconds)} ({how})"


def duration(seconds: float) -> str:
    """Return a duration for people: "45 s", "3 min 20 s", "2 h 5 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def size(count: int) -> str:
    """Return a number of bytes for people."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"
