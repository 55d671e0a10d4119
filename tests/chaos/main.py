"""``make chaos``: hurt a real service in every way that we know, and see whether anybody notices.

Prints a table (fault, times, recovered, median and longest seconds to recover) and what must hold
afterwards. Ends with 1 when anything does not.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from pathlib import Path

from harness.house import Plan
from harness.promise import keep_promise
from harness.scene import Outcome, Size, play
from harness.servers import why_no_postgres
from harness.table import show_checks, show_faults, summary
from rich.console import Console


def main(arguments: list[str]) -> int:
    """Run; return the exit status."""
    asked = _parser().parse_args(arguments)
    console = Console(width=110)
    begin = time.monotonic()

    def tell(line: str) -> None:
        console.print(f"[dim]{time.monotonic() - begin:6.0f} s[/]  {line}", highlight=False)

    # Whoever ends us, the services that we started end first.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    reason = why_no_postgres()
    if reason is not None:
        tell(f"SQLite instead of PostgreSQL: {reason}")
    size = Size(
        faults=asked.faults,
        seed=asked.seed,
        studies=asked.studies,
        jobs=asked.jobs,
        longest=asked.minutes * 60,
        names=frozenset(asked.only),
    )
    plan = Plan(is_postgres=reason is None, workspaces=size.workspaces)
    outcome = play(plan, size, tell, keep=asked.keep) if asked.faults else Outcome()
    if asked.default_kills:
        records, checks = keep_promise(asked.default_kills, reason is None, tell)
        outcome.records += records
        outcome.checks += checks
    outcome.facts |= {"seed": asked.seed, "seconds": round(time.monotonic() - begin)}
    show_faults(console, outcome.records, outcome.skipped)
    show_checks(console, outcome.checks)
    console.print(outcome.facts)
    if asked.json is not None:
        said = summary(outcome.records, outcome.skipped, outcome.checks, outcome.facts)
        asked.json.write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")
    return 0 if outcome.is_good else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--faults", type=int, default=100, help="how many strike; 0: none")
    parser.add_argument("--seed", type=int, default=0, help="of their order and their victims")
    parser.add_argument("--jobs", type=int, default=12, help="how many there are at least")
    parser.add_argument("--studies", type=int, default=6, help="how many different ones")
    parser.add_argument("--minutes", type=float, default=60, help="no fault strikes after these")
    parser.add_argument(
        "--default-kills", type=int, default=2, help="workers killed with the default lease"
    )
    parser.add_argument("--only", action="append", default=[], help="a fault's name; repeatable")
    parser.add_argument("--keep", action="store_true", help="keep data and logs")
    parser.add_argument("--json", type=Path, help="where to write everything as JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
