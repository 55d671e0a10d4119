"""The tables. What belongs to a tenant carries its ``workspace_id``.

Steps, their dependencies and the outbox are in ``store.step_tables``; people, limits and requests
that are carried out once in ``store.access_tables``; uploads in parts in ``store.upload_tables``;
webhooks in ``store.webhook_tables``; what the page for people needs in ``store.page_tables``.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Literal

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeEngine

from store.columns import UtcDateTime, utc_now

DatasetStatus = Literal["ingesting", "ready", "rejected"]
JobStatus = Literal["queued", "running", "cancelling", "succeeded", "failed", "cancelled"]
JobKind = Literal["study", "images", "ingest"]

FINAL_JOB_STATES: frozenset[str] = frozenset({"succeeded", "failed", "cancelled"})

JSON_COLUMN: TypeEngine[Any] = JSON(none_as_null=True).with_variant(
    JSONB(none_as_null=True), "postgresql"
)
# SQLite numbers rows by itself only in a column declared INTEGER.
COUNTER: TypeEngine[int] = BigInteger().with_variant(Integer(), "sqlite")
ID = String(64)


class Base(DeclarativeBase):
    """The base of all tables, with names for constraints that migrations can rely on."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: Text(),
        datetime: UtcDateTime(),
        dict[str, Any]: JSON_COLUMN,
        list[Any]: JSON_COLUMN,
        DatasetStatus: String(16),
        JobStatus: String(16),
        JobKind: String(16),
    }


class Workspace(Base):
    """A tenant."""

    __tablename__ = "workspaces"
    id: Mapped[str] = mapped_column(ID, primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    limits: Mapped[dict[str, Any] | None]
    """What this workspace may use, where it differs from the settings."""
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class ApiKey(Base):
    """A key, of which only a prefix and an HMAC are kept."""

    __tablename__ = "api_keys"
    id: Mapped[str] = mapped_column(ID, primary_key=True)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id"), index=True)
    name: Mapped[str] = mapped_column(String(200))
    prefix: Mapped[str] = mapped_column(String(32), unique=True)
    digest: Mapped[str] = mapped_column(String(64))
    scopes: Mapped[list[Any]]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    replaces: Mapped[str | None] = mapped_column(ID)
    """The key of which this one is the rotation."""
    limits: Mapped[dict[str, Any] | None]
    """What this key may use, where it differs from the settings."""


class Dataset(Base):
    """An uploaded zip, and once ingested the packed images made of it."""

    __tablename__ = "datasets"
    id: Mapped[str] = mapped_column(ID, primary_key=True)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id"), index=True)
    name: Mapped[str] = mapped_column(String(200))
    status: Mapped[DatasetStatus] = mapped_column(default="ingesting")
    upload_key: Mapped[str]
    upload_sha256: Mapped[str] = mapped_column(String(64))
    upload_bytes: Mapped[int] = mapped_column(BigInteger)
    image_size: Mapped[int]
    job_id: Mapped[str | None] = mapped_column(ID)
    facts: Mapped[dict[str, Any] | None]
    """``DatasetFacts`` once ready."""
    files: Mapped[list[Any]] = mapped_column(default=list)
    """What the ingest left: name, key, size and SHA-256 of each file."""
    problems: Mapped[list[Any]] = mapped_column(default=list)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    ready_at: Mapped[datetime | None]
    upload_format: Mapped[str | None] = mapped_column(String(16))
    """``zip`` or ``tar.gz``; null: ``zip``."""
    upload_parts: Mapped[list[Any] | None]
    """Key, size and SHA-256 of each part, in order, of an upload that came in parts."""
    upload_removed_at: Mapped[datetime | None]
    """When the upload was deleted, which held what the packed images do not: metadata, names."""


class Job(Base):
    """What a person asked for."""

    __tablename__ = "jobs"
    __table_args__ = (
        Index("ix_jobs_workspace_id_id", "workspace_id", "id"),
        Index("ix_jobs_workspace_id_served_at", "workspace_id", "served_at"),
    )
    id: Mapped[str] = mapped_column(ID, primary_key=True)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id"), index=True)
    kind: Mapped[JobKind]
    name: Mapped[str] = mapped_column(String(200), default="")
    dataset_id: Mapped[str] = mapped_column(ForeignKey("datasets.id"), index=True)
    spec: Mapped[dict[str, Any]]
    """As it was asked for."""
    resolved: Mapped[dict[str, Any]]
    """With every default filled in."""
    advice: Mapped[list[Any]] = mapped_column(default=list)
    status: Mapped[JobStatus] = mapped_column(default="queued", index=True)
    fraction: Mapped[float] = mapped_column(Float, default=0.0)
    stage: Mapped[str | None] = mapped_column(String(32))
    detail: Mapped[str | None]
    eta_seconds: Mapped[float | None] = mapped_column(Float)
    error: Mapped[dict[str, Any] | None]
    created_by: Mapped[str | None] = mapped_column(ID)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(default=1)
    """Raised by every change that a client can see; the entity tag is made of it."""
    priority: Mapped[int] = mapped_column(default=0, server_default="0")
    """Larger goes first among the jobs of one workspace; see ``store.fairness``."""
    served_at: Mapped[datetime | None]
    """When a worker last claimed one of its steps."""
    failures: Mapped[list[Any] | None]
    """Code, detail, hint and step of each step that failed; null: none."""
    retry_of: Mapped[str | None] = mapped_column(ID)
    """The job of which this one is another try."""
    request_id: Mapped[str | None] = mapped_column(ID)
    """Of the request that asked for it; what workers log about it carries the same."""
    traceparent: Mapped[str | None] = mapped_column(ID)
    """Of that request (W3C Trace Context), for the traces of what workers do about it."""

    @property
    def is_final(self) -> bool:
        """Whether nothing about the job will change any more."""
        return self.status in FINAL_JOB_STATES


class Artifact(Base):
    """A file that a job leaves."""

    __tablename__ = "artifacts"
    __table_args__ = (UniqueConstraint("step_id", "name", name="uq_artifacts_step_id_name"),)
    id: Mapped[str] = mapped_column(ID, primary_key=True)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id"), index=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), index=True)
    step_id: Mapped[str] = mapped_column(ForeignKey("steps.id"))
    kind: Mapped[str] = mapped_column(String(32))
    name: Mapped[str] = mapped_column(String(200))
    media_type: Mapped[str] = mapped_column(String(100))
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))
    object_key: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    removed_at: Mapped[datetime | None]
    """When the file was deleted, because it had been kept for as long as the settings say."""


class Removal(Base):
    """Objects that a committed transaction has promised to delete."""

    __tablename__ = "removals"
    id: Mapped[int] = mapped_column(COUNTER, primary_key=True, autoincrement=True)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id"))
    prefix: Mapped[str]
    """Every object whose key begins with it goes, unless a step that is still there has it."""
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class JobEvent(Base):
    """A change that watchers of a job are told of, in the order of ``id``."""

    __tablename__ = "job_events"
    __table_args__ = (Index("ix_job_events_job_id_id", "job_id", "id"),)
    id: Mapped[int] = mapped_column(COUNTER, primary_key=True, autoincrement=True)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id"))
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"))
    type: Mapped[str] = mapped_column(String(32))
    data: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class AuditEvent(Base):
    """One line of the append-only trail; each carries the hash of the one before it."""

    __tablename__ = "audit_events"
    __table_args__ = (
        UniqueConstraint("workspace_id", "number", name="uq_audit_events_workspace_id_number"),
    )
    id: Mapped[int] = mapped_column(COUNTER, primary_key=True, autoincrement=True)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id"), index=True)
    number: Mapped[int]
    """1, 2, 3, … within the workspace."""
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(ID)
    """Id of the key, or ``system``."""
    action: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str] = mapped_column(ID)
    detail: Mapped[dict[str, Any]]
    prev_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))


class IdempotencyKey(Base):
    """A request that must be carried out once, and the job that it made."""

    __tablename__ = "idempotency_keys"
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id"), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    request_sha256: Mapped[str] = mapped_column(String(64))
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class WorkerSeen(Base):
    """A worker's own sign of life."""

    __tablename__ = "workers"
    id: Mapped[str] = mapped_column(String(200), primary_key=True)
    host: Mapped[str] = mapped_column(String(255))
    queues: Mapped[list[Any]]
    version: Mapped[str] = mapped_column(String(64))
    step_id: Mapped[str | None] = mapped_column(ID)
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    is_gone: Mapped[bool] = mapped_column(Boolean, default=False)
    place: Mapped[str | None] = mapped_column(String(100))
    """The machine, or container, whose processes it can see; see ``worker.place``."""
    paused: Mapped[str | None]
    """Why it claims nothing at the moment; null: it does."""
    device: Mapped[dict[str, Any] | None]
    """``DeviceFacts`` of what it computes with; null: not known yet."""
    usage: Mapped[dict[str, Any] | None]
    """What it takes of its machine now: ``gpu_memory_used_bytes``, ``gpu_memory_total_bytes``,
    ``resident_bytes``, ``free_bytes``; without what cannot be told."""


class MeasuredSpeed(Base):
    """How long a workload takes on a device. Belongs to no tenant, and tells nothing of any."""

    __tablename__ = "measured_speeds"
    device: Mapped[str] = mapped_column(String(200), primary_key=True)
    workload: Mapped[str] = mapped_column(String(200), primary_key=True)
    version: Mapped[str] = mapped_column(String(64))
    """Of the code that was measured; see ``store.speeds.version_of``."""
    seconds: Mapped[float] = mapped_column(Float)
    """That the units took; what lies further back weighs less in both."""
    units: Mapped[float] = mapped_column(Float)
    measured_at: Mapped[datetime]
