"""What is shown: progress while it runs, the table and the checks at its end."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from harness.checks import Check
from harness.run import Record
from rich.console import Console
from rich.table import Table

_SHOWN = 8


def _seconds(values: Sequence[float], pick: Any) -> str:
    return f"{pick(values):.1f}" if values else "–"


def show_faults(console: Console, records: Sequence[Record], skipped: Mapping[str, str]) -> None:
    """Print a line a fault."""
    caption = (
        "Seconds to recover: a lasting fault's count from its end (a sleeper's from its start);"
        " those of a step or ring include the wait for a free worker."
    )
    table = Table(title="Faults", caption=caption, min_width=60)
    table.add_column("fault")
    for heading in ("times", "recovered", "median s", "max s"):
        table.add_column(heading, justify="right")
    for name in sorted({record.name for record in records}):
        of_kind = [record for record in records if record.name == name]
        seconds = [record.seconds for record in of_kind if record.seconds is not None]
        table.add_row(
            name,
            str(len(of_kind)),
            str(len(seconds)),
            _seconds(seconds, statistics.median),
            _seconds(seconds, max),
        )
    for name, reason in sorted(skipped.items()):
        table.add_row(name, "skipped", "", "", "", style="yellow")
        table.add_row(f"  {reason}", style="yellow")
    every = [record.seconds for record in records if record.seconds is not None]
    table.add_section()
    table.add_row(
        "all",
        str(len(records)),
        str(len(every)),
        _seconds(every, statistics.median),
        _seconds(every, max),
    )
    console.print(table)


def show_checks(console: Console, checks: Sequence[Check]) -> None:
    """Print a line a check, and what is wrong below it."""
    for check in checks:
        word = "[red]FAILED[/]" if check.wrong else "[green]holds[/]"
        note = f"  [dim]({check.note})[/]" if check.note else ""
        console.print(f"{word}  {check.name}{note}", highlight=False)
        for line in check.wrong[:_SHOWN]:
            console.print(f"        {line}", markup=False, highlight=False)
        if len(check.wrong) > _SHOWN:
            console.print(f"        … and {len(check.wrong) - _SHOWN} more")


def summary(
    records: Sequence[Record],
    skipped: Mapping[str, str],
    checks: Sequence[Check],
    facts: Mapping[str, Any],
) -> dict[str, Any]:
    """Return everything as plain data."""
    return {
        **facts,
        "faults": [{"fault": r.name, "what": r.what, "seconds": r.seconds} for r in records],
        "skipped": dict(skipped),
        "checks": [asdict(check) for check in checks],
    }
