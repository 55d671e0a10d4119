"""What is kept for how long: the files of jobs, and rows that only matter for a while."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Delete, and_, delete, exists, func, select, update
from sqlalchemy.orm import Session, aliased

from gan_core.spec.speeds import SETTINGS_MARK
from store.access_tables import IdempotentRequest
from store.clock import now_of
from store.database import Database
from store.live import live_prefix
from store.page_tables import SignIn
from store.removals import promise
from store.repositories.audit import AuditTrail
from store.step_tables import Step
from store.tables import FINAL_JOB_STATES, Artifact, IdempotencyKey, Job, JobEvent, MeasuredSpeed
from store.webhook_schedule import KEEP
from store.webhook_tables import WebhookDelivery, WebhookMessage

_AT_ONCE = 200
_KEEP_IDEMPOTENCY_KEYS = timedelta(days=7)
_KEEP_EVENTS = timedelta(days=30)
_KEEP_SPEEDS = timedelta(days=90)


def expire(database: Database, *, retention_days: float) -> int:
    """Give up the files of jobs that ended longer ago; return how many prefixes.

    Rows stay, so that one can still see what there was: a step loses its ``output_prefix``, which
    keeps it from being reused, and its artifacts get ``removed_at``. A prefix that a step of a
    younger job has, too, stays with all of its steps. Data sets live until they are deleted, and
    with them what their ingests made. The objects are deleted by ``store.removals.carry_out``.
    """
    with database.read() as session:
        # By the clock that all share: one that is ahead must not delete what others still keep.
        before = now_of(session) - timedelta(days=retention_days)
    expired = 0
    last = ""
    while True:
        with database.read() as session:
            has_files = exists().where(Step.job_id == Job.id, Step.output_prefix.is_not(None))
            ids = session.scalars(
                select(Job.id)
                .where(_is_over(before), Job.id > last, has_files)
                .order_by(Job.id)
                .limit(_AT_ONCE)
            ).all()
            due = [job_id for job_id in ids if _unwanted(session, job_id, before)]
        if not ids:
            return expired
        for job_id in due:
            with database.write() as session:
                expired += _expire_job(session, job_id, before)
        last = ids[-1]


def _is_over(before: datetime) -> ColumnElement[bool]:
    return and_(Job.kind != "ingest", Job.status.in_(FINAL_JOB_STATES), Job.finished_at < before)


def _unwanted(
    session: Session, job_id: str, before: datetime, *, hold: bool = False
) -> dict[str, list[Step]]:
    """Return the prefixes of a job's steps that only jobs have which ended long ago.

    Args:
        session: A transaction.
        job_id: The job.
        before: When the jobs must have ended.
        hold: Hold the jobs, so that nobody takes the files over meanwhile. What another holds at
            the moment is wanted for now: to wait for several of them could mean to wait for ever.

    Returns:
        The steps of any job by prefix.
    """
    its_own = aliased(Step)
    prefixes = select(its_own.output_prefix).where(its_own.job_id == job_id)
    having = select(Step).where(Step.output_prefix.in_(prefixes))
    old = select(Job.id).where(_is_over(before), Job.id.in_(having.with_only_columns(Step.job_id)))
    if hold:
        old = old.order_by(Job.id).with_for_update(skip_locked=True)
    jobs = set(session.scalars(old))
    # Only now: a job that has been held meanwhile may have got another prefix, or none.
    found: dict[str, list[Step]] = defaultdict(list)
    for step in session.scalars(having.execution_options(populate_existing=True)):
        if step.output_prefix is not None:
            found[step.output_prefix].append(step)
    return {
        prefix: steps
        for prefix, steps in found.items()
        if all(step.job_id in jobs and step.is_final for step in steps)
    }


def _expire_job(session: Session, job_id: str, before: datetime) -> int:
    unwanted = _unwanted(session, job_id, before, hold=True)
    steps = [step for steps in unwanted.values() for step in steps]
    if not steps:
        return 0
    for step in steps:
        step.output_prefix = None
    session.execute(
        update(Artifact)
        .where(Artifact.step_id.in_([step.id for step in steps]), Artifact.removed_at.is_(None))
        .values(removed_at=now_of(session))
        .execution_options(synchronize_session=False)
    )
    workspace_id = steps[0].workspace_id
    # A training that failed has left how it went, too.
    shown = [live_prefix(workspace_id, s.id) for s in steps if s.status != "succeeded"]
    promise(session, workspace_id, [*unwanted, *shown])
    trail = AuditTrail(session, workspace_id)
    for expired_id in sorted({step.job_id for step in steps}):
        trail.append("system", "job.expire", expired_id)
    return len(unwanted)


def prune(database: Database) -> int:
    """Delete rows that nobody asks for any more; return how many.

    These are idempotency keys, and what was answered to them, after a week, of jobs that ended a
    month ago every event but the last, what webhooks were told a month ago, sign-ins of browsers
    that have run out, and speeds of a GAN with settings of its own that were last measured three
    months ago: every set of settings that was ever tried leaves one. (Rings of the doorbell that
    were sent go with ``store.sweeping.sweep``.)
    """
    with database.read() as session:
        now = now_of(session)
    later = aliased(JobEvent)
    is_over = Job.status.in_(FINAL_JOB_STATES) & (Job.finished_at < now - _KEEP_EVENTS)
    last = select(func.max(later.id)).where(later.job_id == JobEvent.job_id).scalar_subquery()
    statements: list[Delete] = [
        delete(IdempotencyKey).where(IdempotencyKey.created_at < now - _KEEP_IDEMPOTENCY_KEYS),
        delete(IdempotentRequest).where(
            IdempotentRequest.created_at < now - _KEEP_IDEMPOTENCY_KEYS
        ),
        delete(JobEvent).where(
            JobEvent.job_id.in_(select(Job.id).where(is_over)), JobEvent.id < last
        ),
        delete(SignIn).where(SignIn.expires_at < now),
        delete(MeasuredSpeed).where(
            MeasuredSpeed.workload.contains(SETTINGS_MARK),
            MeasuredSpeed.measured_at < now - _KEEP_SPEEDS,
        ),
        delete(WebhookDelivery).where(
            WebhookDelivery.status != "pending", WebhookDelivery.created_at < now - KEEP
        ),
        delete(WebhookMessage).where(
            WebhookMessage.created_at < now - KEEP,
            ~exists().where(WebhookDelivery.message_id == WebhookMessage.id),
        ),
    ]
    pruned = 0
    for statement in statements:
        with database.write() as session:
            done = session.execute(statement.execution_options(synchronize_session=False))
            pruned += done.rowcount  # type: ignore[attr-defined]
    return pruned
