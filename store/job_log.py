"""What is told of a job's steps to whoever asked for it, a line at a time.

Lines hold nothing that an upload brought with it: no file name, no path. Every function here
expects the caller to hold the job's row (``store.graph.lock_job``): so a line that comes later has
the higher id, and who reads on from the last id that they have seen misses none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from store.clock import now_of
from store.page_tables import LogLevel, LogLine
from store.records import StepError
from store.step_tables import Step

MOST_LINES = 5000
"""Of a job; of more the oldest go."""
MOST_CHARACTERS = 4000
"""Of a line; of a longer one the end is kept, which says of a traceback what went wrong."""


@dataclass(frozen=True)
class Told:
    """A line that is still to be written; said so many seconds ago."""

    text: str
    level: LogLevel = "info"
    age_seconds: float = 0.0


def note(session: Session, step: Step, text: str, level: LogLevel = "info") -> None:
    """Write a line about a step."""
    note_all(session, step, step.attempt, [Told(text, level)])


def note_all(session: Session, step: Step, attempt: int, lines: Sequence[Told]) -> None:
    """Write lines about one attempt at a step, in order."""
    now = now_of(session)
    for line in lines:
        session.add(
            LogLine(
                workspace_id=step.workspace_id,
                job_id=step.job_id,
                step_name=step.name,
                attempt=attempt,
                level=line.level,
                text=_shortened(line.text.replace("\0", "")),
                created_at=now - timedelta(seconds=line.age_seconds),
            )
        )
        session.flush()  # one by one, so that their ids are in this order


def trim(session: Session, job_id: str) -> None:
    """Delete the oldest lines of a job that has told too many."""
    last_kept = (
        select(LogLine.id)
        .where(LogLine.job_id == job_id)
        .order_by(LogLine.id.desc())
        .offset(MOST_LINES - 1)
        .limit(1)
    )
    first_id = session.scalar(last_kept)
    if first_id is not None:
        session.execute(
            delete(LogLine)
            .where(LogLine.job_id == job_id, LogLine.id < first_id)
            .execution_options(synchronize_session=False)
        )


def note_start(session: Session, step: Step) -> None:
    """Tell that a worker has begun a step."""
    text = "Started" if step.attempt == 1 else f"Started, attempt {step.attempt}"
    if step.queued_at is not None:
        waited = max(0.0, (now_of(session) - step.queued_at).total_seconds())
        text += f", after {_duration(waited)} in the queue"
    note(session, step, f"{text}.")


def note_success(session: Session, step: Step) -> None:
    """Tell that a step has succeeded; it has its end."""
    took = ""
    if step.started_at is not None and step.finished_at is not None:
        took = f" in {_duration((step.finished_at - step.started_at).total_seconds())}"
    note(session, step, f"Done{took}.")
    trim(session, step.job_id)


def note_failure(session: Session, step: Step, error: StepError, *, retry_in: float | None) -> None:
    """Tell why an attempt failed.

    Args:
        session: A write transaction.
        step: Whose it was.
        error: Why.
        retry_in: Seconds until the next attempt may begin; null: there is none.
    """
    # What is wrong with an upload is said with its names, which have their place at the data set.
    said = f"Failed ({error.code})."
    if step.kind != "ingest":
        said = f"Failed ({error.code}): {error.detail} {error.hint}".strip()
    if retry_in is None:
        note(session, step, said, "error")
        trim(session, step.job_id)
        return
    when = f" in {_duration(retry_in)}" if retry_in >= 1 else ""
    note(session, step, f"{said} It is tried again{when}.", "warning")


def _shortened(text: str) -> str:
    return text if len(text) <= MOST_CHARACTERS else "…" + text[1 - MOST_CHARACTERS :]


def _duration(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
