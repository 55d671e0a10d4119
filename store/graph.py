"""A job's graph: making it, letting steps through as others finish, and what it means for the job.

Every function here expects the caller to hold the job's row (``lock_job``): that one lock, always
taken first, puts all changes to a job and its steps in a row, and its events in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, exists, select
from sqlalchemy.orm import Session, aliased

from gan_core.spec import Plan
from store.columns import new_id, utc_now
from store.database import FOR_NO_KEY_UPDATE
from store.objects import Objects
from store.progress import measure
from store.records import INTERNAL
from store.removals import hold_files
from store.step_tables import OutboxRow, Step, StepDependency
from store.tables import Artifact, Dataset, Job, JobEvent


def lock_job(session: Session, job_id: str) -> Job | None:
    """Return the job, its row held until the transaction ends."""
    return session.get(Job, job_id, with_for_update=FOR_NO_KEY_UPDATE, populate_existing=True)


def steps_of(session: Session, job_id: str) -> Sequence[Step]:
    """Return the job's steps as they are in the database now, in the plan's order."""
    query = select(Step).where(Step.job_id == job_id).order_by(Step.position)
    session.flush()
    return session.scalars(query.execution_options(populate_existing=True)).all()


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
        )
    session.add_all(steps.values())
    session.flush()
    for planned in plan.steps:
        for needed in planned.needs():
            session.add(StepDependency(step_id=steps[planned.name].id, needs_id=steps[needed].id))
    session.flush()
    add_event(session, job, "status")
    for step in steps.values():
        reuse(session, job, step, objects)
    advance(session, job)


def advance(session: Session, job: Job) -> None:
    """Queue the steps whose needs are met, then bring the job in line with its steps."""
    if job.status in {"queued", "running"}:
        for step in _ready_steps(session, job.id):
            ring(session, step)
    settle(session, job)


def _ready_steps(session: Session, job_id: str) -> Sequence[Step]:
    needed = aliased(Step)
    has_unmet_need = exists().where(
        StepDependency.step_id == Step.id,
        StepDependency.needs_id == needed.id,
        needed.status != "succeeded",
    )
    session.flush()
    return session.scalars(
        select(Step)
        .where(Step.job_id == job_id, Step.status == "pending", ~has_unmet_need)
        .order_by(Step.position)
    ).all()


def ring(session: Session, step: Step) -> None:
    """Queue a step and promise a ring of the doorbell."""
    if step.status == "running":
        # Where the attempt ended; the next claim keeps how long it ran.
        now = utc_now()
        step.finished_at = min(now, step.lease_expires_at or now)
    step.status = "queued"
    step.lease_token = None
    step.lease_expires_at = None
    step.rung_at = utc_now()
    step.rings += 1
    session.add(OutboxRow(step_id=step.id, queue=step.queue))


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
        now = utc_now()
        step.status = "succeeded"
        step.reused_from = twin.reused_from or twin.id
        step.outputs = list(twin.outputs)
        step.output_prefix = twin.output_prefix
        step.fraction = 1.0
        step.finished_at = now
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
    dataset.ready_at = utc_now()
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


def settle(session: Session, job: Job) -> None:
    """Bring the job's status and progress in line with its steps. Final states stay."""
    if job.is_final:
        return
    before = job.status
    steps = steps_of(session, job.id)
    failed = next((step for step in steps if step.status == "failed"), None)
    if failed is not None:
        job.error = {**(failed.error or {}), "step": failed.name}
        _end(session, job, "failed", steps)
    elif job.status == "cancelling":
        if not any(step.status == "running" for step in steps):
            _end(session, job, "cancelled", steps)
    elif all(step.status == "succeeded" for step in steps):
        _end(session, job, "succeeded", steps)
    elif job.status == "queued" and any(step.status == "running" for step in steps):
        job.status = "running"
        job.started_at = utc_now()
    _show_progress(job, steps)
    add_event(session, job, "status" if job.status != before else "progress")


def _end(session: Session, job: Job, status: Any, steps: Sequence[Step]) -> None:
    now = utc_now()
    job.status = status
    job.finished_at = now
    job.started_at = job.started_at or now
    for step in steps:
        if step.status in {"pending", "queued"}:
            step.status = "cancelled"
            step.finished_at = now
    if job.kind == "ingest" and status != "succeeded":
        dataset = session.get_one(Dataset, job.dataset_id)
        if dataset.status == "ingesting":
            reason = job.error or {"code": "cancelled", "detail": "The ingest was cancelled."}
            dataset.status = "rejected"
            dataset.problems = [{k: v for k, v in reason.items() if k != "step"}]


def _show_progress(job: Job, steps: Sequence[Step]) -> None:
    measured = measure(steps, utc_now(), has_begun=job.started_at is not None)
    if job.is_final:
        job.fraction = 1.0 if job.status == "succeeded" else measured.fraction
        job.stage = job.detail = job.eta_seconds = None
        return
    job.fraction = measured.fraction
    job.stage = measured.stage
    job.detail = measured.detail
    job.eta_seconds = measured.eta_seconds


def add_event(session: Session, job: Job, kind: str) -> None:
    """Append an event for the job's watchers, and raise the job's version.

    Of the progress only the latest is kept: a training of days would leave a million rows.
    """
    job.version = (job.version or 0) + 1
    session.flush()
    event = JobEvent(
        workspace_id=job.workspace_id,
        job_id=job.id,
        type=kind,
        data={
            "id": job.id,
            "status": job.status,
            "progress": {
                "fraction": job.fraction,
                "stage": job.stage,
                "detail": job.detail,
                "eta_seconds": job.eta_seconds,
            },
            "error": job.error,
        },
    )
    session.add(event)
    # After the new row has its number: SQLite gives the highest one out again once it is free.
    session.flush()
    session.execute(
        delete(JobEvent).where(
            JobEvent.job_id == job.id, JobEvent.type == "progress", JobEvent.id < event.id
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
    now = utc_now()
    for step in steps_of(session, job.id):
        if step.status in {"pending", "queued"}:
            step.status = "cancelled"
            step.finished_at = now
    add_event(session, job, "status")
    settle_if_idle(session, job)
    return True


def settle_if_idle(session: Session, job: Job) -> None:
    """Finish a job that is being cancelled when nothing of it runs any more."""
    if not any(step.status == "running" for step in steps_of(session, job.id)):
        settle(session, job)
