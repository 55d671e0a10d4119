"""What is answered about workers."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict

from store.figures import Queue
from store.repositories.workers import WorkerAtWork


class _View(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


class DeviceView(_View):
    """What a worker computes with."""

    name: str
    """As its maker calls it."""
    kind: Literal["cpu", "gpu"]
    memory_bytes: int | None
    """Of the GPU itself, or of the machine for a CPU; null: not known."""


class UsageView(_View):
    """What a worker takes of its machine; null: it cannot be told."""

    gpu_memory_used_bytes: int | None = None
    """Of its GPU, whoever uses it."""
    gpu_memory_total_bytes: int | None = None
    resident_bytes: int | None = None
    """Memory of its processes."""
    free_bytes: int | None = None
    """Room on the disk that has the least."""


class WorkerStepView(_View):
    """The step that a worker is at."""

    job_id: str
    name: str
    kind: str


class WorkerView(_View):
    """A worker, which serves all workspaces."""

    id: str
    """Opaque: it says nothing of the machine."""
    queues: list[str]
    """On which it works: ``gpu``, ``cpu``, ``interactive``."""
    version: str
    """Of its code."""
    is_gone: bool
    """Whether it has been silent for so long that nobody counts on it. One that has said goodbye is
    not listed; one that has not is, for a day."""
    paused: str | None
    """Why it begins nothing at the moment, a code and a sentence; null: it does."""
    device: DeviceView | None
    """Null: not known yet."""
    usage: UsageView | None
    """At its last sign of life; null: not told."""
    step: WorkerStepView | None
    """Of this workspace, the one that it began last; null: none."""
    is_busy: bool
    """Whether it is at a step, of whichever workspace."""
    started_at: datetime
    seen_at: datetime
    """When it last gave a sign of life."""

    @classmethod
    def of(cls, worker: WorkerAtWork, pepper: str) -> Self:
        """Return the view of a worker; the pepper hides what its own name tells of the machine."""
        row, step = worker.row, worker.step
        return cls(
            id=opaque_id(row.id, pepper),
            queues=[str(queue) for queue in row.queues],
            version=row.version,
            is_gone=worker.is_silent,
            paused=row.paused,
            device=None if row.device is None else DeviceView.model_validate(row.device),
            usage=None if row.usage is None else UsageView.model_validate(row.usage),
            step=step and WorkerStepView(job_id=step.job_id, name=step.name, kind=step.kind),
            is_busy=worker.is_busy,
            started_at=row.started_at,
            seen_at=row.seen_at,
        )


class QueueView(_View):
    """What waits for a worker, of all workspaces together."""

    waiting: int
    """Steps that could be begun now."""
    oldest_seconds: float | None
    """For which the first of them has waited; null: none waits."""

    @classmethod
    def of(cls, queue: Queue) -> Self:
        """Return the view of a queue."""
        oldest = round(queue.oldest_wait, 1) if queue.waiting else None
        return cls(waiting=queue.waiting, oldest_seconds=oldest)


class WorkersView(_View):
    """All workers, and all queues by their names."""

    items: list[WorkerView]
    """The latest seen first."""
    queues: dict[str, QueueView]


def opaque_id(worker_id: str, pepper: str) -> str:
    """Return a worker's id for the API: always the same, and no way back to its host."""
    digest = hmac.new(pepper.encode(), f"worker {worker_id}".encode(), hashlib.sha256)
    return f"wrk_{digest.hexdigest()[:20]}"
