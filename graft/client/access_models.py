"""What the service answers about keys, people, limits, the trail and itself."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel

from graft.client.answers import CONFIG


class _Answer(BaseModel):
    model_config = CONFIG


class AuditLine(_Answer):
    """One line of the audit trail."""

    workspace_id: str
    number: int
    at: str
    """ISO 8601 in UTC, to the letter as it went into the hash."""
    actor: str
    """Id of the key or person; ``system``: the service itself."""
    action: str
    subject: str
    detail: dict[str, Any] = {}
    prev_hash: str
    hash: str


class Limit(_Answer):
    """One limit, and how much of it is used now."""

    name: str
    scope: str
    """``key`` or ``workspace``: whose use is counted."""
    limit: int
    used: float
    left: float
    frees_at: datetime | None = None


class WorkerStep(_Answer):
    """A step that a worker is at."""

    job_id: str
    name: str
    kind: str


class Worker(_Answer):
    """A worker, which serves all workspaces."""

    id: str
    queues: list[str]
    version: str
    is_gone: bool
    """Silent for so long that nobody counts on it."""
    paused: str | None = None
    """Why it begins nothing at the moment; None: it does."""
    device: dict[str, Any] | None = None
    """What it computes with: ``name``, ``kind``, ``memory_bytes``."""
    usage: dict[str, Any] | None = None
    """``gpu_memory_used_bytes``, ``gpu_memory_total_bytes``, ``resident_bytes``, ``free_bytes``."""
    step: WorkerStep | None = None
    """Of this workspace."""
    is_busy: bool
    """Whether it is at a step, of whichever workspace."""
    started_at: datetime
    seen_at: datetime


class Queue(_Answer):
    """What waits for a worker, of all workspaces together."""

    waiting: int
    oldest_seconds: float | None = None


class House(_Answer):
    """All workers, and all queues by their names."""

    items: list[Worker]
    queues: dict[str, Queue]


class Used(_Answer):
    """What was used on a day (UTC)."""

    day: str
    kind: str
    """``upload_bytes``, ``gpu_seconds``, ``cpu_seconds``."""
    actor: str | None = None
    """Id of the key or person, for administrators; None: all together."""
    amount: float


class Key(_Answer):
    """An API key, without the key itself."""

    id: str
    name: str = ""
    prefix: str = ""
    """Its beginning, by which it can be found where it is used."""
    scopes: list[str] = []
    limits: dict[str, int] = {}
    """Those of its own."""
    replaces: str | None = None
    """Id of the key that was rotated into it."""
    created_at: datetime | None = None
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None


class NewKey(Key):
    """A key that was made just now; ``key`` is never shown again."""

    key: str


class Me(_Answer):
    """Who is asking, and what that allows."""

    kind: Literal["key", "person"]
    id: str
    """As the audit trail names it."""
    name: str = ""
    workspace_id: str
    workspace_name: str = ""
    scopes: list[str] = []
    expires_at: datetime | None = None


class Person(_Answer):
    """Somebody who came in with a token of the hospital's own sign-in."""

    id: str
    name: str = ""
    issuer: str = ""
    subject: str = ""
    created_at: datetime | None = None
    last_seen_at: datetime | None = None


class Reason(_Answer):
    """Why the service is not ready, or jobs do not get on."""

    code: str
    detail: str = ""


class Health(_Answer):
    """Whether the service can work."""

    status: str
    """``ready``, ``degraded`` (it answers, but jobs do not get on) or something else: not ready."""
    checks: dict[str, Any] = {}
    problems: list[str] = []
    reasons: list[Reason] = []
