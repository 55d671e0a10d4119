"""Webhooks of one workspace, and what was sent to them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Select, delete, func, select, update
from sqlalchemy.orm import Session

from store.answers import forgotten
from store.columns import new_id
from store.database import FOR_NO_KEY_UPDATE
from store.repositories.paging import Page, page_of
from store.tables import Workspace
from store.webhook_events import TEST_EVENT, address_message
from store.webhook_tables import DeliveryStatus, Webhook, WebhookDelivery, WebhookMessage


class WebhookRepository:
    """Webhooks of one workspace."""

    def __init__(self, session: Session, workspace_id: str) -> None:
        self._session = session
        self._workspace_id = workspace_id

    def lock_workspace(self) -> None:
        """Hold the workspace: two that make a webhook at once must not both be the last allowed."""
        self._session.get_one(Workspace, self._workspace_id, with_for_update=FOR_NO_KEY_UPDATE)

    def count(self) -> int:
        """Return how many there are, disabled ones included."""
        query = (
            select(func.count())
            .select_from(Webhook)
            .where(Webhook.workspace_id == self._workspace_id)
        )
        return self._session.scalar(query) or 0

    def add(self, webhook: Webhook) -> None:
        """Keep a new webhook, and give it an id."""
        webhook.id = new_id("wh")
        webhook.workspace_id = self._workspace_id
        self._session.add(webhook)
        self._session.flush()

    def get(self, webhook_id: str) -> Webhook | None:
        """Return a webhook, or null."""
        return self._session.scalar(self._one(webhook_id))

    def hold(self, webhook_id: str, *, to_delete: bool = False) -> Webhook | None:
        """Return a webhook, its row held until the transaction ends, or null.

        Before anything else of the workspace is held, its own row for the audit trail included:
        see ``store.webhook_events``.
        """
        query = self._one(webhook_id).with_for_update(key_share=not to_delete)
        return self._session.scalar(query.execution_options(populate_existing=True))

    def page(self, limit: int, cursor: str | None) -> Page[Webhook]:
        """Return webhooks, the newest first."""
        query = select(Webhook).where(Webhook.workspace_id == self._workspace_id)
        return page_of(self._session, query, Webhook.id, limit, cursor)

    def delete(self, webhook: Webhook) -> None:
        """Delete a webhook that is held, and its deliveries. Messages go when they are old."""
        for statement in (
            delete(WebhookDelivery).where(WebhookDelivery.webhook_id == webhook.id),
            forgotten(webhook.workspace_id, webhook.id),
            delete(Webhook).where(Webhook.id == webhook.id),
        ):
            self._session.execute(statement.execution_options(synchronize_session=False))

    def add_test(self, webhook: Webhook) -> WebhookDelivery:
        """Write a message that says nothing, for this webhook alone."""
        data = {"id": webhook.id, "status": "enabled"}
        (delivery,) = address_message(
            self._session, self._workspace_id, TEST_EVENT, data, [webhook.id]
        )
        return delivery

    def deliveries(
        self, webhook_id: str, limit: int, cursor: str | None, status: DeliveryStatus | None
    ) -> Page[WebhookDelivery]:
        """Return deliveries to a webhook, the newest first."""
        query = select(WebhookDelivery).where(
            WebhookDelivery.webhook_id == webhook_id,
            WebhookDelivery.workspace_id == self._workspace_id,
        )
        if status is not None:
            query = query.where(WebhookDelivery.status == status)
        return page_of(self._session, query, WebhookDelivery.id, limit, cursor)

    def types_of(self, deliveries: Sequence[WebhookDelivery]) -> dict[str, str]:
        """Return the types of the messages of some deliveries, by the message's id."""
        ids = {delivery.message_id for delivery in deliveries}
        rows = self._session.execute(
            select(WebhookMessage.id, WebhookMessage.type).where(
                WebhookMessage.id.in_(ids), WebhookMessage.workspace_id == self._workspace_id
            )
        )
        return {row.id: row.type for row in rows}

    def delivery(self, webhook_id: str, delivery_id: str) -> WebhookDelivery | None:
        """Return one delivery to a webhook, or null."""
        return self._session.scalar(
            select(WebhookDelivery).where(
                WebhookDelivery.id == delivery_id,
                WebhookDelivery.webhook_id == webhook_id,
                WebhookDelivery.workspace_id == self._workspace_id,
            )
        )

    def send_again(
        self,
        webhook: Webhook,
        now: datetime,
        *,
        delivery_id: str | None = None,
        since: datetime | None = None,
    ) -> int:
        """Have deliveries be sent once more, with all their attempts; return how many.

        Args:
            webhook: Held.
            now: From when on.
            delivery_id: This one, whatever came of it; one that is being sent at the moment stays
                as it is. Null: all that have failed.
            since: Of those, whose message is no older; null: however old.
        """
        chosen = [
            WebhookDelivery.webhook_id == webhook.id,
            WebhookDelivery.workspace_id == self._workspace_id,
            WebhookDelivery.lease_token.is_(None),
        ]
        if delivery_id is not None:
            chosen.append(WebhookDelivery.id == delivery_id)
        else:
            chosen.append(WebhookDelivery.status == "failed")
        if since is not None:
            chosen.append(WebhookDelivery.created_at >= since)
        done = self._session.execute(
            update(WebhookDelivery)
            .where(*chosen)
            .values(status="pending", attempts=0, next_at=now)
            .execution_options(synchronize_session=False)
        )
        count: int = done.rowcount  # type: ignore[attr-defined]
        return count

    def _one(self, webhook_id: str) -> Select[Webhook]:
        return select(Webhook).where(
            Webhook.id == webhook_id, Webhook.workspace_id == self._workspace_id
        )
