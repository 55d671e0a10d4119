"""Tables of who may do what, how much of it, and what was asked once already."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Float, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from store.columns import utc_now
from store.tables import ID, Base


class Principal(Base):
    """A person whom an OpenID Connect issuer vouched for, in one workspace."""

    __tablename__ = "principals"
    __table_args__ = (
        UniqueConstraint(
            "workspace_id", "issuer", "subject", name="uq_principals_workspace_id_issuer_subject"
        ),
    )
    id: Mapped[str] = mapped_column(ID, primary_key=True)
    """``usr_…``; the actor in the trail."""
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id"))
    issuer: Mapped[str] = mapped_column(String(500))
    subject: Mapped[str] = mapped_column(String(255))
    """The token's ``sub``."""
    name: Mapped[str] = mapped_column(String(200), default="")
    """As the token calls the person, for those who read the trail."""
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    last_seen_at: Mapped[datetime | None]


class Usage(Base):
    """What was used up on a day (UTC) by one actor; it stays when jobs are deleted."""

    __tablename__ = "usage"
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id"), primary_key=True)
    day: Mapped[str] = mapped_column(String(10), primary_key=True)
    """``2026-11-28``."""
    kind: Mapped[str] = mapped_column(String(32), primary_key=True)
    """``upload_bytes``, ``gpu_seconds``, ``cpu_seconds``."""
    actor: Mapped[str] = mapped_column(ID, primary_key=True)
    """Id of the key or person."""
    amount: Mapped[float] = mapped_column(Float)


class IdempotentRequest(Base):
    """A request with an ``Idempotency-Key``: under way, or with the answer that it was given.

    The answer is written by the transaction that did the work, so that neither is without the
    other.
    """

    __tablename__ = "idempotent_requests"
    __table_args__ = (
        Index("ix_idempotent_requests_created_at", "created_at"),
        Index("ix_idempotent_requests_subject", "subject"),
    )
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id"), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64))
    """SHA-256 of method, address and body."""
    token: Mapped[str] = mapped_column(String(64))
    """Of the attempt that is under way."""
    locked_until: Mapped[datetime | None]
    """Until then it is under way; null: answered."""
    subject: Mapped[str | None] = mapped_column(ID)
    """Id of what was made. When that is deleted, so is the answer, which tells of it."""
    status_code: Mapped[int | None]
    headers: Mapped[dict[str, Any] | None]
    body: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class Tally(Base):
    """A number that only grows, for the metrics: what no row shows any more afterwards."""

    __tablename__ = "tallies"
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    label: Mapped[str] = mapped_column(String(200), primary_key=True, default="")
    value: Mapped[int] = mapped_column(BigInteger, default=0)
