"""What can be done with webhooks. Nothing here commits."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from api.problems import Problem, not_found
from api.webhooks.addresses import AddressRules
from api.webhooks.schemas import WebhookChange, WebhookRequest
from store.clock import now_of
from store.repositories import AuditTrail, Identity, WebhookRepository
from store.repositories.paging import Page
from store.webhook_queue import disable
from store.webhook_secrets import Sealer, kept, live_secrets, new_secret, rotated
from store.webhook_tables import DeliveryStatus, Webhook, WebhookDelivery

MOST_WEBHOOKS = 20
_MOST_SECRETS = 4
_ASKED = "asked"


class WebhookService:
    """Webhooks of the workspace that asks."""

    def __init__(self, session: Session, identity: Identity) -> None:
        self._session = session
        self._identity = identity
        self._webhooks = WebhookRepository(session, identity.workspace_id)
        self._audit = AuditTrail(session, identity.workspace_id)

    def create(
        self, asked: WebhookRequest, rules: AddressRules, sealer: Sealer
    ) -> tuple[Webhook, str]:
        """Make a webhook.

        Returns:
            Its row and its signing secret.

        Raises:
            GraftError: ``webhook_url_invalid`` or ``webhook_url_refused``.
            Problem: 409 ``webhooks_too_many``.
        """
        target = rules.read(asked.url)
        self._webhooks.lock_workspace()
        if self._webhooks.count() >= MOST_WEBHOOKS:
            raise Problem(
                409,
                "webhooks_too_many",
                f"The workspace has {MOST_WEBHOOKS} webhooks already.",
                "Delete one that is not needed any more.",
            )
        secret = new_secret()
        now = now_of(self._session)
        row = Webhook(
            url=str(target.url),
            description=asked.description,
            events=list(asked.events),
            secrets=[kept(sealer.seal(secret), now)],
            created_by=self._identity.key_id,
            created_at=now,
            updated_at=now,
        )
        self._webhooks.add(row)
        # The host alone: a path or query may hold a secret of the receiver.
        self._note("create", row, {"host": target.host, "events": row.events})
        return row, secret

    def get(self, webhook_id: str) -> Webhook:
        """Return a webhook, or raise 404."""
        return _found(self._webhooks.get(webhook_id))

    def page(self, limit: int, cursor: str | None) -> Page[Webhook]:
        """Return webhooks, the newest first."""
        return self._webhooks.page(limit, cursor)

    def change(self, webhook_id: str, asked: WebhookChange, rules: AddressRules) -> Webhook:
        """Change a webhook.

        Raises:
            GraftError: ``webhook_url_invalid`` or ``webhook_url_refused``.
            Problem: 404.
        """
        row = _found(self._webhooks.hold(webhook_id))
        now = now_of(self._session)
        changed: dict[str, object] = {}
        if asked.url is not None:
            target = rules.read(asked.url)
            row.url = str(target.url)
            changed["host"] = target.host
        if asked.events is not None:
            row.events = list(asked.events)
            changed["events"] = row.events
        if asked.description is not None:
            row.description = asked.description
            changed["description"] = True
        if asked.disabled is not None and asked.disabled != (row.disabled_at is not None):
            changed["disabled"] = asked.disabled
            if asked.disabled:
                disable(self._session, row, _ASKED, now)
            else:
                row.disabled_at = row.disabled_because = None
        if changed:
            row.updated_at = now
            self._session.flush()
            self._note("change", row, changed)
        return row

    def delete(self, webhook_id: str) -> None:
        """Delete a webhook with its deliveries, or raise 404."""
        row = _found(self._webhooks.hold(webhook_id, to_delete=True))
        self._webhooks.delete(row)
        self._note("delete", row)

    def rotate_secret(self, webhook_id: str, overlap_seconds: int, sealer: Sealer) -> str:
        """Make a new signing secret, and return it; the old one is used beside it for a while.

        Raises:
            Problem: 404, or 409 ``rotations_too_many``.
        """
        row = _found(self._webhooks.hold(webhook_id))
        now = now_of(self._session)
        if overlap_seconds > 0 and len(live_secrets(row.secrets, now)) >= _MOST_SECRETS:
            raise Problem(
                409,
                "rotations_too_many",
                f"Messages are signed with {_MOST_SECRETS} secrets already.",
                "Wait until one of them expires, or end all of them with `overlap_seconds` 0.",
            )
        secret = new_secret()
        row.secrets = rotated(
            row.secrets, sealer.seal(secret), now, timedelta(seconds=overlap_seconds)
        )
        self._session.flush()
        self._note("rotate_secret", row, {"overlap_seconds": overlap_seconds})
        return secret

    def test(self, webhook_id: str) -> WebhookDelivery:
        """Have a test message be sent.

        Raises:
            Problem: 404, or 409 ``webhook_disabled``.
        """
        row = self._enabled(webhook_id)
        delivery = self._webhooks.add_test(row)
        self._note("test", row)
        return delivery

    def deliveries(
        self, webhook_id: str, limit: int, cursor: str | None, status: DeliveryStatus | None
    ) -> Page[tuple[WebhookDelivery, str]]:
        """Return deliveries with the types of their messages, the newest first, or raise 404."""
        self.get(webhook_id)
        page = self._webhooks.deliveries(webhook_id, limit, cursor, status)
        types = self._webhooks.types_of(page.items)
        items = [(delivery, types[delivery.message_id]) for delivery in page.items]
        return Page(items, page.next_cursor)

    def delivery(self, webhook_id: str, delivery_id: str) -> tuple[WebhookDelivery, str]:
        """Return a delivery with the type of its message, or raise 404."""
        self.get(webhook_id)
        found = self._webhooks.delivery(webhook_id, delivery_id)
        if found is None:
            raise not_found("delivery")
        return found, self._webhooks.types_of([found])[found.message_id]

    def replay(self, webhook_id: str, delivery_id: str) -> tuple[WebhookDelivery, str]:
        """Have a message be sent again, whatever came of it; the ``webhook-id`` stays the same.

        Raises:
            Problem: 404, or 409 ``webhook_disabled``.
        """
        row = self._enabled(webhook_id)
        self.delivery(webhook_id, delivery_id)
        self._webhooks.send_again(row, now_of(self._session), delivery_id=delivery_id)
        self._note("replay", row, {"delivery": delivery_id})
        self._session.expire_all()
        return self.delivery(webhook_id, delivery_id)

    def replay_failed(self, webhook_id: str, since: datetime | None) -> int:
        """Have everything be sent again that has failed; return how many messages.

        Raises:
            Problem: 404, or 409 ``webhook_disabled``.
        """
        row = self._enabled(webhook_id)
        count = self._webhooks.send_again(row, now_of(self._session), since=since)
        self._note("replay", row, {"count": count})
        return count

    def _enabled(self, webhook_id: str) -> Webhook:
        row = _found(self._webhooks.hold(webhook_id))
        if row.disabled_at is not None:
            raise Problem(
                409,
                "webhook_disabled",
                "The webhook is disabled, so nothing is sent to it.",
                'Mend the receiver, then enable the webhook: PATCH it with {"disabled": false}.',
            )
        return row

    def _note(self, what: str, row: Webhook, detail: dict[str, object] | None = None) -> None:
        self._audit.append(self._identity.key_id, f"webhook.{what}", row.id, detail)


def _found(row: Webhook | None) -> Webhook:
    if row is None:
        raise not_found("webhook")
    return row
