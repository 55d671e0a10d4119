"""The worker's side: who holds a step, and what became of it.

A step is held by a lease: a token that only its holder knows and a moment at which it lapses.
Everything that a worker records is fenced by the token, so a worker that was thought dead and
comes back can change nothing. Messages may arrive twice or late: a claim that finds the step held
or over returns nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta

from sqlalchemy import and_, or_, select, update
from sqlalchemy.orm import Session

from gan_core.spec import DatasetFacts
from store.columns import utc_now
from store.graph import advance, lock_job, publish, reuse, ring, settle, steps_of
from store.objects import Objects
from store.records import ClaimedStep, Ingested, InputFile, Lease, Output, StepError
from store.step_tables import Step
from store.tables import Dataset, Job

ATTEMPTS_EXHAUSTED = StepError(
    code="attempts_exhausted",
    detail="The step was started several times, and each time its worker went silent.",
    hint="A worker may run out of memory or be restarted while it works: look at its log, then"
    " submit the job again; finished steps are reused.",
)


def _time_run(step: Step, now: datetime) -> timedelta:
    """Return for how long earlier attempts at a step ran."""
    end = step.finished_at or step.lease_expires_at
    if step.started_at is None or end is None:
        return timedelta(0)
    return max(timedelta(0), min(now, end) - step.started_at)


class StepLedger:
    """Claims and records steps of any workspace. Must be used inside a write transaction."""

    def __init__(self, session: Session, objects: Objects | None = None) -> None:
        self._session = session
        self._objects = objects

    def claim(
        self, step_id: str, *, worker_id: str, lease_seconds: float, max_attempts: int
    ) -> ClaimedStep | None:
        """Take a step, if it can be had.

        It can when it is queued, or when it runs under a lease that has lapsed, and has attempts
        left. A step for which a finished one with the same key has turned up is reused instead.
        """
        job = self._lock_job_of(step_id)
        if job is None or job.status not in {"queued", "running"}:
            return None
        step = self._session.get_one(Step, step_id, populate_existing=True)
        if step.status == "queued" and reuse(self._session, job, step, self._objects):
            advance(self._session, job)
            return None
        now = utc_now()
        has_run = _time_run(step, now)
        token = secrets.token_hex(16)
        taken = self._session.execute(
            update(Step)
            .where(
                Step.id == step_id,
                Step.attempt < max_attempts,
                or_(
                    Step.status == "queued",
                    and_(Step.status == "running", Step.lease_expires_at < now),
                ),
            )
            .values(
                status="running",
                lease_token=token,
                lease_expires_at=now + timedelta(seconds=lease_seconds),
                attempt=Step.attempt + 1,
                worker_id=worker_id,
                # As if it had run without a break: it goes on from a checkpoint, and what is
                # left is told from how long it ran for how much.
                started_at=now - has_run,
                finished_at=None,
            )
            .returning(Step.id)
            .execution_options(synchronize_session=False)
        ).scalar_one_or_none()
        if taken is None:
            return None
        self._session.refresh(step)
        # The token's start keeps attempts apart that have the same number (see release).
        step.output_prefix = (
            f"workspaces/{step.workspace_id}/steps/{step.id}/{step.attempt}-{token[:8]}/"
        )
        settle(self._session, job)
        return self._describe(job, step, token)

    def heartbeat(
        self,
        step_id: str,
        token: str,
        *,
        lease_seconds: float,
        fraction: float | None = None,
        detail: str | None = None,
    ) -> Lease:
        """Prolong a lease and note how far the step is."""
        held = self._held(step_id, token)
        if held is None:
            return Lease(held=False, stop=False)
        job, step = held
        step.lease_expires_at = utc_now() + timedelta(seconds=lease_seconds)
        has_moved = (fraction, detail) != (None, None) and (
            (fraction, detail) != (step.fraction, step.detail)
        )
        if fraction is not None:
            step.fraction = min(1.0, max(0.0, fraction))
        if detail is not None:
            step.detail = detail[:500]
        if has_moved:
            settle(self._session, job)
        return Lease(held=True, stop=job.is_final or job.status == "cancelling")

    def complete(
        self,
        step_id: str,
        token: str,
        outputs: Sequence[Output],
        *,
        ingested: Ingested | None = None,
    ) -> bool:
        """Publish a step's outputs and let through the steps that waited for it.

        Args:
            step_id: The step.
            token: Of the lease under which the outputs were made.
            outputs: Files already uploaded below the claim's ``output_prefix``.
            ingested: What was read; required for a step of kind ``ingest``.

        Returns:
            False when the lease was lost; then nothing was changed.

        Raises:
            ValueError: An ingest without ``ingested``.
        """
        held = self._held(step_id, token)
        if held is None:
            return False
        job, step = held
        if step.kind == "ingest" and ingested is None:
            raise ValueError("an ingest must say what it read")
        step.outputs = [
            {**asdict(output), "object_key": f"{step.output_prefix}{output.name}"}
            for output in outputs
        ]
        step.status = "succeeded"
        step.fraction = 1.0
        self._let_go(step)
        if ingested is not None:
            self._fill_dataset(job, step, ingested)
        if not job.is_final:
            publish(self._session, step)
        advance(self._session, job)
        return True

    def fail(
        self, step_id: str, token: str, error: StepError, *, retryable: bool, max_attempts: int
    ) -> bool:
        """Record that a step failed; queue it again when that makes sense.

        Returns:
            False when the lease was lost; then nothing was changed.
        """
        held = self._held(step_id, token)
        if held is None:
            return False
        job, step = held
        if retryable and step.attempt < max_attempts and job.status == "running":
            ring(self._session, step)
            settle(self._session, job)
            return True
        is_unwanted = job.is_final or job.status == "cancelling"
        step.status = "cancelled" if is_unwanted else "failed"
        step.error = asdict(error)
        self._let_go(step)
        settle(self._session, job)
        return True

    def release(self, step_id: str, token: str) -> bool:
        """Hand a step back without a mark against it: the worker is asked to stop.

        Returns:
            False when the lease was lost; then nothing was changed.
        """
        held = self._held(step_id, token)
        if held is None:
            return False
        job, step = held
        if job.status != "running":
            return self.cancelled(step_id, token)
        step.attempt -= 1
        ring(self._session, step)
        settle(self._session, job)
        return True

    def cancelled(self, step_id: str, token: str) -> bool:
        """Acknowledge a cancel: the step's child is gone.

        Returns:
            False when the lease was lost; then nothing was changed.
        """
        held = self._held(step_id, token)
        if held is None:
            return False
        job, step = held
        step.status = "cancelled"
        self._let_go(step)
        settle(self._session, job)
        return True

    def is_published(self, step_id: str, output_prefix: str) -> bool:
        """Say whether a step succeeded with the files below a prefix, or is not known any more.

        Waits for a transaction about the same job that may still be on its way.
        """
        job = self._lock_job_of(step_id)
        step = self._session.get(Step, step_id, populate_existing=True)
        if job is None or step is None:
            return True
        return step.status == "succeeded" and step.output_prefix == output_prefix

    def expire(self, step_id: str, *, max_attempts: int) -> str | None:
        """Take a step from a worker that went silent.

        Returns:
            ``requeued``, ``failed`` or ``cancelled``; null when the lease had not lapsed after all.
        """
        job = self._lock_job_of(step_id)
        if job is None:
            return None
        step = self._session.get_one(Step, step_id, populate_existing=True)
        lapses_at = step.lease_expires_at
        if step.status != "running" or lapses_at is None or lapses_at >= utc_now():
            return None
        if job.status != "running":
            outcome = "cancelled"
            step.status = "cancelled"
            self._let_go(step)
        elif step.attempt < max_attempts:
            outcome = "requeued"
            ring(self._session, step)
        else:
            outcome = "failed"
            step.status = "failed"
            step.error = asdict(ATTEMPTS_EXHAUSTED)
            self._let_go(step)
        settle(self._session, job)
        return outcome

    def _lock_job_of(self, step_id: str) -> Job | None:
        job_id = self._session.scalar(select(Step.job_id).where(Step.id == step_id))
        return None if job_id is None else lock_job(self._session, job_id)

    def _held(self, step_id: str, token: str) -> tuple[Job, Step] | None:
        job = self._lock_job_of(step_id)
        if job is None:
            return None
        step = self._session.get_one(Step, step_id, populate_existing=True)
        if step.status != "running" or step.lease_token != token:
            return None
        return job, step

    @staticmethod
    def _let_go(step: Step) -> None:
        step.lease_token = None
        step.lease_expires_at = None
        step.finished_at = utc_now()

    def _fill_dataset(self, job: Job, step: Step, ingested: Ingested) -> None:
        dataset = self._session.get_one(Dataset, job.dataset_id)
        dataset.status = "ready"
        dataset.facts = ingested.facts.model_dump(mode="json")
        dataset.problems = list(ingested.problems)
        dataset.files = list(step.outputs)
        dataset.ready_at = utc_now()

    def _describe(self, job: Job, step: Step, token: str) -> ClaimedStep:
        dataset = self._session.get_one(Dataset, job.dataset_id)
        siblings = {other.name: other for other in steps_of(self._session, job.id)}
        inputs: dict[str, tuple[InputFile, ...]] = {}
        for label, source in step.inputs.items():
            if source["source"] == "upload":
                upload = InputFile(
                    "upload.zip", dataset.upload_key, dataset.upload_bytes, dataset.upload_sha256
                )
                inputs[label] = (upload,)
                continue
            is_dataset = source["source"] == "dataset"
            files = dataset.files if is_dataset else siblings[source["step"]].outputs
            inputs[label] = tuple(
                InputFile(f["name"], f["object_key"], f["size"], f["sha256"]) for f in files
            )
        return ClaimedStep(
            id=step.id,
            job_id=job.id,
            workspace_id=job.workspace_id,
            dataset_id=job.dataset_id,
            name=step.name,
            kind=step.kind,
            queue=step.queue,
            key=step.key,
            params=dict(step.params),
            attempt=step.attempt,
            token=token,
            output_prefix=step.output_prefix or "",
            inputs=inputs,
            step_keys={name: other.key for name, other in siblings.items()},
            dataset=DatasetFacts.model_validate(dataset.facts) if dataset.facts else None,
            job_created_at=job.created_at,
        )
