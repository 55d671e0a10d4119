"""Tables of webhooks: where to, what, and how each delivery fared."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from store.columns import utc_now
from store.tables import ID, Base

DeliveryStatus = Literal["pending", "delivered", "failed"]

Base.registry.update_type_annotation_map({DeliveryStatus: String(16)})


class Webhook(Base):
    """An address that wants to be told."""

    __tablename__ = "webhooks"
    id: Mapped[str] = mapped_column(ID, primary_key=True)
    """``wh_…``."""
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id"), index=True)
    url: Mapped[str] = mapped_column(String(2000))
    description: Mapped[str] = mapped_column(String(200), default="")
    events: Mapped[list[Any]]
    """Types of events; empty: all."""
    secrets: Mapped[list[Any]]
    """Of each signing secret, the newest first: ``sealed`` (encrypted with a key derived from the
    service's secret), ``created_at`` and ``expires_at`` (null: until it is rotated)."""
    disabled_at: Mapped[datetime | None]
    disabled_because: Mapped[str | None]
    created_by: Mapped[str] = mapped_column(ID)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(default=utc_now)


class WebhookMessage(Base):
    """Something that happened, as it is told; its id is the ``webhook-id`` of every attempt."""

    __tablename__ = "webhook_messages"
    id: Mapped[str] = mapped_column(ID, primary_key=True)
    """``msg_…``."""
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id"), index=True)
    type: Mapped[str] = mapped_column(String(64))
    data: Mapped[dict[str, Any]]
    """Ids and states, nothing else: who wants more asks the API."""
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class WebhookDelivery(Base):
    """A message to one address, and how far it got."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        UniqueConstraint("webhook_id", "message_id", name="uq_webhook_deliveries_webhook_id"),
        Index("ix_webhook_deliveries_status_next_at", "status", "next_at"),
    )
    id: Mapped[str] = mapped_column(ID, primary_key=True)
    """``dlv_…``."""
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id"))
    webhook_id: Mapped[str] = mapped_column(ForeignKey("webhooks.id"), index=True)
    message_id: Mapped[str] = mapped_column(ForeignKey("webhook_messages.id"))
    status: Mapped[DeliveryStatus] = mapped_column(default="pending")
    attempts: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[datetime | None]
    """Not to be tried before; null: not at all any more."""
    lease_token: Mapped[str | None] = mapped_column(String(64))
    lease_expires_at: Mapped[datetime | None]
    last_status_code: Mapped[int | None]
    last_error: Mapped[str | None]
    """A code such as ``timeout`` or ``address_refused``; never what the receiver answered."""
    last_attempt_at: Mapped[datetime | None]
    delivered_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
