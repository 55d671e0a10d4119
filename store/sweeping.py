"""Putting right what silence left behind. Any number of sweepers may run at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, exists, func, or_, select, update
from sqlalchemy.sql.elements import ColumnElement

from store.clock import SLACK, now_of
from store.database import Database
from store.fairness import can_begin, is_due
from store.graph import advance, lock_job, ring
from store.leases import lapsed_leases
from store.objects import Objects
from store.step_tables import FINAL_STEP_STATES, OutboxRow, Step
from store.steps import StepLedger
from store.tables import FINAL_JOB_STATES, Dataset, Job, WorkerSeen, Workspace

_AT_ONCE = 200
_KEEP_SENT = timedelta(days=1)
_KEEP_SILENT = timedelta(days=1)
_SLOWEST_RING = 32
# Longer than any upload takes to arrive.
_STRAY_SECONDS = 24 * 3600.0


@dataclass(frozen=True)
class Swept:
    """What one sweep did, in numbers of steps and jobs."""

    requeued: int
    failed: int
    rung: int
    settled: int


def sweep(
    database: Database,
    *,
    max_attempts: int,
    lease_seconds: float = 60.0,
    ring_again_after: float = 60.0,
) -> Swept:
    """Requeue or end steps whose lease lapsed, ring again, and end jobs that nothing drives.

    Args:
        database: Where the steps are.
        max_attempts: Starts without progress after which a step that went silent fails for good.
        lease_seconds: The length of a lease.
        ring_again_after: Seconds a queued step waits before the doorbell rings again for it; it
            doubles with each ring, since a step may simply be waiting for its turn.
    """
    _forget_workers(database)
    outcomes: list[str | None] = []
    for step_id in _lapsed(database, lease_seconds):
        with database.write() as session:
            outcomes.append(
                StepLedger(session).expire(
                    step_id, max_attempts=max_attempts, lease_seconds=lease_seconds
                )
            )
    return Swept(
        requeued=outcomes.count("requeued"),
        failed=outcomes.count("failed"),
        rung=_ring_due(database) + _ring_again(database, ring_again_after),
        settled=_settle_idle_jobs(database),
    )


def remove_spent_uploads(database: Database, objects: Objects) -> int:
    """Delete the uploads of data sets that were read or rejected: nothing reads them again.

    An upload holds what the packed images do not, such as EXIF and file names. So those go, too,
    that an API which was killed left half-written, or whole and without a data set.

    Returns:
        How many were deleted.

    Raises:
        OSError: The object store does not answer; the next call goes on.
    """
    with database.read() as session:
        spent = session.execute(
            select(Dataset.id, Dataset.upload_key)
            .where(Dataset.status != "ingesting", Dataset.upload_removed_at.is_(None))
            .limit(_AT_ONCE)
        ).all()
    for dataset_id, upload_key in spent:
        objects.delete(upload_key)
        with database.write() as session:
            session.execute(
                update(Dataset)
                .where(Dataset.id == dataset_id)
                .values(upload_removed_at=now_of(session))
            )
    return len(spent) + _remove_stray_uploads(database, objects)


def _remove_stray_uploads(database: Database, objects: Objects) -> int:
    with database.read() as session:
        workspaces = list(session.scalars(select(Workspace.id)))
    removed = 0
    for workspace_id in workspaces:
        prefix = f"workspaces/{workspace_id}/uploads/"
        removed += objects.remove_unfinished(prefix, _STRAY_SECONDS)
        old = sorted(objects.list(prefix, older_than_seconds=_STRAY_SECONDS))
        if not old:
            continue
        with database.read() as session:
            known = set(
                session.scalars(
                    select(Dataset.upload_key).where(
                        Dataset.workspace_id == workspace_id, Dataset.upload_removed_at.is_(None)
                    )
                )
            )
        for key in old:
            if key not in known:
                objects.delete(key)
                removed += 1
    return removed


def over_among(database: Database, step_ids: Sequence[str]) -> frozenset[str]:
    """Return those of some steps that are over, so that nobody will go on with them."""
    with database.read() as session:
        return frozenset(
            session.scalars(
                select(Step.id).where(Step.id.in_(step_ids), Step.status.in_(FINAL_STEP_STATES))
            )
        )


def _forget_workers(database: Database) -> None:
    """Remove workers that nobody has seen for long: a killed one never says goodbye."""
    with database.read() as session:
        is_forgotten = WorkerSeen.seen_at < now_of(session) - _KEEP_SILENT
        if session.scalar(select(exists().where(is_forgotten))) is not True:
            return
    with database.write() as session:
        session.execute(delete(WorkerSeen).where(is_forgotten))


def ring_when_idle(
    database: Database, worker_id: str, queues: Sequence[str], *, slots: int, after_seconds: float
) -> int:
    """Ring for steps that wait although a worker has nothing to do; return how many.

    A message may have been lost with the broker, or have come while the worker claimed nothing.
    Rung for is at most one step for each idle slot of the worker, and for none that was rung for
    just now.
    """
    with database.read() as session:
        now = now_of(session)
        busy = session.scalar(
            select(func.count())
            .select_from(Step)
            .where(Step.status == "running", Step.worker_id == worker_id)
        )
        idle = slots - (busy or 0)
        if idle <= 0:
            return 0
        waiting = [
            (step_id, queue)
            for queue in queues
            for step_id in session.scalars(
                select(Step.id)
                .where(can_begin(queue, now), _was_rung_before(now, after_seconds))
                .order_by(Step.rung_at)
                .limit(idle)
            )
        ][:idle]
    if waiting:
        with database.write() as session:
            session.add_all(OutboxRow(step_id=step_id, queue=queue) for step_id, queue in waiting)
    return len(waiting)


def _was_rung_before(now: datetime, seconds: float) -> ColumnElement[bool]:
    """Return the condition under which the last ring is so long ago, or lies in the future."""
    return or_(Step.rung_at < now - timedelta(seconds=seconds), Step.rung_at > now + SLACK)


def _ring_due(database: Database) -> int:
    """Ring for steps that were to be tried again later, and whose time has come."""
    with database.read() as session:
        waits = (Step.status == "queued") & is_due(now_of(session))
        if session.scalar(select(exists().where(waits))) is not True:
            return 0
    with database.write() as session:
        due = session.scalars(
            select(Step).where(waits).limit(_AT_ONCE).with_for_update(skip_locked=True)
        ).all()
        for step in due:
            ring(session, step)
        return len(due)


def _lapsed(database: Database, lease_seconds: float) -> list[str]:
    with database.read() as session:
        return list(
            session.scalars(
                select(Step.id)
                .where(Step.status == "running", lapsed_leases(lease_seconds, now_of(session)))
                .order_by(Step.lease_expires_at)
                .limit(_AT_ONCE)
            )
        )


def _ring_again(database: Database, after: float) -> int:
    with database.write() as session:
        now = now_of(session)
        session.execute(delete(OutboxRow).where(OutboxRow.sent_at < now - _KEEP_SENT))
        is_promised = exists().where(OutboxRow.step_id == Step.id, OutboxRow.sent_at.is_(None))
        waiting = session.scalars(
            select(Step)
            .where(
                Step.status == "queued",
                Step.available_at.is_(None),
                _was_rung_before(now, after),
                ~is_promised,
            )
            .order_by(Step.rung_at)
            .limit(_AT_ONCE)
            .with_for_update(skip_locked=True)
        ).all()
        due = [
            step
            for step in waiting
            if step.rung_at is not None
            and not (
                timedelta(0)
                <= now - step.rung_at
                < timedelta(seconds=after * min(_SLOWEST_RING, 2 ** max(0, step.rings - 1)))
            )
        ]
        for step in due:
            ring(session, step)
        return len(due)


def _settle_idle_jobs(database: Database) -> int:
    """End jobs whose last step was recorded by someone who died before the job was."""
    is_driven = exists().where(Step.job_id == Job.id, Step.status.in_(["queued", "running"]))
    with database.read() as session:
        idle = list(
            session.scalars(
                select(Job.id)
                .where(Job.status.not_in(FINAL_JOB_STATES), ~is_driven)
                .limit(_AT_ONCE)
            )
        )
    for job_id in idle:
        with database.write() as session:
            job = lock_job(session, job_id)
            if job is not None:
                advance(session, job)
    return len(idle)
