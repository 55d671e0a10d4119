"""What a job's steps mean for the job: its status, its progress, and who is told of them.

Every function here expects the caller to hold the job's row (``store.graph.lock_job``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session, defer

from store.clock import now_of
from store.progress import measure
from store.step_tables import Step, StepDependency
from store.tables import Dataset, Job, JobEvent
from store.webhook_events import tell_of_dataset, tell_of_job


def steps_of(session: Session, job_id: str) -> Sequence[Step]:
    """Return the job's steps as they are in the database now, in the plan's order.

    What they read and leave is fetched when it is looked at: a job can have thousands.
    """
    query = (
        select(Step)
        .where(Step.job_id == job_id)
        .order_by(Step.position)
        .options(defer(Step.params), defer(Step.inputs), defer(Step.outputs))
    )
    session.flush()
    return session.scalars(query.execution_options(populate_existing=True)).all()


def settle(session: Session, job: Job) -> None:
    """Bring the job's status and progress in line with its steps. Final states stay.

    A job whose steps are all over has succeeded when those have that no other step reads: the
    report and the zip. What failed on the way there is noted in ``failures``.
    """
    if job.is_final:
        return
    before = job.status
    steps = steps_of(session, job.id)
    _note_failures(job, steps)
    if job.status == "cancelling":
        if not any(step.status == "running" for step in steps):
            _end(session, job, "cancelled", steps)
    elif all(step.is_final for step in steps):
        ends = _last_steps(session, steps)
        _end(
            session,
            job,
            "succeeded" if all(step.status == "succeeded" for step in ends) else "failed",
            steps,
        )
    elif job.status == "queued" and any(step.status == "running" for step in steps):
        job.status = "running"
        job.started_at = now_of(session)
    _show_progress(session, job, steps)
    add_event(session, job, "status" if job.status != before else "progress")
    if job.status != before:
        tell_of_job(session, job)


def _note_failures(job: Job, steps: Sequence[Step]) -> None:
    failures = [
        {**_without_evidence(step.error), "step": step.name}
        for step in steps
        if step.status == "failed"
    ]
    if failures != (job.failures or []):
        job.failures = failures


def _without_evidence(error: dict[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (error or {}).items() if name != "evidence"}


def _last_steps(session: Session, steps: Sequence[Step]) -> list[Step]:
    """Return those of a job's steps that no other step reads."""
    read = set(
        session.scalars(
            select(StepDependency.needs_id)
            .join(Step, Step.id == StepDependency.step_id)
            .where(Step.job_id.in_({step.job_id for step in steps}))
        )
    )
    return [step for step in steps if step.id not in read]


def _end(session: Session, job: Job, status: Any, steps: Sequence[Step]) -> None:
    now = now_of(session)
    job.status = status
    job.finished_at = now
    job.started_at = job.started_at or now
    if status == "failed" and job.failures:
        job.error = dict(job.failures[0])
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
            tell_of_dataset(session, dataset)


def _show_progress(session: Session, job: Job, steps: Sequence[Step]) -> None:
    measured = measure(steps, now_of(session), has_begun=job.started_at is not None)
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
