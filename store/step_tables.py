"""The tables of a job's graph of steps, and of what is still to be rung for."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Float, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from store.columns import utc_now
from store.tables import COUNTER, ID, Base

StepStatus = Literal["pending", "queued", "running", "succeeded", "failed", "skipped", "cancelled"]
FINAL_STEP_STATES: frozenset[str] = frozenset({"succeeded", "failed", "skipped", "cancelled"})

Base.registry.update_type_annotation_map({StepStatus: String(16)})


class Step(Base):
    """One piece of a job's work.

    ``pending`` waits for other steps; ``queued`` waits for a worker; ``running`` is held by the
    worker that has ``lease_token`` until ``lease_expires_at``; ``skipped`` cannot be carried out,
    because a step that it needs has failed.
    """

    __tablename__ = "steps"
    __table_args__ = (
        UniqueConstraint("job_id", "name", name="uq_steps_job_id_name"),
        Index("ix_steps_workspace_id_key", "workspace_id", "key"),
        Index("ix_steps_status_lease_expires_at", "status", "lease_expires_at"),
        Index("ix_steps_output_prefix", "output_prefix"),
        # For the metrics: counts and the longest wait of each queue, without a look at the rows.
        Index("ix_steps_waiting", "queue", "status", "queued_at", "available_at"),
    )
    id: Mapped[str] = mapped_column(ID, primary_key=True)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id"))
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), index=True)
    position: Mapped[int]
    """Place in the plan's order."""
    name: Mapped[str] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(32))
    queue: Mapped[str] = mapped_column(String(16))
    key: Mapped[str] = mapped_column(String(64))
    params: Mapped[dict[str, Any]]
    inputs: Mapped[dict[str, Any]]
    """Label → ``StepInput``."""
    estimate_seconds: Mapped[float] = mapped_column(Float)
    workload: Mapped[str | None] = mapped_column(String(200))
    """What its time goes into (``gan_core.spec.speeds``); null: nothing that tells of others."""
    units: Mapped[float | None] = mapped_column(Float)
    status: Mapped[StepStatus] = mapped_column(default="pending")
    code_version: Mapped[int | None]
    """Version of the code of its kind that its key was made with; null: before there were any."""
    attempt: Mapped[int] = mapped_column(default=0)
    """How many times it was started."""
    strikes: Mapped[int] = mapped_column(default=0, server_default="0")
    """Attempts in a row that ended badly without getting further than any before."""
    best_fraction: Mapped[float] = mapped_column(Float, default=0.0, server_default="0")
    """The furthest that an attempt which ended badly has got."""
    available_at: Mapped[datetime | None]
    """Not to be claimed before; null: at once."""
    lease_token: Mapped[str | None] = mapped_column(String(64))
    lease_expires_at: Mapped[datetime | None]
    worker_id: Mapped[str | None] = mapped_column(String(200))
    place: Mapped[str | None] = mapped_column(String(100))
    """Of the worker that has, or had, the lease."""
    fraction: Mapped[float] = mapped_column(Float, default=0.0)
    detail: Mapped[str | None]
    outputs: Mapped[list[Any]] = mapped_column(default=list)
    """Name, object key, kind, media type, size and SHA-256 of each file, once succeeded."""
    output_prefix: Mapped[str | None]
    reused_from: Mapped[str | None] = mapped_column(ID)
    error: Mapped[dict[str, Any] | None]
    rung_at: Mapped[datetime | None]
    rings: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    queued_at: Mapped[datetime | None]
    """Since when it waits, or until it was begun waited, for a worker."""
    started_at: Mapped[datetime | None]
    """Moved on by the breaks between attempts, so that it tells how long the step ran."""
    finished_at: Mapped[datetime | None]
    booked_seconds: Mapped[float] = mapped_column(Float, default=0.0, server_default="0")
    """Of how long it ran, what is in the ledger already; see ``store.usage``."""

    @property
    def is_final(self) -> bool:
        """Whether the step is over."""
        return self.status in FINAL_STEP_STATES


class StepDependency(Base):
    """``step_id`` cannot start before ``needs_id`` has succeeded; or ended, for a soft need."""

    __tablename__ = "step_dependencies"
    step_id: Mapped[str] = mapped_column(ForeignKey("steps.id"), primary_key=True)
    needs_id: Mapped[str] = mapped_column(ForeignKey("steps.id"), primary_key=True, index=True)
    soft_group: Mapped[int | None]
    """Null: it must have succeeded. 0: it may fail, and is then done without. 1, 2, …: the same,
    but of each group one at least must have succeeded."""


class OutboxRow(Base):
    """A ring of the doorbell that is promised by a committed transaction."""

    __tablename__ = "outbox"
    __table_args__ = (Index("ix_outbox_sent_at_id", "sent_at", "id"),)
    id: Mapped[int] = mapped_column(COUNTER, primary_key=True, autoincrement=True)
    step_id: Mapped[str] = mapped_column(ForeignKey("steps.id"))
    queue: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    sent_at: Mapped[datetime | None]
