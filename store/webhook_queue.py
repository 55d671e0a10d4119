"""Deliveries that are due: claimed with a lease, sent, recorded. Any number may send at once.

Of all workspaces: this is the sender's view, and nothing here answers a request. Who changes a
webhook takes its row first and its deliveries after it.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.orm import Session

from store.clock import now_of
from store.database import FOR_NO_KEY_UPDATE
from store.repositories.audit import AuditTrail
from store.webhook_schedule import GIVE_UP_AFTER, LONGEST_WAIT, asked_wait, wait_after
from store.webhook_secrets import live_secrets
from store.webhook_tables import Webhook, WebhookDelivery, WebhookMessage

PER_WEBHOOK = 2
"""Deliveries under way to one webhook, by all senders together."""
PER_WORKSPACE = 8
"""The same for all webhooks of a workspace: slow receivers of one must not hold up the others'."""
LEASE = timedelta(seconds=60)
"""Longer than any attempt takes; after it, whoever claimed is taken for dead."""
_AT_ONCE = 500
_NEVER_SO_LONG = 2 * LONGEST_WAIT

Clock = Callable[[Session], datetime]


@dataclass(frozen=True)
class ClaimedDelivery:
    """A delivery that is this sender's for as long as the lease lasts."""

    id: str
    token: str
    webhook_id: str
    url: str
    sealed_secrets: Sequence[str]
    """Those to sign with, the newest first."""
    message_id: str
    type: str
    data: dict[str, Any]
    happened_at: datetime


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended."""

    status_code: int | None = None
    error: str | None = None
    """A code; null: it was delivered."""
    retry_after: float | None = None
    """Seconds, as the receiver asked for with 429 or 503."""


class WebhookQueue:
    """The deliveries of all workspaces.

    Args:
        session: A transaction.
        clock: For tests that let days pass.
    """

    def __init__(self, session: Session, clock: Clock = now_of) -> None:
        self._session = session
        self._now = clock(session)

    def due(self, limit: int) -> list[str]:
        """Return ids of deliveries that may be claimed, at most so many; needs no write.

        Those that wait longest go first, a webhook's first before any other's second, and no more
        of a webhook or workspace than may be under way at once.
        """
        turn = (
            func.row_number()
            .over(
                partition_by=WebhookDelivery.webhook_id,
                order_by=(WebhookDelivery.next_at, WebhookDelivery.id),
            )
            .label("turn")
        )
        ranked = (
            select(
                WebhookDelivery.id,
                WebhookDelivery.webhook_id,
                WebhookDelivery.workspace_id,
                WebhookDelivery.next_at,
                turn,
            )
            .join(Webhook, Webhook.id == WebhookDelivery.webhook_id)
            .where(self._is_free(), Webhook.disabled_at.is_(None))
            .subquery()
        )
        candidates = self._session.execute(
            select(ranked.c.id, ranked.c.webhook_id, ranked.c.workspace_id)
            .where(ranked.c.turn <= PER_WEBHOOK)
            .order_by(ranked.c.turn, ranked.c.next_at)
            .limit(_AT_ONCE)
        ).all()
        if not candidates:
            return []
        busy = self._under_way()
        found: list[str] = []
        for delivery_id, webhook_id, workspace_id in candidates:
            if len(found) >= limit:
                break
            if busy[webhook_id] < PER_WEBHOOK and busy[workspace_id] < PER_WORKSPACE:
                busy.update((webhook_id, workspace_id))
                found.append(delivery_id)
        return found

    def claim(self, delivery_id: str) -> ClaimedDelivery | None:
        """Take a delivery, and count the attempt; null when another was quicker."""
        token = secrets.token_hex(16)
        taken = self._session.execute(
            update(WebhookDelivery)
            .where(WebhookDelivery.id == delivery_id, self._is_free())
            .values(
                lease_token=token,
                lease_expires_at=self._now + LEASE,
                attempts=WebhookDelivery.attempts + 1,
                last_attempt_at=self._now,
            )
            .execution_options(synchronize_session=False)
        )
        if taken.rowcount != 1:  # type: ignore[attr-defined]
            return None
        delivery, webhook, message = self._session.execute(
            select(WebhookDelivery, Webhook, WebhookMessage)
            .join(Webhook, Webhook.id == WebhookDelivery.webhook_id)
            .join(WebhookMessage, WebhookMessage.id == WebhookDelivery.message_id)
            .where(WebhookDelivery.id == delivery_id)
        ).one()
        return ClaimedDelivery(
            id=delivery.id,
            token=token,
            webhook_id=webhook.id,
            url=webhook.url,
            sealed_secrets=[entry["sealed"] for entry in live_secrets(webhook.secrets, self._now)],
            message_id=message.id,
            type=message.type,
            data=message.data,
            happened_at=message.created_at,
        )

    def release(self, claimed: ClaimedDelivery) -> None:
        """Give back what was not carried out; another takes it at once."""
        self._session.execute(
            update(WebhookDelivery)
            .where(WebhookDelivery.id == claimed.id, WebhookDelivery.lease_token == claimed.token)
            .values(
                lease_token=None,
                lease_expires_at=None,
                attempts=WebhookDelivery.attempts - 1,
            )
        )

    def record(self, claimed: ClaimedDelivery, outcome: Outcome) -> str | None:
        """Write down how an attempt ended.

        Returns:
            Why the webhook was disabled by that, as ``Webhook.disabled_because``; null: it was not.
        """
        webhook = self._session.get(
            Webhook, claimed.webhook_id, with_for_update=FOR_NO_KEY_UPDATE, populate_existing=True
        )
        delivery = self._session.get(WebhookDelivery, claimed.id, populate_existing=True)
        if webhook is None or delivery is None or delivery.lease_token != claimed.token:
            return None
        delivery.lease_token = delivery.lease_expires_at = None
        delivery.last_status_code = outcome.status_code
        delivery.last_error = outcome.error
        if outcome.error is None:
            delivery.status = "delivered"
            delivery.delivered_at = self._now
            delivery.next_at = None
            return None
        wait = wait_after(delivery.attempts, outcome.retry_after)
        because = self._why_to_disable(webhook, outcome)
        if wait is None or because is not None or webhook.disabled_at is not None:
            delivery.status = "failed"
            delivery.next_at = None
        else:
            delivery.next_at = self._now + wait
        if because is not None:
            disable(self._session, webhook, because, self._now)
            trail = AuditTrail(self._session, webhook.workspace_id)
            trail.append("system", "webhook.disable", webhook.id, {"because": because})
        elif outcome.retry_after is not None:
            self._hold_back(webhook, self._now + asked_wait(outcome.retry_after))
        return because

    def _is_free(self) -> ColumnElement[bool]:
        """Return the condition under which a delivery is due and nobody's.

        What lies further ahead than it can was written before the clock was set back.
        """
        return and_(
            WebhookDelivery.status == "pending",
            or_(
                WebhookDelivery.next_at <= self._now,
                WebhookDelivery.next_at > self._now + _NEVER_SO_LONG,
            ),
            or_(WebhookDelivery.lease_expires_at.is_(None), ~self._is_leased()),
        )

    def _is_leased(self) -> ColumnElement[bool]:
        return WebhookDelivery.lease_expires_at.between(self._now, self._now + 2 * LEASE)

    def _under_way(self) -> Counter[str]:
        """Count what is being sent, by webhook and by workspace."""
        busy: Counter[str] = Counter()
        for ids in self._session.execute(
            select(WebhookDelivery.webhook_id, WebhookDelivery.workspace_id).where(
                WebhookDelivery.status == "pending", self._is_leased()
            )
        ):
            busy.update(ids)
        return busy

    def _hold_back(self, webhook: Webhook, until: datetime) -> None:
        """Let everything else for a receiver that asked for patience wait, too."""
        self._session.flush()
        self._session.execute(
            update(WebhookDelivery)
            .where(
                WebhookDelivery.webhook_id == webhook.id,
                WebhookDelivery.status == "pending",
                WebhookDelivery.next_at < until,
            )
            .values(next_at=until)
            .execution_options(synchronize_session=False)
        )

    def _why_to_disable(self, webhook: Webhook, outcome: Outcome) -> str | None:
        if webhook.disabled_at is not None:
            return None
        if outcome.status_code == 410:
            return "gone"
        self._session.flush()
        last = self._session.scalar(
            select(func.max(WebhookDelivery.delivered_at)).where(
                WebhookDelivery.webhook_id == webhook.id
            )
        )
        # Whoever changes a webhook gives it another chance.
        since = webhook.updated_at if last is None else max(last, webhook.updated_at)
        first = self._session.scalar(
            select(func.min(WebhookDelivery.created_at)).where(
                WebhookDelivery.webhook_id == webhook.id,
                WebhookDelivery.status != "delivered",
                WebhookDelivery.attempts > 0,
                WebhookDelivery.created_at >= since,
            )
        )
        is_over = first is not None and self._now - first >= GIVE_UP_AFTER
        return "failing" if is_over else None


def disable(session: Session, webhook: Webhook, because: str, now: datetime) -> None:
    """Disable a webhook, whose row is held; what waits for it has failed, and can be replayed.

    What is under way at this moment is recorded by whoever sends it.
    """
    webhook.disabled_at = now
    webhook.disabled_because = because
    session.flush()
    session.execute(
        update(WebhookDelivery)
        .where(
            WebhookDelivery.webhook_id == webhook.id,
            WebhookDelivery.status == "pending",
            WebhookDelivery.lease_token.is_(None),
        )
        .values(status="failed", next_at=None, last_error="webhook_disabled")
        .execution_options(synchronize_session=False)
    )
