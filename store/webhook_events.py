"""What webhooks tell: a message is written in the transaction in which the thing happens.

So none is lost and none is made twice; sending it is ``store.webhook_queue``'s affair.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.clock import now_of
from store.columns import new_id
from store.tables import Dataset, Job
from store.webhook_tables import Webhook, WebhookDelivery, WebhookMessage

EventType = Literal[
    "job.running",
    "job.succeeded",
    "job.failed",
    "job.cancelled",
    "dataset.ready",
    "dataset.rejected",
]
"""What a webhook can subscribe to."""

TEST_EVENT = "webhook.test"
"""Sent when somebody asks for it, whatever the webhook subscribes to."""

_TYPES: frozenset[str] = frozenset(get_args(EventType))


def tell_of_job(session: Session, job: Job) -> None:
    """Tell the workspace's webhooks which state a job has come to. Its row is held by the caller.

    An ingest is not told of: its data set is.
    """
    if job.kind != "ingest":
        data = {"id": job.id, "status": job.status, "dataset_id": job.dataset_id}
        _tell(session, job.workspace_id, f"job.{job.status}", data)


def tell_of_dataset(session: Session, dataset: Dataset) -> None:
    """Tell the workspace's webhooks that a data set is ready, or was rejected."""
    data = {"id": dataset.id, "status": dataset.status}
    _tell(session, dataset.workspace_id, f"dataset.{dataset.status}", data)


def address_message(
    session: Session, workspace_id: str, kind: str, data: dict[str, Any], webhook_ids: list[str]
) -> list[WebhookDelivery]:
    """Write a message and its deliveries, due at once."""
    now = now_of(session)
    message = WebhookMessage(
        id=new_id("msg"), workspace_id=workspace_id, type=kind, data=data, created_at=now
    )
    session.add(message)
    session.flush()
    deliveries = [
        WebhookDelivery(
            id=new_id("dlv"),
            workspace_id=workspace_id,
            webhook_id=webhook_id,
            message_id=message.id,
            next_at=now,
            created_at=now,
        )
        for webhook_id in webhook_ids
    ]
    session.add_all(deliveries)
    session.flush()
    return deliveries


def _tell(session: Session, workspace_id: str, kind: str, data: dict[str, Any]) -> None:
    if kind not in _TYPES:
        return
    # Held against deletion, which a foreign key would run into. What is being deleted right now is
    # passed over: to wait for it could mean to wait for each other, since both also want the
    # workspace's row for its audit trail.
    webhooks = session.execute(
        select(Webhook.id, Webhook.events)
        .where(Webhook.workspace_id == workspace_id, Webhook.disabled_at.is_(None))
        .order_by(Webhook.id)
        .with_for_update(read=True, key_share=True, skip_locked=True)
    ).all()
    ids = [webhook_id for webhook_id, events in webhooks if not events or kind in events]
    if ids:
        address_message(session, workspace_id, kind, data, ids)
