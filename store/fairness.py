"""Which step a free worker takes next.

A message only says that there is something to do in a queue; what, is decided here. Workspaces
share the workers: the one that has the fewest steps at work goes first, and of equals the one that
was served longest ago. So a study of a thousand steps delays a small job of somebody else by the
steps that are at work, not by those that wait. Within a workspace a job of higher priority goes
first, and of equals they take turns in the same way. Work that a person waits for at the screen
(reading an upload) goes before everything, one step of each workspace at a time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import and_, exists, func, or_, select
from sqlalchemy.orm import Session, aliased
from sqlalchemy.sql.elements import ColumnElement

from gan_core.spec.steps import STEP_VERSIONS
from store.clock import SLACK, now_of
from store.step_tables import Step
from store.tables import Job

PRIORITIES: dict[str, int] = {"low": -1, "normal": 0, "high": 1}
INTERACTIVE = 10
"""Priority from which on a job goes before those of all workspaces."""

LONGEST_PAUSE = 600.0
"""Seconds between two tries of a step, at the most."""

_NEVER_SERVED = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Waiting:
    """A job with steps that could be begun now."""

    job_id: str
    workspace_id: str
    priority: int
    served_at: datetime | None


@dataclass(frozen=True)
class AtWork:
    """What runs at the moment, in numbers of steps, and when each workspace was last served."""

    by_workspace: Counter[str]
    by_job: Counter[str]
    served_at: dict[str, datetime]
    interactive: Counter[str] = field(default_factory=Counter)
    """Of those by workspace, the steps that somebody waits for at the screen."""


def in_turn(waiting: Sequence[Waiting], at_work: AtWork) -> list[Waiting]:
    """Return the jobs in the order in which they should be served; see the module's text."""

    def place(job: Waiting) -> tuple[bool, int, datetime, int, int, datetime, str]:
        return (
            # One at a time of each workspace, so that a thousand of one do not keep all others.
            job.priority < INTERACTIVE or at_work.interactive[job.workspace_id] > 0,
            at_work.by_workspace[job.workspace_id],
            at_work.served_at.get(job.workspace_id, _NEVER_SERVED),
            -job.priority,
            at_work.by_job[job.job_id],
            job.served_at or _NEVER_SERVED,
            # Ids sort by the time at which they were made.
            job.job_id,
        )

    return sorted(waiting, key=place)


def can_begin(queue: str | None, now: datetime) -> ColumnElement[bool]:
    """Return the condition under which a step could be claimed now, by the code that runs here.

    Args:
        queue: Only of this queue; null: of any.
        now: The time by the database's clock.
    """
    is_within_reach = or_(
        Step.code_version.is_(None),
        *(
            and_(Step.kind == kind, Step.code_version <= number)
            for kind, number in STEP_VERSIONS.items()
        ),
    )
    return and_(
        Step.status == "queued",
        Step.queue == queue if queue is not None else Step.queue.is_not(None),
        or_(Step.available_at.is_(None), is_due(now)),
        is_within_reach,
        # The same work is done once: the other job gets it when it is there.
        ~has_running_twin(),
    )


def has_running_twin() -> ColumnElement[bool]:
    """Return the condition under which a step's work is being done for another job."""
    twin = aliased(Step)
    return exists().where(
        twin.workspace_id == Step.workspace_id,
        twin.key == Step.key,
        twin.status == "running",
        twin.id != Step.id,
    )


def is_due(now: datetime) -> ColumnElement[bool]:
    """Return the condition under which the pause before another try is over."""
    return or_(
        Step.available_at <= now,
        # Written before the clock was set back: no pause is that long.
        Step.available_at > now + SLACK + timedelta(seconds=LONGEST_PAUSE),
    )


def next_steps(session: Session, queue: str, limit: int = 20) -> list[str]:
    """Return ids of steps to claim, the one whose turn it is first, at most one a job.

    Nothing is locked: another worker may be faster, and the next in the list is then to be tried.
    """
    now = now_of(session)
    waiting = [
        Waiting(*row)
        for row in session.execute(
            select(Job.id, Job.workspace_id, Job.priority, Job.served_at).where(
                Job.status.in_(["queued", "running"]),
                exists().where(Step.job_id == Job.id, can_begin(queue, now)),
            )
        )
    ]
    if not waiting:
        return []
    found = []
    for job in in_turn(waiting, _at_work(session, queue, waiting))[:limit]:
        step_id = session.scalar(
            select(Step.id)
            .where(Step.job_id == job.job_id, can_begin(queue, now))
            .order_by(Step.position)
            .limit(1)
        )
        if step_id is not None:
            found.append(step_id)
    return found


def _at_work(session: Session, queue: str, waiting: Sequence[Waiting]) -> AtWork:
    by_workspace: Counter[str] = Counter()
    by_job: Counter[str] = Counter()
    interactive: Counter[str] = Counter()
    for workspace_id, job_id, priority, count in session.execute(
        select(Step.workspace_id, Step.job_id, Job.priority, func.count())
        .join(Job, Job.id == Step.job_id)
        .where(Step.status == "running", Step.queue == queue)
        .group_by(Step.workspace_id, Step.job_id, Job.priority)
    ):
        by_workspace[workspace_id] += count
        by_job[job_id] += count
        if priority >= INTERACTIVE:
            interactive[workspace_id] += count
    served = session.execute(
        select(Job.workspace_id, func.max(Job.served_at))
        .where(Job.workspace_id.in_({job.workspace_id for job in waiting}))
        .group_by(Job.workspace_id)
    )
    last = {ws: at for ws, at in served if at is not None}
    return AtWork(by_workspace, by_job, last, interactive)
