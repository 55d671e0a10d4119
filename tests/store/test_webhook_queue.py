"""Deliveries over days: claimed once, tried again in time, given up when it is time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from store.clock import now_of
from store.database import Database
from store.repositories import AuditTrail, WebhookRepository
from store.retention import prune
from store.tables import AuditEvent
from store.webhook_events import address_message
from store.webhook_queue import (
    LEASE,
    PER_WEBHOOK,
    PER_WORKSPACE,
    ClaimedDelivery,
    Outcome,
    WebhookQueue,
)
from store.webhook_schedule import DELAYS, MAX_ATTEMPTS
from store.webhook_secrets import kept
from store.webhook_tables import Webhook, WebhookDelivery, WebhookMessage

OK = Outcome(204)
BROKEN = Outcome(500, "status")


@dataclass
class Desk:
    """A sender whose clock is the test's."""

    database: Database
    workspace_id: str
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def pass_time(self, **amount: float) -> None:
        self.now += timedelta(**amount)

    def webhook(self, workspace_id: str | None = None) -> str:
        with self.database.write() as session:
            row = Webhook(
                url="https://portal.example.org/",
                events=[],
                secrets=[kept("sealed", self.now)],
                created_by="key_1",
                created_at=self.now,
                updated_at=self.now,
            )
            WebhookRepository(session, workspace_id or self.workspace_id).add(row)
            return row.id

    def message(self, *webhook_ids: str, workspace_id: str | None = None) -> list[str]:
        with self.database.write() as session:
            made = address_message(
                session, workspace_id or self.workspace_id, "job.failed", {}, list(webhook_ids)
            )
            for delivery in made:
                delivery.created_at = delivery.next_at = self.now
            return [delivery.id for delivery in made]

    def due(self, limit: int = 1000) -> list[str]:
        with self.database.read() as session:
            return self._queue(session).due(limit)

    def claim(self, delivery_id: str) -> ClaimedDelivery | None:
        with self.database.write() as session:
            return self._queue(session).claim(delivery_id)

    def claim_all(self) -> list[ClaimedDelivery]:
        claimed = [self.claim(delivery_id) for delivery_id in self.due()]
        return [one for one in claimed if one is not None]

    def record(self, claimed: ClaimedDelivery, outcome: Outcome) -> str | None:
        with self.database.write() as session:
            return self._queue(session).record(claimed, outcome)

    def attempt(self, outcome: Outcome) -> int:
        """Claim and record all that is due; return how many."""
        claimed = self.claim_all()
        for one in claimed:
            self.record(one, outcome)
        return len(claimed)

    def delivery(self, delivery_id: str) -> WebhookDelivery:
        with self.database.read() as session:
            return session.get_one(WebhookDelivery, delivery_id)

    def row(self, webhook_id: str) -> Webhook:
        with self.database.read() as session:
            return session.get_one(Webhook, webhook_id)

    def _queue(self, session: Any) -> WebhookQueue:
        return WebhookQueue(session, lambda _session: self.now)


@pytest.fixture
def desk(house: Any) -> Desk:
    return Desk(house.database, house.workspace_id)


def test_a_delivery_is_claimed_once_and_delivered_once(desk: Desk) -> None:
    webhook_id = desk.webhook()
    (delivery_id,) = desk.message(webhook_id)
    assert desk.due() == [delivery_id]
    claimed = desk.claim(delivery_id)
    assert claimed is not None
    assert (claimed.webhook_id, claimed.sealed_secrets) == (webhook_id, ["sealed"])
    assert desk.claim(delivery_id) is None
    assert desk.due() == []
    assert desk.record(claimed, OK) is None
    found = desk.delivery(delivery_id)
    assert (found.status, found.attempts, found.last_status_code) == ("delivered", 1, 204)
    assert (found.next_at, found.lease_token, found.delivered_at) == (None, None, desk.now)
    desk.pass_time(days=10)
    assert desk.due() == []


def test_who_dies_between_sending_and_recording_is_followed_by_another_with_the_same_id(
    desk: Desk,
) -> None:
    (delivery_id,) = desk.message(desk.webhook())
    dead = desk.claim(delivery_id)
    assert dead is not None
    desk.pass_time(seconds=LEASE.total_seconds() - 1)
    assert desk.due() == []
    desk.pass_time(seconds=2)
    (again,) = desk.claim_all()
    assert again.message_id == dead.message_id
    # Who was taken for dead and is not changes nothing any more.
    assert desk.record(dead, Outcome(410, "gone")) is None
    assert desk.delivery(delivery_id).status == "pending"
    desk.record(again, OK)
    assert desk.delivery(delivery_id).attempts == 2


def test_a_claim_that_is_given_back_is_anybodys_at_once(desk: Desk) -> None:
    (delivery_id,) = desk.message(desk.webhook())
    (claimed,) = desk.claim_all()
    with desk.database.write() as session:
        WebhookQueue(session).release(claimed)
    assert desk.due() == [delivery_id]
    assert desk.delivery(delivery_id).attempts == 0


def test_a_delivery_is_tried_ten_times_in_a_little_more_than_three_days(desk: Desk) -> None:
    (delivery_id,) = desk.message(desk.webhook())
    began, tried = desk.now, []
    while desk.delivery(delivery_id).status == "pending":
        next_at = desk.delivery(delivery_id).next_at
        assert next_at is not None
        desk.now = next_at - timedelta(milliseconds=1)
        assert desk.due() == []
        desk.now = next_at
        tried.append(desk.now - began)
        assert desk.attempt(BROKEN) == 1
    assert len(tried) == MAX_ATTEMPTS == 10
    assert timedelta(hours=75) <= tried[-1] <= timedelta(hours=75 * 1.11)
    for number, delay in enumerate(DELAYS):
        waited = tried[number + 1] - tried[number]
        assert delay <= waited <= delay * 1.1
    found = desk.delivery(delivery_id)
    assert (found.status, found.next_at, found.last_error) == ("failed", None, "status")


def test_a_failure_and_then_a_success_is_delivered(desk: Desk) -> None:
    (delivery_id,) = desk.message(desk.webhook())
    desk.attempt(BROKEN)
    desk.pass_time(seconds=6)
    desk.attempt(OK)
    found = desk.delivery(delivery_id)
    assert (found.status, found.attempts, found.last_error) == ("delivered", 2, None)


def test_gone_disables_at_once_and_what_waits_has_failed(desk: Desk, house: Any) -> None:
    webhook_id, other = desk.webhook(), desk.webhook()
    (first,) = desk.message(webhook_id)
    (second,) = desk.message(webhook_id)
    (third,) = desk.message(webhook_id)
    (theirs,) = desk.message(other)
    claimed = {one.id: one for one in desk.claim_all()}
    assert set(claimed) == {first, second, theirs}
    assert desk.record(claimed[first], Outcome(410, "gone")) == "gone"
    row = desk.row(webhook_id)
    assert (row.disabled_at, row.disabled_because) == (desk.now, "gone")
    assert desk.delivery(third).status == "failed"
    assert desk.delivery(third).last_error == "webhook_disabled"
    # What was under way is recorded by whoever sent it.
    assert desk.delivery(second).status == "pending"
    assert desk.record(claimed[second], BROKEN) is None
    assert desk.delivery(second).status == "failed"
    desk.record(claimed[theirs], OK)
    assert desk.delivery(theirs).status == "delivered"
    with desk.database.read() as session:
        event = session.scalars(select(AuditEvent).order_by(AuditEvent.id.desc())).first()
        assert event is not None
        assert (event.actor, event.action) == ("system", "webhook.disable")
        assert (event.subject, event.detail) == (webhook_id, {"because": "gone"})
        assert AuditTrail(session, desk.workspace_id).first_broken() is None


def test_a_success_that_was_under_way_when_the_webhook_was_disabled_is_one(desk: Desk) -> None:
    webhook_id = desk.webhook()
    desk.message(webhook_id), desk.message(webhook_id)
    first, second = desk.claim_all()
    desk.record(first, Outcome(410, "gone"))
    desk.record(second, OK)
    assert desk.delivery(second.id).status == "delivered"


def test_nothing_is_sent_to_a_disabled_webhook(desk: Desk) -> None:
    webhook_id = desk.webhook()
    (delivery_id,) = desk.message(webhook_id)
    with desk.database.write() as session:
        session.get_one(Webhook, webhook_id).disabled_at = desk.now
    assert desk.due() == []
    assert desk.delivery(delivery_id).status == "pending"


def fail_for_days(desk: Desk, webhook_id: str, days: float) -> None:
    end = desk.now + timedelta(days=days)
    while desk.now < end and desk.row(webhook_id).disabled_at is None:
        desk.message(webhook_id)
        desk.attempt(BROKEN)
        desk.pass_time(hours=6)


def test_a_webhook_that_has_failed_only_for_five_days_is_disabled(desk: Desk) -> None:
    webhook_id = desk.webhook()
    fail_for_days(desk, webhook_id, 4.9)
    assert desk.row(webhook_id).disabled_at is None
    fail_for_days(desk, webhook_id, 1)
    assert desk.row(webhook_id).disabled_because == "failing"


def test_one_success_among_the_failures_keeps_a_webhook(desk: Desk) -> None:
    webhook_id = desk.webhook()
    fail_for_days(desk, webhook_id, 3)
    desk.message(webhook_id)
    desk.attempt(OK)
    fail_for_days(desk, webhook_id, 4.5)
    assert desk.row(webhook_id).disabled_at is None


def test_whoever_enables_a_webhook_again_gives_it_five_more_days(desk: Desk) -> None:
    webhook_id = desk.webhook()
    fail_for_days(desk, webhook_id, 6)
    with desk.database.write() as session:
        row = session.get_one(Webhook, webhook_id)
        row.disabled_at = row.disabled_because = None
        row.updated_at = desk.now
    fail_for_days(desk, webhook_id, 4.5)
    assert desk.row(webhook_id).disabled_at is None


def test_patience_that_a_receiver_asks_for_holds_all_of_its_messages_back(desk: Desk) -> None:
    webhook_id, other = desk.webhook(), desk.webhook()
    for _ in range(4):
        desk.message(webhook_id)
    (theirs,) = desk.message(other)
    first = next(one for one in desk.claim_all() if one.webhook_id == webhook_id)
    desk.record(first, Outcome(429, "status", retry_after=600))
    desk.pass_time(seconds=LEASE.total_seconds() + 1)
    assert desk.due() == [theirs]
    desk.pass_time(seconds=600)
    assert len(desk.due()) == PER_WEBHOOK + 1
    # Nobody is waited for longer than a day.
    (claimed, *_) = desk.claim_all()
    desk.record(claimed, Outcome(503, "status", retry_after=1e9))
    next_at = desk.delivery(claimed.id).next_at
    assert next_at is not None
    assert next_at - desk.now <= timedelta(hours=24)


def test_one_webhook_and_one_workspace_cannot_take_every_place(
    desk: Desk, other_workspace: str
) -> None:
    greedy = [desk.webhook() for _ in range(8)]
    for _ in range(5):
        desk.message(*greedy)
    (theirs,) = desk.message(desk.webhook(other_workspace), workspace_id=other_workspace)
    claimed = desk.claim_all()
    assert theirs in {one.id for one in claimed}
    by_webhook = Counter(one.webhook_id for one in claimed)
    assert len(claimed) == PER_WORKSPACE + 1
    assert max(by_webhook.values()) <= PER_WEBHOOK
    # A second sender finds that nothing more may be under way.
    assert desk.due() == []
    desk.record(next(one for one in claimed if one.id != theirs), OK)
    assert len(desk.due()) == 1


def test_every_webhook_has_its_turn_before_any_has_its_second(desk: Desk) -> None:
    first, second = desk.webhook(), desk.webhook()
    desk.message(first), desk.message(first)
    desk.pass_time(seconds=1)
    desk.message(second)
    found = [desk.delivery(delivery_id).webhook_id for delivery_id in desk.due(2)]
    assert found == [first, second]


def test_a_clock_that_is_set_back_keeps_nothing_waiting_for_ever(desk: Desk) -> None:
    webhook_id = desk.webhook()
    (waiting,) = desk.message(webhook_id)
    (leased,) = desk.message(webhook_id)
    assert desk.claim(leased) is not None
    desk.pass_time(days=-30)
    assert set(desk.due()) == {waiting, leased}


def test_old_messages_go_with_their_deliveries_and_what_waits_stays(desk: Desk) -> None:
    webhook_id = desk.webhook()
    (done,) = desk.message(webhook_id)
    desk.attempt(OK)
    (waiting,) = desk.message(webhook_id)
    desk.pass_time(days=-31)
    # The database's clock decides, so the rows are made older.
    with desk.database.write() as session:
        for table in (WebhookDelivery, WebhookMessage):
            session.execute(update(table).values(created_at=desk.now))
    (fresh,) = desk.message(webhook_id)
    with desk.database.write() as session:
        row = session.get_one(WebhookDelivery, fresh)
        row.created_at = now_of(session)
    prune(desk.database)
    assert set(_ids(desk.database, WebhookDelivery.id)) == {waiting, fresh}
    assert done not in _ids(desk.database, WebhookDelivery.id)
    assert len(_ids(desk.database, WebhookMessage.id)) == 2


def _ids(database: Database, column: Any) -> Sequence[str]:
    with database.read() as session:
        return session.scalars(select(column)).all()
