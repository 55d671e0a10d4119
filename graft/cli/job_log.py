"""A job's log on a terminal."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from graft.cli.tables import console, printable

if TYPE_CHECKING:
    from graft.client import Client
    from graft.client.course_models import LogLine

_PAGE = 200
_POLL_SECONDS = 1.0
_COLOURS = {"warning": "yellow", "error": "red"}


def log_lines(client: Client, job_id: str, *, is_followed: bool) -> Iterator[LogLine]:
    """Yield a job's lines, the oldest first; followed, until the job is over."""
    cursor: str | None = None
    while True:
        # Asked before the lines: of a job that was over then, all lines are there.
        is_over = not is_followed or client.jobs.get(job_id).is_over
        while True:
            page = client.jobs.log(job_id, limit=_PAGE, cursor=cursor)
            yield from page.items
            cursor = page.next_cursor
            if len(page.items) < _PAGE:
                break
        if is_over:
            return
        time.sleep(_POLL_SECONDS)


def show_log(lines: Iterable[LogLine]) -> None:
    """Print a job's lines: moment, step, and what it told, in the colour of how bad it is."""
    from rich.text import Text

    out = console()
    for line in lines:
        at = line.at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
        step = printable(line.step) + (f" #{line.attempt}" if line.attempt > 1 else "")
        first, *more = printable(line.text).split("\n")
        told = Text(f"{at}  ", style="dim")
        told.append(f"{step:<28}  ", style="cyan")
        told.append("\n    ".join([first, *more]), style=_COLOURS.get(line.level, ""))
        out.print(told)
