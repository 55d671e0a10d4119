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
from store.step_tables import FINAL_STEP_STATES, OutboxRow, Step
from store.steps import StepLedger
from store.tables import FINAL_JOB_STATES, Job, WorkerSeen

_AT_ONCE = 200
_KEEP_SENT = timedelta(days=1)
_KEEP_SILENT = timedelta(days=1)
_SLOWEST_RING = 32


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
    ring_again_after: float = 60.0,
) -> Swept:
    """Requeue or end steps whose lease lapsed, ring again, and end jobs that nothing drives.

    Args:
        database: Where the steps are.
        max_attempts: Starts without progress after which a step that went silent fails for good.
        ring_again_after: Seconds a queued step waits before the doorbell rings again for it; it
            doubles with each ring, since a step may simply be waiting for its turn.
    """
    _forget_workers(database)
    outcomes: list[str | None] = []
    for step_id in _lapsed(database):
        with database.write() as session:
            outcomes.append(StepLedger(session).expire(step_id, max_attempts=max_attempts))
    return Swept(
        requeued=outcomes.count("requeued"),
        failed=outcomes.count("failed"),
        rung=_ring_due(database) + _ring_again(database, ring_again_after),
        settled=_settle_idle_jobs(database),
    )


def over_among(database: Database, step_ids: Sequence[str]) -> frozenset[str]:
    """Return those of some steps that are over or deleted, so that nobody will go on with them."""
    with database.read() as session:
        unfinished = session.scalars(
            select(Step.id).where(Step.id.in_(step_ids), Step.status.not_in(FINAL_STEP_STATES))
        )
        return frozenset(step_ids).difference(unfinished)


def _forget_workers(database: Database) -> None:
    """Remove workers that nobody has seen for long: a killed one never says goodbye."""
    with database.read() as session:
        is_forgotten = WorkerSeen.seen_at < now_of(session) - _KEEP_SILENT
        if session.scalar(select(exists().where(is_forgotten))) is not True:
            return
    with database.write() as session:
        session.execute(delete(WorkerSeen).where(is_forgotten))


def is_at_work(
    database: Database, worker_id: str, *, place: str | None = None, host: str | None = None
) -> bool:
    """Say whether a worker, or another of its machine, holds any step.

    Args:
        database: Where that is written.
        worker_id: Of the worker.
        place: Where it is (``worker.place``); null: nobody is asked about who shares that.
        host: The name of its machine, which workers with data directories of their own share, too;
            null: as above.
    """
    holders: list[ColumnElement[bool]] = [Step.worker_id == worker_id]
    if place is not None:
        holders.append(Step.place == place)
    if host is not None:
        there = select(WorkerSeen.id).where(WorkerSeen.host == host)
        holders.append(Step.worker_id.in_(there))
    with database.read() as session:
        running = exists().where(Step.status == "running", or_(*holders))
        return session.scalar(select(running)) is True


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
                .where(can_begin(queue, now), _was_rung_before(now, after_seconds), ~_is_promised())
                .order_by(Step.rung_at)
                .limit(idle)
            )
        ][:idle]
    if waiting:
        with database.write() as session:
            # Held against deletion; what is being deleted is left out.
            there = set(
                session.scalars(
                    select(Step.id)
                    .where(Step.id.in_([step_id for step_id, _ in waiting]))
                    .with_for_update(read=True, key_share=True, skip_locked=True)
                )
            )
            waiting = [one for one in waiting if one[0] in there]
            session.add_all(OutboxRow(step_id=step_id, queue=queue) for step_id, queue in waiting)
            session.execute(
                update(Step)
                .where(Step.id.in_([step_id for step_id, _ in waiting]))
                .values(rung_at=now_of(session))
            )
    return len(waiting)


def _is_promised() -> ColumnElement[bool]:
    """Return the condition under which a ring for a step is on its way to the broker."""
    return exists().where(OutboxRow.step_id == Step.id, OutboxRow.sent_at.is_(None))


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


def _lapsed(database: Database) -> list[str]:
    with database.read() as session:
        return list(
            session.scalars(
                select(Step.id)
                .where(Step.status == "running", lapsed_leases(now_of(session)))
                .order_by(Step.lease_expires_at)
                .limit(_AT_ONCE)
            )
        )


def _ring_again(database: Database, after: float) -> int:
    with database.write() as session:
        now = now_of(session)
        session.execute(delete(OutboxRow).where(OutboxRow.sent_at < now - _KEEP_SENT))
        waiting = session.scalars(
            select(Step)
            .where(
                Step.status == "queued",
                Step.available_at.is_(None),
                _was_rung_before(now, after),
                ~_is_promised(),
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
