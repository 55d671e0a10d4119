"""What the service answers about webhooks."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from graft.client.answers import CONFIG

DeliveryStatus = Literal["pending", "delivered", "failed"]


class _Answer(BaseModel):
    model_config = CONFIG


class SigningSecret(_Answer):
    """What may be known of a secret."""

    created_at: datetime | None = None
    expires_at: datetime | None = None


class Webhook(_Answer):
    """An address that is told of jobs and data sets."""

    id: str
    url: str
    events: list[str] = []
    """Empty: everything."""
    description: str = ""
    disabled_at: datetime | None = None
    disabled_because: str | None = None
    """``asked``, ``gone`` (it answered 410) or ``failing`` (for five days)."""
    secrets: list[SigningSecret] = []
    """When its secrets were made, and when old ones end; never the secrets themselves."""
    created_at: datetime | None = None
    updated_at: datetime | None = None


class NewWebhook(Webhook):
    """A webhook whose signing secret was made just now; ``secret`` is never shown again."""

    secret: str


class Delivery(_Answer):
    """A message to a webhook, and how far it got."""

    id: str
    message_id: str
    """The ``webhook-id`` of every attempt."""
    type: str
    status: DeliveryStatus
    attempts: int = 0
    max_attempts: int | None = None
    next_at: datetime | None = None
    last_attempt_at: datetime | None = None
    last_status_code: int | None = None
    last_error: str | None = None
    delivered_at: datetime | None = None
    created_at: datetime | None = None


class Replayed(_Answer):
    """What a replay did."""

    replayed: int
