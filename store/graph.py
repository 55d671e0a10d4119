"""A job's graph: making it, letting steps through as others finish, and what it means for the job.

Every function here expects the caller to hold the job's row (``lock_job``): that one lock, always
taken first, puts all changes to a job and its steps in a row, and its events in order.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import insert, literal, select
from sqlalchemy.orm import Session

from gan_core.spec import Plan
from store.clock import now_of
from store.columns import UtcDateTime, new_id
from store.database import FOR_NO_KEY_UPDATE
from store.job_log import note
from store.objects import Objects
from store.readiness import ready_steps, skip_what_cannot_be
from store.records import INTERNAL
from store.removals import hold_files
from store.settling import add_event, settle, steps_of
from store.step_tables import OutboxRow, Step, StepDependency
from store.tables import Artifact, Dataset, Job
from store.tallies import count_outcome
from store.usage import book_time
from store.webhook_events import tell_of_dataset


def lock_job(session: Session, job_id: str) -> Job | None:
    """Return the job, its row held until the transaction ends."""
    return session.get(Job, job_id, with_for_update=FOR_NO_KEY_UPDATE, populate_existing=True)


def add_job(session: Session, job: Job, plan: Plan, objects: Objects | None) -> None:
    """Write a job and its steps; reuse what is finished; queue what is ready.

    Args:
        session: A write transaction.
        job: Not yet in the session.
        plan: Steps in an order in which they can be carried out.
        objects: Where to look whether a finished step's files are still there; null: trusted.
    """
    session.add(job)
    session.flush()
    steps: dict[str, Step] = {}
    for position, planned in enumerate(plan.steps):
        steps[planned.name] = Step(
            id=new_id("step"),
            workspace_id=job.workspace_id,
            job_id=job.id,
            position=position,
            name=planned.name,
            kind=planned.kind,
            queue=planned.queue,
            key=planned.key,
            params=planned.params,
            inputs={label: i.model_dump(mode="json") for label, i in planned.inputs.items()},
            estimate_seconds=planned.estimate_seconds,
            workload=planned.workload,
            units=planned.units if planned.workload else None,
            code_version=planned.code_version or None,
        )
    session.add_all(steps.values())
    session.flush()
    for planned in plan.steps:
        for needed in planned.needs():
            session.add(
                StepDependency(
                    step_id=steps[planned.name].id,
                    needs_id=steps[needed].id,
                    soft_group=planned.soft_group_of(needed),
                )
            )
    session.flush()
    add_event(session, job, "status")
    for step in steps.values():
        reuse(session, job, step, objects)
    advance(session, job)


def advance(session: Session, job: Job) -> None:
    """Queue the steps whose needs are met, skip those whose needs never will be, and settle."""
    if job.status in {"queued", "running"}:
        skip_what_cannot_be(session, job)
        for step in ready_steps(session, job):
            ring(session, step)
    settle(session, job)


def ring(session: Session, step: Step, *, after_seconds: float = 0.0) -> None:
    """Queue a step and promise a ring of the doorbell: now, or by the sweeper when it is time."""
    if step.status == "running":
        # Where the attempt ended; the next claim keeps how long it ran.
        now = now_of(session)
        step.finished_at = min(now, step.lease_expires_at or now)
        book_time(session, step, step.finished_at)
    was_queued = step.status == "queued"
    step.status = "queued"
    step.lease_token = None
    step.lease_expires_at = None
    step.rung_at = now_of(session)
    step.rings += 1
    if not was_queued:
        # A pause before another try is no wait for a worker.
        step.queued_at = step.rung_at + timedelta(seconds=after_seconds)
    if after_seconds > 0:
        step.available_at = step.rung_at + timedelta(seconds=after_seconds)
        return
    step.available_at = None
    session.add(OutboxRow(step_id=step.id, queue=step.queue))


def ring_for_twins(session: Session, step: Step) -> None:
    """Ring for queued steps with the key of one that is over: they waited for what it leaves."""
    # One statement: a twin can be deleted with its job between a look and an insert. And a lock, on
    # which a deletion waits, so that it sees the ring; a twin that is being deleted is left out.
    twins = (
        select(Step.id, Step.queue, literal(now_of(session), UtcDateTime()))
        .where(
            Step.workspace_id == step.workspace_id,
            Step.key == step.key,
            Step.status == "queued",
            Step.id != step.id,
        )
        .with_for_update(read=True, key_share=True, skip_locked=True)
    )
    session.execute(insert(OutboxRow).from_select(["step_id", "queue", "created_at"], twins))


def reuse(session: Session, job: Job, step: Step, objects: Objects | None) -> bool:
    """Mark a step as succeeded when one with the same key has, in the same workspace.

    Returns:
        Whether it was.
    """
    twins = session.scalars(
        select(Step)
        .where(
            Step.workspace_id == step.workspace_id,
            Step.key == step.key,
            Step.kind == step.kind,
            Step.status == "succeeded",
            Step.id != step.id,
        )
        .order_by(Step.finished_at.desc(), Step.id)
        .limit(1)
    ).all()
    for twin in twins:
        if not hold_files(session, twin):  # they are being deleted
            continue
        if not _outputs_exist(twin, objects) or not _adopt_dataset(session, job, step, twin):
            continue
        now = now_of(session)
        step.status = "succeeded"
        step.reused_from = twin.reused_from or twin.id
        step.outputs = list(twin.outputs)
        step.output_prefix = twin.output_prefix
        step.fraction = 1.0
        step.finished_at = now
        count_outcome(session, step.kind, "reused")
        note(session, step, "Reused: a step that was finished before had made the same.")
        publish(session, step)
        session.flush()
        return True
    return False


def _outputs_exist(twin: Step, objects: Objects | None) -> bool:
    if objects is None or twin.output_prefix is None:
        return twin.output_prefix is not None
    there = objects.list(twin.output_prefix)
    return all(there.get(output["object_key"]) == output["size"] for output in twin.outputs)


def _adopt_dataset(session: Session, job: Job, step: Step, twin: Step) -> bool:
    """For an ingest: take over what the twin found out about the same upload."""
    if step.kind != "ingest":
        return True
    found = session.scalars(
        select(Dataset).join(Job, Job.dataset_id == Dataset.id).where(Job.id == twin.job_id)
    ).one()
    dataset = session.get_one(Dataset, job.dataset_id)
    if found.status != "ready" or found.facts is None:
        return False
    dataset.status = "ready"
    dataset.facts = dict(found.facts)
    dataset.files = list(found.files)
    dataset.problems = list(found.problems)
    dataset.ready_at = now_of(session)
    tell_of_dataset(session, dataset)
    return True


def publish(session: Session, step: Step) -> None:
    """Write the artifact rows of a succeeded step."""
    for output in step.outputs:
        if output["kind"] == INTERNAL:
            continue
        session.add(
            Artifact(
                id=new_id("art"),
                workspace_id=step.workspace_id,
                job_id=step.job_id,
                step_id=step.id,
                kind=output["kind"],
                name=output["name"],
                media_type=output["media_type"],
                size=output["size"],
                sha256=output["sha256"],
                object_key=output["object_key"],
            )
        )


def ask_to_cancel(session: Session, job: Job) -> bool:
    """Cancel what waits, and ask the workers to end what runs.

    Returns:
        False when the job was over or being cancelled already.
    """
    if job.is_final or job.status == "cancelling":
        return False
    job.status = "cancelling"
    now = now_of(session)
    for step in steps_of(session, job.id):
        if step.status in {"pending", "queued"}:
            step.status = "cancelled"
            step.finished_at = now
        elif step.status == "running":
            note(session, step, "A cancel was asked for; its worker is told.")
    add_event(session, job, "status")
    settle_if_idle(session, job)
    return True


def settle_if_idle(session: Session, job: Job) -> None:
    """Finish a job that is being cancelled when nothing of it runs any more."""
    if not any(step.status == "running" for step in steps_of(session, job.id)):
        settle(session, job)
