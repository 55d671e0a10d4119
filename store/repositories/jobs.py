"""Jobs of one workspace."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from gan_core.spec import Plan
from store.deleting import delete_job, hold_jobs, unfinished_among
from store.graph import add_job, ask_to_cancel, lock_job
from store.objects import Objects
from store.repositories.paging import ALWAYS, Page, Period, page_of
from store.step_tables import Step, StepDependency
from store.tables import IdempotencyKey, Job, JobEvent
from store.tracing import origin


class JobRepository:
    """Jobs of one workspace."""

    def __init__(self, session: Session, workspace_id: str) -> None:
        self._session = session
        self._workspace_id = workspace_id

    def add(self, job: Job, plan: Plan, objects: Objects | None) -> None:
        """Write a new job and its steps; finished steps with the same keys are reused.

        The job remembers the request that is at work.
        """
        job.workspace_id = self._workspace_id
        # Whichever endpoint it came through: what workers log about it carries them on.
        job.request_id, job.traceparent = origin().request_id, origin().traceparent
        add_job(self._session, job, plan, objects)

    def get(self, job_id: str) -> Job | None:
        """Return a job, or null."""
        return self._session.scalar(
            select(Job).where(Job.id == job_id, Job.workspace_id == self._workspace_id)
        )

    def page(
        self,
        limit: int,
        cursor: str | None,
        *,
        status: str | None = None,
        dataset_id: str | None = None,
        kind: str | None = None,
        created: Period = ALWAYS,
    ) -> Page[Job]:
        """Return jobs, the newest first."""
        query = select(Job).where(Job.workspace_id == self._workspace_id)
        if status is not None:
            query = query.where(Job.status == status)
        if dataset_id is not None:
            query = query.where(Job.dataset_id == dataset_id)
        if kind is not None:
            query = query.where(Job.kind == kind)
        query = created.within(query, Job.created_at)
        return page_of(self._session, query, Job.id, limit, cursor)

    def steps(self, job_id: str) -> Sequence[Step]:
        """Return a job's steps in the plan's order."""
        return self._session.scalars(
            select(Step)
            .where(Step.job_id == job_id, Step.workspace_id == self._workspace_id)
            .order_by(Step.position)
        ).all()

    def needs(self, job_id: str) -> dict[str, list[str]]:
        """Return for each of a job's steps that needs others the names of those, by its id."""
        needed = aliased(Step)
        rows = self._session.execute(
            select(StepDependency.step_id, needed.name)
            .join(Step, Step.id == StepDependency.step_id)
            .join(needed, needed.id == StepDependency.needs_id)
            .where(Step.job_id == job_id, Step.workspace_id == self._workspace_id)
            .order_by(needed.position)
        )
        found: dict[str, list[str]] = {}
        for step_id, name in rows:
            found.setdefault(step_id, []).append(name)
        return found

    def step_named(self, job_id: str, name: str) -> Step | None:
        """Return one of a job's steps, or null."""
        return self._session.scalar(
            select(Step).where(
                Step.job_id == job_id, Step.name == name, Step.workspace_id == self._workspace_id
            )
        )

    def cancel(self, job_id: str) -> tuple[Job, bool] | None:
        """Ask for a job to be cancelled.

        Returns:
            The job, and whether this call changed anything; null when there is no such job.
        """
        if self.get(job_id) is None:
            return None
        job = lock_job(self._session, job_id)
        return None if job is None else (job, ask_to_cancel(self._session, job))

    def hold(self, job_id: str) -> Job | None:
        """Return a job, or null, its row held against everybody until the transaction ends."""
        which = (Job.id == job_id) & (Job.workspace_id == self._workspace_id)
        return next(iter(hold_jobs(self._session, which)), None)

    def hold_of_dataset(self, dataset_id: str) -> Sequence[Job]:
        """Return the jobs of a data set, its ingest's included, held as ``hold`` does."""
        which = (Job.dataset_id == dataset_id) & (Job.workspace_id == self._workspace_id)
        return hold_jobs(self._session, which)

    def unfinished_among(self, jobs: Sequence[Job]) -> list[Job]:
        """Return those of some jobs of which something is still at work."""
        return unfinished_among(self._session, jobs)

    def delete(self, job: Job) -> None:
        """Delete a job that is held and over, with all that it left."""
        delete_job(self._session, job)

    def events_after(self, job_id: str, after: int, limit: int = 200) -> Sequence[JobEvent]:
        """Return a job's events with ids above ``after``, in order."""
        return self._session.scalars(
            select(JobEvent)
            .where(
                JobEvent.job_id == job_id,
                JobEvent.workspace_id == self._workspace_id,
                JobEvent.id > after,
            )
            .order_by(JobEvent.id)
            .limit(limit)
        ).all()

    def latest_event(self, job_id: str) -> Sequence[JobEvent]:
        """Return a job's newest event, alone."""
        return self._session.scalars(
            select(JobEvent)
            .where(JobEvent.job_id == job_id, JobEvent.workspace_id == self._workspace_id)
            .order_by(JobEvent.id.desc())
            .limit(1)
        ).all()

    def finished_keys(self, keys: Sequence[str]) -> frozenset[str]:
        """Return those of some steps' keys for which a finished step can be reused."""
        return frozenset(
            self._session.scalars(
                select(Step.key).where(
                    Step.workspace_id == self._workspace_id,
                    Step.status == "succeeded",
                    Step.output_prefix.is_not(None),
                    Step.key.in_(keys),
                )
            )
        )

    def by_idempotency_key(self, key: str) -> IdempotencyKey | None:
        """Return what a key was used for, or null."""
        return self._session.get(IdempotencyKey, (self._workspace_id, key))

    def remember(self, key: str, request_sha256: str, job_id: str) -> None:
        """Note that a key was used."""
        self._session.add(
            IdempotencyKey(
                workspace_id=self._workspace_id,
                key=key,
                request_sha256=request_sha256,
                job_id=job_id,
            )
        )
        self._session.flush()
