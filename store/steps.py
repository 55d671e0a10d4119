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
from datetime import timedelta

import structlog
from sqlalchemy import exists, func, or_, select, update
from sqlalchemy.orm import Session

from store.clock import now_of
from store.describing import claimed_step
from store.fairness import LONGEST_PAUSE, is_due
from store.graph import advance, lock_job, publish, reuse, ring, ring_for_twins
from store.job_log import note, note_failure, note_start, note_success
from store.leases import WORKER_LOST, has_lapsed, may_try_again, time_run
from store.objects import Objects
from store.readiness import is_within_reach, key_of, version_here
from store.records import ClaimedStep, Ingested, Lease, Output, StepError
from store.settling import settle
from store.speeds import SpeedBook
from store.step_tables import Step
from store.tables import Dataset, Job
from store.tallies import count_expiry, count_outcome, count_run
from store.usage import book_time
from store.webhook_events import tell_of_dataset

log = structlog.get_logger(__name__)


class StepLedger:
    """Claims and records steps of any workspace. Must be used inside a write transaction."""

    def __init__(self, session: Session, objects: Objects | None = None) -> None:
        self._session = session
        self._objects = objects

    def claim(
        self,
        step_id: str,
        *,
        worker_id: str,
        lease_seconds: float,
        max_attempts: int,
        place: str | None = None,
    ) -> ClaimedStep | None:
        """Take a step, if it can be had.

        It can when it is queued, or runs under a lease that has lapsed and has attempts left.
        A step for which a finished one with the same key has turned up is reused instead; one that
        was planned by newer code than runs here is left to workers that have it; one of older code
        gets the key that its outputs will deserve.

        Args:
            step_id: The step.
            worker_id: Who takes it.
            lease_seconds: For how long, unless a heartbeat prolongs it.
            max_attempts: Starts without progress after which it is not started again.
            place: Of the worker; see ``worker.place``.
        """
        job = self._lock_job_of(step_id)
        if job is None or job.status not in {"queued", "running"}:
            return None
        step = self._session.get_one(Step, step_id, populate_existing=True)
        if step.status == "running":
            self.expire(step_id, max_attempts=max_attempts)
        if step.status != "queued" or not is_within_reach(step):
            return None
        self._renew_key(job, step)
        if reuse(self._session, job, step, self._objects):
            advance(self._session, job)
            return None
        if self._has_running_twin(step):
            return None
        now = now_of(self._session)
        has_run = time_run(step, now)
        token = secrets.token_hex(16)
        taken = self._session.execute(
            update(Step)
            .where(
                Step.id == step_id,
                Step.status == "queued",
                or_(Step.available_at.is_(None), is_due(now)),
            )
            .values(
                status="running",
                lease_token=token,
                lease_expires_at=now + timedelta(seconds=lease_seconds),
                attempt=Step.attempt + 1,
                # Somebody has heard.
                rings=0,
                available_at=None,
                worker_id=worker_id,
                place=place,
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
        job.served_at = now
        # The token's start keeps the prefix from being guessed from the attempt's number.
        step.output_prefix = (
            f"workspaces/{step.workspace_id}/steps/{step.id}/{step.attempt}-{token[:8]}/"
        )
        note_start(self._session, step)
        settle(self._session, job)
        return claimed_step(self._session, job, step, token)

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
        step.lease_expires_at = now_of(self._session) + timedelta(seconds=lease_seconds)
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
        note_success(self._session, step)
        count_run(self._session, step)
        if ingested is not None:
            self._fill_dataset(job, step, ingested)
        if not job.is_final:
            publish(self._session, step)
        advance(self._session, job)
        # Last, as it holds a row that other jobs' steps may wait for.
        self._learn_from(step)
        return True

    def _learn_from(self, step: Step) -> None:
        """Note how fast a step was, and do without when that fails: its outputs are worth more."""
        self._session.flush()
        try:
            with self._session.begin_nested():
                SpeedBook(self._session).note_step(step)
        except Exception as error:  # noqa: BLE001 - whatever it was, estimates can be worse for it
            log.warning("speed_not_noted", step_id=step.id, reason=type(error).__name__)

    def fail(
        self,
        step_id: str,
        token: str,
        error: StepError,
        *,
        retryable: bool,
        max_attempts: int,
        pause_seconds: float = 0.0,
    ) -> str | None:
        """Record that a step failed; queue it again when that makes sense.

        Args:
            step_id: The step.
            token: Of the lease.
            error: Why.
            retryable: Whether another try may go better.
            max_attempts: Starts without progress after which it is not started again.
            pause_seconds: How long to wait before the next try but one; the next comes at once, and
                every one that got no further doubles the pause.

        Returns:
            ``retried``, ``failed`` or ``cancelled``; null when the lease was lost: then nothing was
            changed.
        """
        held = self._held(step_id, token)
        if held is None:
            return None
        job, step = held
        is_unwanted = job.is_final or job.status == "cancelling"
        if retryable and not is_unwanted and may_try_again(step, max_attempts):
            pause = min(LONGEST_PAUSE, pause_seconds * (2 ** max(0, step.strikes - 1) - 1))
            note_failure(self._session, step, error, retry_in=pause)
            ring(self._session, step, after_seconds=pause)
            count_outcome(self._session, step.kind, "retried")
            settle(self._session, job)
            return "retried"
        step.status = "cancelled" if is_unwanted else "failed"
        count_outcome(self._session, step.kind, step.status)
        if is_unwanted:
            note(self._session, step, "Cancelled.")
        else:
            note_failure(self._session, step, error, retry_in=None)
        step.error = error.described()
        self._let_go(step)
        advance(self._session, job)
        return step.status

    def release(self, step_id: str, token: str, *, pause_seconds: float = 0.0) -> bool:
        """Hand a step back without a mark against it: it is the worker that cannot go on.

        Args:
            step_id: The step.
            token: Of the lease.
            pause_seconds: How long nobody should take it.

        Returns:
            False when the lease was lost; then nothing was changed.
        """
        held = self._held(step_id, token)
        if held is None:
            return False
        job, step = held
        if job.status != "running":
            return self.cancelled(step_id, token)
        note(self._session, step, "Its worker handed it back, to be gone on with later.")
        ring(self._session, step, after_seconds=pause_seconds)
        count_outcome(self._session, step.kind, "handed_back")
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
        count_outcome(self._session, step.kind, "cancelled")
        note(self._session, step, "Cancelled.")
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

    def expire(
        self,
        step_id: str,
        *,
        max_attempts: int,
        dead_token: str | None = None,
    ) -> str | None:
        """Take a step from a worker that went silent.

        Args:
            step_id: The step.
            max_attempts: Starts without progress after which it is not started again.
            dead_token: Of a lease whose holder is known to be gone: it need not have lapsed.

        Returns:
            ``requeued``, ``failed`` or ``cancelled``; null when the lease had not lapsed after all.
        """
        job = self._lock_job_of(step_id)
        if job is None:
            return None
        step = self._session.get_one(Step, step_id, populate_existing=True)
        if step.status != "running" or step.lease_expires_at is None:
            return None
        is_dead = dead_token is not None and step.lease_token == dead_token
        if not is_dead and not has_lapsed(step.lease_expires_at, now_of(self._session)):
            return None
        count_expiry(self._session, is_dead=is_dead)
        if job.status != "running":
            outcome = "cancelled"
            step.status = "cancelled"
            note(self._session, step, "Cancelled; its worker had fallen silent.")
            self._let_go(step, was_silent=True)
        elif may_try_again(step, max_attempts):
            outcome = "requeued"
            note(self._session, step, "Its worker fell silent; it is tried again.", "warning")
            ring(self._session, step)
        else:
            outcome = "failed"
            step.status = "failed"
            note_failure(self._session, step, WORKER_LOST, retry_in=None)
            step.error = WORKER_LOST.described()
            self._let_go(step, was_silent=True)
        count_outcome(self._session, step.kind, "retried" if outcome == "requeued" else outcome)
        advance(self._session, job)
        return outcome

    def _renew_key(self, job: Job, step: Step) -> None:
        if step.code_version is None:
            return
        step.key = key_of(self._session, job, step)
        step.code_version = version_here(step.kind)
        self._session.flush()

    def _has_running_twin(self, step: Step) -> bool:
        """Say whether the same work is done for another job at this moment."""
        if self._session.get_bind().dialect.name == "postgresql":
            # Two claims of the same work for two jobs hold different rows: here they queue up.
            key = f"{step.workspace_id} {step.key}"
            self._session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(key, 0))))
        twin = exists().where(
            Step.workspace_id == step.workspace_id,
            Step.key == step.key,
            Step.status == "running",
            Step.id != step.id,
        )
        return self._session.scalar(select(twin)) is True

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

    def _let_go(self, step: Step, *, was_silent: bool = False) -> None:
        now = now_of(self._session)
        # Of a worker that fell silent nobody knows when it ended, but that its lease did.
        lease_end = step.lease_expires_at if was_silent else None
        book_time(self._session, step, min(now, lease_end or now))
        step.lease_token = None
        step.lease_expires_at = None
        step.finished_at = now
        self._session.flush()
        ring_for_twins(self._session, step)

    def _fill_dataset(self, job: Job, step: Step, ingested: Ingested) -> None:
        dataset = self._session.get_one(Dataset, job.dataset_id)
        dataset.status = "ready"
        dataset.facts = ingested.facts.model_dump(mode="json")
        dataset.problems = list(ingested.problems)
        dataset.files = list(step.outputs)
        dataset.ready_at = now_of(self._session)
        tell_of_dataset(self._session, dataset)
