"""The house in which the state machine lives: a broker that forgets, workers that die, a clock.

What the tables must say about leases is kept here a second time, in plain Python: who holds which
step, until when. The store's answers are held against it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import delete, event, select

from gan_core.spec import Plan
from gan_core.spec.plan import plan_ingest
from store.columns import new_id
from store.database import Database
from store.doorbell import QUEUES, DoorbellSilent
from store.fairness import next_steps
from store.objects import Objects
from store.outbox import relay_outbox
from store.records import ClaimedStep, Ingested, Output, StepError
from store.repositories import JobRepository
from store.step_tables import Step
from store.steps import StepLedger
from store.sweeping import Swept, ring_when_idle, sweep
from store.tables import Base, Dataset, Job, Workspace
from tests.store.machine.clock import FakeClock
from tests.store.machine.graphs import FACTS
from tests.store.machine.looking import Look, assert_fair, look

LEASE_SECONDS = 60.0
LONGEST_LEASE_SECONDS = 2 * 3600.0
MAX_ATTEMPTS = 3
IDLE_RING_SECONDS = 10.0
WORKSPACES = 3
SLOTS = 3


@dataclass
class Broker:
    """Messages on their way, in no order that could be relied on."""

    is_up: bool = True
    messages: list[tuple[str, str]] = field(default_factory=list)

    def ring(self, queue: str, step_id: str) -> None:
        if not self.is_up:
            raise DoorbellSilent("the broker is down")
        self.messages.append((queue, step_id))


@dataclass
class Attempt:
    """What a worker remembers of a step that it was given, for good."""

    step: ClaimedStep
    expires_at: datetime

    def __repr__(self) -> str:
        return f"<{self.step.name} {self.step.output_prefix.rsplit('/', 2)[-2]}>"


@dataclass
class Slot:
    """A worker process, and who takes its place when it is killed."""

    number: int
    lives: int = 0
    attempt: Attempt | None = None

    @property
    def worker_id(self) -> str:
        return f"w{self.number}.{self.lives}"


class World:
    """Does to the store what the API, the workers and the housekeepers do to it.

    Args:
        database: Migrated; it is emptied.
        objects: An object store in a directory.
        clock: By which the store lives.
    """

    def __init__(self, database: Database, objects: Objects, clock: FakeClock) -> None:
        self.database = database
        self.objects = objects
        self.clock = clock
        self.broker = Broker()
        self.slots = [Slot(n) for n in range(SLOTS)]
        self.holders: dict[str, Attempt] = {}
        """Step id → the attempt that holds its lease, as far as the store was told."""
        self.old: list[Attempt] = []
        """Attempts of which nobody should hear any more, but does."""
        self.published: dict[str, str] = {}
        """Step id → prefix of the attempt whose completion was accepted."""
        with database.write() as session:
            for table in reversed(Base.metadata.sorted_tables):
                session.execute(delete(table))
            self.workspaces = [Workspace(id=new_id("ws"), name=str(n)) for n in range(WORKSPACES)]
            session.add_all(self.workspaces)
            session.flush()
            self.datasets = [_dataset(w.id, status="ready") for w in self.workspaces]
            session.add_all(self.datasets)

    def look(self) -> Look:
        return look(self.database, self.clock.moment)

    # What a person does; the API rings at once

    def submit(self, number: int, plan: Plan, priority: int) -> None:
        self._submit(self.datasets[number], plan, "study", priority)

    def submit_upload(self, number: int, sha256: str) -> None:
        dataset = _dataset(self.workspaces[number].id, status="ingesting", sha256=sha256)
        self._submit(dataset, plan_ingest(sha256, 77, 224), "ingest", 10)

    def _submit(self, dataset: Dataset, plan: Plan, kind: Any, priority: int) -> None:
        with self.database.write() as session:
            if kind == "ingest":
                session.add(dataset)
                session.flush()
            job = Job(
                id=new_id("job"),
                kind=kind,
                dataset_id=dataset.id,
                spec={},
                resolved={},
                priority=priority,
            )
            JobRepository(session, dataset.workspace_id).add(job, plan, self.objects)
        self.relay()

    def cancel(self, job_id: str) -> bool:
        with self.database.write() as session:
            workspace_id = session.get_one(Job, job_id).workspace_id
            found = JobRepository(session, workspace_id).cancel(job_id)
            assert found is not None
            return found[1]

    # What a worker does (worker.running)

    def candidates(self, step_id: str) -> tuple[str, list[str]]:
        """Return the queue of a step that was rung for, and whose turn it is there."""
        with self.database.read() as session:
            queue = session.scalars(select(Step.queue).where(Step.id == step_id)).one()
            return queue, next_steps(session, queue)

    def claim_first(
        self, slot: Slot, queue: str, candidates: list[str], listed: Look
    ) -> Attempt | None:
        """Claim in turn until a step is had, and check that it might be."""
        tried: set[str] = set()
        for candidate in candidates:
            assert candidate in {step.id for step in listed.claimable(queue)}
            attempt = self.claim(slot, candidate)
            if attempt is not None:
                assert_fair(listed, candidate, queue, frozenset(tried))
                return attempt
            tried.add(listed.steps[candidate].job_id)
        self.relay()
        return None

    def claim(self, slot: Slot, step_id: str) -> Attempt | None:
        """Claim one step; nobody's live lease may be taken for it."""
        before = self.look()
        holder = self.holders.get(step_id)
        job = before.jobs[before.steps[step_id].job_id]
        # Of a job that is being cancelled the sweeper alone takes steps.
        if holder is not None and self.has_lapsed(holder) and job.status == "running":
            # Taken from it, or ended for good: either way it holds nothing any more.
            self.lose(holder)
            holder = None
        with self.database.write() as session:
            claimed = StepLedger(session, self.objects).claim(
                step_id,
                worker_id=slot.worker_id,
                lease_seconds=LEASE_SECONDS,
                max_attempts=MAX_ATTEMPTS,
            )
        if claimed is None:
            return None
        assert holder is None, f"{holder} lost its live lease to {slot.worker_id}"
        assert job.status in {"queued", "running"}
        assert before.steps[step_id].status in {"queued", "running"}
        assert before.is_ready(step_id), f"{claimed.name} was begun before what it needs"
        for files in claimed.inputs.values():
            for file in files:
                assert file.object_key == "k/train.npy" or self.exists(file.object_key)
        attempt = Attempt(claimed, self.clock.moment_after(LEASE_SECONDS))
        assert claimed.token not in {other.step.token for other in (*self.holders.values(),)}
        self.holders[step_id] = attempt
        slot.attempt = attempt
        return attempt

    def heartbeat(self, attempt: Attempt, fraction: float | None, detail: str | None) -> bool:
        """Tell of progress; return whether the worker is asked to stop."""
        is_held = self.holds(attempt)
        with self.database.write() as session:
            lease = StepLedger(session).heartbeat(
                attempt.step.id,
                attempt.step.token,
                lease_seconds=LEASE_SECONDS,
                fraction=fraction,
                detail=detail,
            )
        assert lease.held == is_held
        if is_held:
            attempt.expires_at = self.clock.moment_after(LEASE_SECONDS)
        else:
            self.clean_up(attempt)
        return lease.stop

    def complete(self, attempt: Attempt) -> None:
        outputs = self._upload(attempt.step)
        ingested = Ingested(FACTS) if attempt.step.kind == "ingest" else None
        with self.database.write() as session:
            is_ours = StepLedger(session, self.objects).complete(
                attempt.step.id, attempt.step.token, outputs, ingested=ingested
            )
        assert is_ours == self.holds(attempt), f"{attempt} was fenced wrongly"
        if is_ours:
            assert attempt.step.id not in self.published, "published twice"
            self.published[attempt.step.id] = attempt.step.output_prefix
        self.let_go(attempt)

    def fail(self, attempt: Attempt, *, retryable: bool, pause_seconds: float) -> None:
        with self.database.write() as session:
            became = StepLedger(session, self.objects).fail(
                attempt.step.id,
                attempt.step.token,
                StepError("crashed", "It crashed.", evidence={"curve": [1.0]}),
                retryable=retryable,
                max_attempts=MAX_ATTEMPTS,
                pause_seconds=pause_seconds,
            )
        assert (became is not None) == self.holds(attempt)
        assert retryable or became != "retried"
        self.let_go(attempt)

    def release(self, attempt: Attempt) -> None:
        with self.database.write() as session:
            is_ours = StepLedger(session).release(attempt.step.id, attempt.step.token)
        assert is_ours == self.holds(attempt)
        self.let_go(attempt)

    def acknowledge_cancel(self, attempt: Attempt) -> None:
        """Ask, as every heartbeat does, and obey."""
        if not self.heartbeat(attempt, None, None):
            return
        with self.database.write() as session:
            assert StepLedger(session).cancelled(attempt.step.id, attempt.step.token)
        self.let_go(attempt)

    def _upload(self, step: ClaimedStep) -> list[Output]:
        names = {"out.bin": "report-html", "weights.bin": "internal"}
        outputs = []
        for name, kind in names.items():
            content = f"{name} of {step.key}".encode()
            path = self.objects.local_path(f"{step.output_prefix}{name}")
            assert path is not None
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            digest = hashlib.sha256(content).hexdigest()
            outputs.append(Output(name, kind, "application/octet-stream", len(content), digest))
        return outputs

    def let_go(self, attempt: Attempt) -> None:
        """Forget a step whose outcome was recorded, or could not be."""
        if self.holds(attempt):
            del self.holders[attempt.step.id]
        self.clean_up(attempt)
        self.relay()

    def clean_up(self, attempt: Attempt) -> None:
        """Remove what came to nothing, and be free for another."""
        for slot in self.slots:
            if slot.attempt is attempt:
                slot.attempt = None
                self.old.append(attempt)
        prefix = attempt.step.output_prefix
        with self.database.write() as session:
            is_published = StepLedger(session).is_published(attempt.step.id, prefix)
        assert is_published == (self.published.get(attempt.step.id) == prefix)
        if not is_published:
            self.objects.delete_prefix(prefix)

    # What becomes of leases

    def holds(self, attempt: Attempt) -> bool:
        return self.holders.get(attempt.step.id) is attempt

    def has_lapsed(self, attempt: Attempt) -> bool:
        left = (attempt.expires_at - self.clock.moment).total_seconds()
        return left < 0 or left > LONGEST_LEASE_SECONDS

    def lose(self, attempt: Attempt) -> None:
        del self.holders[attempt.step.id]

    def kill(self, slot: Slot) -> None:
        """End a worker in the middle of what it does; another takes its place."""
        if slot.attempt is not None:
            self.old.append(slot.attempt)
        slot.attempt = None
        slot.lives += 1

    def take_abandoned(self, attempt: Attempt) -> None:
        """Take a step from a worker that is known to be gone (worker.abandoned)."""
        holder = self.holders.get(attempt.step.id)
        is_cancelled = self.look().jobs[attempt.step.job_id].status == "cancelling"
        is_due = holder is not None and (holder is attempt or self.has_lapsed(holder))
        with self.database.write() as session:
            outcome = StepLedger(session).expire(
                attempt.step.id, max_attempts=MAX_ATTEMPTS, dead_token=attempt.step.token
            )
        assert (outcome is not None) == is_due
        if is_due:
            assert (outcome == "cancelled") == is_cancelled, f"{attempt} was {outcome}"
        if holder is not None and is_due:
            self.lose(holder)

    # What a housekeeper does

    def sweep(self) -> Swept:
        before = self.look()
        lapsed = [held for held in self.holders.values() if self.has_lapsed(held)]
        swept = sweep(self.database, max_attempts=MAX_ATTEMPTS)
        wanted = [held for held in lapsed if before.jobs[held.step.job_id].status == "running"]
        assert swept.requeued + swept.failed == len(wanted), "of a cancelled job nothing is tried"
        for attempt in lapsed:
            self.lose(attempt)
        return swept

    def ring_when_idle(self, slot: Slot) -> int:
        return ring_when_idle(
            self.database,
            slot.worker_id,
            QUEUES,
            slots=1,
            after_seconds=IDLE_RING_SECONDS,
        )

    def relay(self) -> int:
        return relay_outbox(self.database, self.broker)

    def exists(self, object_key: str) -> bool:
        path = self.objects.local_path(object_key)
        return path is not None and path.exists()


def without_waiting_for_the_disk(database: Database) -> None:
    """Have SQLite not wait for the disk: nobody pulls the plug on the machine's database."""
    if database.engine.dialect.name == "sqlite":
        event.listen(
            database.engine, "connect", lambda raw, _: raw.execute("PRAGMA synchronous=OFF")
        )


def _dataset(workspace_id: str, *, status: Any, sha256: str = "0" * 64) -> Dataset:
    is_ready = status == "ready"
    file = {"name": "train.npy", "object_key": "k/train.npy", "size": 3, "sha256": "1" * 64}
    return Dataset(
        id=new_id("ds"),
        workspace_id=workspace_id,
        name="lesions",
        status=status,
        upload_key="k/train.npy",
        upload_sha256=sha256,
        upload_bytes=77,
        image_size=224,
        facts=FACTS.model_dump(mode="json") if is_ready else None,
        files=[file] if is_ready else [],
    )
