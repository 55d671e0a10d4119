"""Progress: bars on a terminal, lines anywhere else."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from graft.cli.tables import duration

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

    from graft.client import Client, Job

_LINE_SECONDS = 5.0
_POLL_SECONDS = 0.7


def _stderr() -> Console:
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def say(line: str) -> None:
    """Show a line where progress is shown."""
    _stderr().print(line, markup=False)


class TransferBars:
    """Bars for bytes on their way."""

    def __init__(self, console: Console, progress: Progress | None) -> None:
        self._console = console
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}
        self._times: dict[str, tuple[float, float]] = {}

    def of(self, label: str) -> Callable[[int, int], None]:
        """Return a function to call with (bytes so far, bytes in all)."""

        def update(done: int, total: int) -> None:
            if self._progress is None:
                self._line(label, done, total)
                return
            if label not in self._tasks:
                self._tasks[label] = self._progress.add_task(label, total=total)
            self._progress.update(self._tasks[label], completed=done)

        return update

    def _line(self, label: str, done: int, total: int) -> None:
        """For pipes and logs: a line now and then, with an estimate."""
        now = time.monotonic()
        began, _ = self._times.setdefault(label, (now, now))
        if done == total:
            self._console.print(f"{label}: done", markup=False)
        elif now - self._times[label][1] >= _LINE_SECONDS:
            self._times[label] = (began, now)
            left = duration((now - began) * (total - done) / max(1, done))
            line = f"{label}: {done / total:.0%}, about {left} left"
            self._console.print(line, markup=False)

    def say(self, line: str) -> None:
        """Show a line above the bars."""
        self._console.print(line, markup=False)


@contextmanager
def transfer_bars() -> Iterator[TransferBars]:
    """Show bars for as long as the context lasts."""
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    console = _stderr()
    if not console.is_terminal:
        yield TransferBars(console, None)
        return
    progress = Progress(
        TextColumn("{task.description:<24}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(compact=True),
        console=console,
        transient=True,
    )
    with progress:
        yield TransferBars(console, progress)


class _Lines:
    """For pipes and logs: a line when the stage changes, else now and then."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._stage: str | None = None
        self._status = ""
        self._printed_at = 0.0

    def update(self, job: Job) -> None:
        now = time.monotonic()
        is_news = (job.status, job.progress.stage) != (self._status, self._stage)
        if not is_news and not job.is_over and now - self._printed_at < _LINE_SECONDS:
            return
        self._status, self._stage, self._printed_at = job.status, job.progress.stage, now
        self._console.print(describe(job), markup=False, soft_wrap=True)


def describe(job: Job) -> str:
    """Return a job's progress in one line."""
    progress = job.progress
    parts = [f"{progress.fraction:6.1%}", job.status]
    if not job.is_over:
        parts += [part for part in (progress.stage, progress.detail) if part]
        if progress.eta_seconds is not None:
            parts.append(f"about {duration(progress.eta_seconds)} left")
    return "  ".join(parts)


def watch_job(client: Client, job: Job | str) -> Job:
    """Show a job's progress until it is over, and return it."""
    console = _stderr()
    if not console.is_terminal:
        lines = _Lines(console)
        return client.jobs.wait(job, on_update=lines.update, poll_seconds=_POLL_SECONDS)
    from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn

    progress = Progress(
        SpinnerColumn(),
        TextColumn("{task.fields[stage]:<10}", style="bold", markup=False),
        BarColumn(bar_width=30),
        TaskProgressColumn(),
        TextColumn("{task.fields[eta]}", style="cyan", markup=False),
        TextColumn("{task.description}", style="dim", markup=False),
        console=console,
        transient=True,
    )
    with progress:
        task = progress.add_task("waiting for a worker", total=1.0, stage="queued", eta="")

        def update(current: Job) -> None:
            now = current.progress
            eta = "" if now.eta_seconds is None else f"{duration(now.eta_seconds)} left"
            progress.update(
                task,
                completed=now.fraction,
                description=now.detail or "",
                stage=now.stage or current.status,
                eta=eta,
            )

        return client.jobs.wait(job, on_update=update, poll_seconds=_POLL_SECONDS)
