"""What is asked and answered about webhooks."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from store.columns import utc_now
from store.webhook_events import EventType
from store.webhook_schedule import MAX_ATTEMPTS
from store.webhook_secrets import live_secrets
from store.webhook_tables import DeliveryStatus, Webhook, WebhookDelivery


def _each_once(events: list[EventType]) -> list[EventType]:
    return list(dict.fromkeys(events))


Url = Annotated[
    str,
    Field(
        min_length=1,
        max_length=2000,
        examples=["https://portal.example.org/graft"],
        description="Where to: `https`, a public host, port 443 or one from 1024 on.",
    ),
]
Events = Annotated[
    list[EventType],
    Field(max_length=32, description="What to tell of; an empty list: of everything."),
    AfterValidator(_each_once),
]
Description = Annotated[str, Field(max_length=200, description="Whom or what it is for.")]


class WebhookRequest(BaseModel):
    """A webhook that is asked for."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    url: Url
    events: Events = []
    description: Description = ""


class WebhookChange(BaseModel):
    """What to change of a webhook; what is null or left out stays as it is."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    url: Url | None = None
    events: Events | None = None
    description: Description | None = None
    disabled: bool | None = None
    """True: send nothing until this is false again, and what waits has failed; false: send again,
    whatever the reason was that it was disabled for."""


class Rotation(BaseModel):
    """How a signing secret is replaced."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    overlap_seconds: int = Field(default=86400, ge=0, le=604_800)
    """How long messages are signed with the old secret, too, seconds."""


class SecretView(BaseModel):
    """A signing secret, without the secret itself."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    created_at: datetime
    expires_at: datetime | None
    """Null: it is the present one."""


class WebhookView(BaseModel):
    """A webhook."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: str
    url: str
    events: list[str]
    """Empty: everything."""
    description: str
    secrets: list[SecretView]
    """Those that messages are signed with, the newest first."""
    disabled_at: datetime | None
    disabled_because: str | None
    """`asked`, `gone` (the receiver answered 410) or `failing` (nothing was delivered for five
    days); null: it is not disabled."""
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, row: Webhook, **more: Any) -> Self:
        """Return the view of a row."""
        return cls(
            id=row.id,
            url=row.url,
            events=row.events,
            description=row.description,
            secrets=[
                SecretView(created_at=entry["created_at"], expires_at=entry["expires_at"])
                for entry in live_secrets(row.secrets, utc_now())
            ],
            disabled_at=row.disabled_at,
            disabled_because=row.disabled_because,
            created_at=row.created_at,
            updated_at=row.updated_at,
            **more,
        )


class NewWebhookView(WebhookView):
    """A webhook whose signing secret was made just now."""

    secret: str
    """`whsec_…`, shown once: verify messages with it."""


class DeliveryView(BaseModel):
    """A message to a webhook, and how far it got."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: str
    message_id: str
    """The `webhook-id` of every attempt."""
    type: str
    status: DeliveryStatus
    attempts: int = Field(examples=[1])
    max_attempts: int = MAX_ATTEMPTS
    next_at: datetime | None
    """When it is tried the next time; null: not at all."""
    last_attempt_at: datetime | None
    last_status_code: int | None
    last_error: str | None
    """`status`, `redirected`, `gone`, `timeout`, `connection_failed`, `tls_failed`,
    `address_refused`, `secret_unreadable` or `webhook_disabled`."""
    delivered_at: datetime | None
    created_at: datetime

    @classmethod
    def of(cls, row: WebhookDelivery, kind: str) -> Self:
        """Return the view of a row, and of its message's type."""
        return cls(
            id=row.id,
            message_id=row.message_id,
            type=kind,
            status=row.status,
            attempts=row.attempts,
            next_at=row.next_at,
            last_attempt_at=row.last_attempt_at,
            last_status_code=row.last_status_code,
            last_error=row.last_error,
            delivered_at=row.delivered_at,
            created_at=row.created_at,
        )


class ReplayedView(BaseModel):
    """What a replay did."""

    replayed: int
    """So many deliveries are sent again."""
