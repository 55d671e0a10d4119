"""Deleting a job, or a data set, from every table that speaks of it.

Whoever calls holds the jobs' rows FOR UPDATE (``hold_jobs``), which excludes both those who
change a job (``store.graph.lock_job``) and those who would reuse its steps. For a data set the jobs
are held first and the data set after them, in the order in which a worker takes them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.orm import Session

from store.answers import forgotten
from store.live import live_prefix
from store.page_tables import LogLine
from store.removals import promise
from store.step_tables import OutboxRow, Step, StepDependency
from store.tables import Artifact, Dataset, IdempotencyKey, Job, JobEvent
from store.uploads import forget_upload_of


def hold_jobs(session: Session, which: ColumnElement[bool]) -> Sequence[Job]:
    """Return some jobs, their rows held against everybody until the transaction ends."""
    return session.scalars(
        select(Job)
        .where(which)
        .order_by(Job.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()


def unfinished_among(session: Session, jobs: Collection[Job]) -> list[Job]:
    """Return those of some jobs that are not over, or of which a worker still ends a step."""
    ids = [job.id for job in jobs]
    running = set(
        session.scalars(select(Step.job_id).where(Step.job_id.in_(ids), Step.status == "running"))
    )
    return [job for job in jobs if not job.is_final or job.id in running]


def delete_job(session: Session, job: Job) -> None:
    """Delete a job's rows, and promise to delete its files. The audit trail stays."""
    # Held, so that no other job's end rings for one of them behind the deletion of its rings.
    steps = session.execute(
        select(Step.id, Step.output_prefix)
        .where(Step.job_id == job.id)
        .order_by(Step.id)
        .with_for_update()
    ).all()
    prefixes: set[str] = set()
    for step_id, output_prefix in steps:
        home = f"workspaces/{job.workspace_id}"
        # All its attempts; and the prefix of the step that it reused, if that one was deleted.
        own = f"{home}/steps/{step_id}/"
        prefixes |= {own, f"{home}/checkpoints/{step_id}/", live_prefix(job.workspace_id, step_id)}
        if output_prefix is not None and not output_prefix.startswith(own):
            prefixes.add(output_prefix)
    promise(session, job.workspace_id, prefixes)
    of_its_steps = select(Step.id).where(Step.job_id == job.id).scalar_subquery()
    for statement in (
        delete(Artifact).where(Artifact.job_id == job.id),
        delete(StepDependency).where(StepDependency.step_id.in_(of_its_steps)),
        delete(OutboxRow).where(OutboxRow.step_id.in_(of_its_steps)),
        delete(JobEvent).where(JobEvent.job_id == job.id),
        delete(LogLine).where(LogLine.job_id == job.id),
        delete(IdempotencyKey).where(IdempotencyKey.job_id == job.id),
        forgotten(job.workspace_id, job.id),
        delete(Step).where(Step.job_id == job.id),
        delete(Job).where(Job.id == job.id),
    ):
        session.execute(statement.execution_options(synchronize_session=False))


def hold_dataset(session: Session, dataset: Dataset) -> bool:
    """Hold a data set's row, so that no job can be added to it; return whether it is there."""
    query = select(Dataset.id).where(Dataset.id == dataset.id).with_for_update()
    return session.scalar(query) is not None


def delete_dataset(session: Session, dataset: Dataset) -> None:
    """Delete a data set's row, and promise to delete its upload. Its jobs must be gone already.

    The packed images go with the job that made them, unless the same upload was made another data
    set, too: each upload is an object of its own, but what is read from it is used again.
    """
    promise(session, dataset.workspace_id, [dataset.upload_key])
    forget_upload_of(session, dataset.id)
    for statement in (
        forgotten(dataset.workspace_id, dataset.id),
        delete(Dataset).where(Dataset.id == dataset.id),
    ):
        session.execute(statement.execution_options(synchronize_session=False))
