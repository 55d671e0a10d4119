"""Putting right what silence left behind. Any number of sweepers may run at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, exists, select

from store.columns import utc_now
from store.database import Database
from store.graph import advance, lock_job, ring
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


def sweep(database: Database, *, max_attempts: int, ring_again_after: float = 60.0) -> Swept:
    """Requeue or end steps whose lease lapsed, ring again, and end jobs that nothing drives.

    Args:
        database: Where the steps are.
        max_attempts: Starts after which a step that went silent fails for good.
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
        rung=_ring_again(database, ring_again_after),
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
    is_forgotten = WorkerSeen.seen_at < utc_now() - _KEEP_SILENT
    with database.read() as session:
        if session.scalar(select(exists().where(is_forgotten))) is not True:
            return
    with database.write() as session:
        session.execute(delete(WorkerSeen).where(is_forgotten))


def _lapsed(database: Database) -> list[str]:
    with database.read() as session:
        return list(
            session.scalars(
                select(Step.id)
                .where(Step.status == "running", Step.lease_expires_at < utc_now())
                .order_by(Step.lease_expires_at)
                .limit(_AT_ONCE)
            )
        )


def _ring_again(database: Database, after: float) -> int:
    now = utc_now()
    with database.write() as session:
        session.execute(delete(OutboxRow).where(OutboxRow.sent_at < now - _KEEP_SENT))
        is_promised = exists().where(OutboxRow.step_id == Step.id, OutboxRow.sent_at.is_(None))
        waiting = session.scalars(
            select(Step)
            .where(
                Step.status == "queued",
                Step.rung_at < now - timedelta(seconds=after),
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
            and (now - step.rung_at).total_seconds()
            >= after * min(_SLOWEST_RING, 2 ** max(0, step.rings - 1))
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
