"""Booking what is used up, and how long a step kept a device busy: once, when an attempt ends."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from store.access_tables import Usage
from store.step_tables import Step
from store.tables import Job
from store.upserting import insert_into

NOBODY = "system"
"""Who used it, where the job does not say who asked for it."""


def book(
    session: Session, workspace_id: str, kind: str, actor: str, amount: float, *, day: str
) -> None:
    """Add to what an actor of a workspace used on a day (UTC); any number may at once."""
    statement = insert_into(session, Usage).values(
        workspace_id=workspace_id, day=day, kind=kind, actor=actor, amount=amount
    )
    session.execute(
        statement.on_conflict_do_update(
            index_elements=[Usage.workspace_id, Usage.day, Usage.kind, Usage.actor],
            set_={"amount": Usage.amount + statement.excluded.amount},
        )
    )


def book_time(session: Session, step: Step, until: datetime) -> None:
    """Book the attempt that ends now, to whom asked for the job; its job's row must be held.

    ``started_at`` leaves out the breaks between attempts, and ``booked_seconds`` what earlier
    attempts have booked: so each second that the step ran is booked once, however it ended, and a
    step whose outputs were reused has run for none.

    Args:
        session: The transaction in which the attempt ends.
        step: Still with the times of its attempt.
        until: When it ended: for a worker that fell silent, when its lease did.
    """
    if step.started_at is None:
        return
    begun = step.started_at + timedelta(seconds=step.booked_seconds or 0.0)
    if until <= begun:  # no time at all, or a clock that was set back
        return
    actor = session.get_one(Job, step.job_id).created_by or NOBODY
    kind = "gpu_seconds" if step.queue == "gpu" else "cpu_seconds"
    for day, seconds in by_day(begun, until):
        book(session, step.workspace_id, kind, actor, seconds, day=day)
    step.booked_seconds = (step.booked_seconds or 0.0) + (until - begun).total_seconds()


def by_day(begin: datetime, end: datetime) -> Iterator[tuple[str, float]]:
    """Yield each day of UTC that a span of time touches, and how many seconds of it."""
    begin, end = begin.astimezone(UTC), end.astimezone(UTC)
    while begin < end:
        midnight = next_day(begin)
        yield f"{begin:%Y-%m-%d}", (min(end, midnight) - begin).total_seconds()
        begin = midnight


def next_day(moment: datetime) -> datetime:
    """Return the midnight (UTC) that follows."""
    day = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day + timedelta(days=1)


def next_month(moment: datetime) -> datetime:
    """Return the first midnight (UTC) of the month that follows."""
    first = moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return (first + timedelta(days=32)).replace(day=1)
