"""A message is written with the change that it tells of: never without it, never twice."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from sqlalchemy import select

from store.columns import new_id
from store.database import Database
from store.repositories import AuditTrail, JobRepository, WebhookRepository
from store.tables import Dataset, Job
from store.webhook_events import tell_of_dataset, tell_of_job
from store.webhook_tables import Webhook, WebhookDelivery, WebhookMessage


def subscribe(house: Any, *events: str, workspace_id: str | None = None) -> str:
    with house.database.write() as session:
        row = Webhook(
            url="https://portal.example.org/", events=list(events), secrets=[], created_by="key_1"
        )
        WebhookRepository(session, workspace_id or house.workspace_id).add(row)
        return row.id


def told(database: Database) -> list[tuple[str, str, dict[str, Any]]]:
    """To whom, what type, what data."""
    with database.read() as session:
        rows = session.execute(
            select(WebhookDelivery.webhook_id, WebhookMessage.type, WebhookMessage.data)
            .join(WebhookMessage, WebhookMessage.id == WebhookDelivery.message_id)
            .order_by(WebhookMessage.created_at, WebhookDelivery.webhook_id)
        )
        return [(row[0], row[1], row[2]) for row in rows]


def count_messages(database: Database) -> int:
    with database.read() as session:
        return len(session.scalars(select(WebhookMessage)).all())


def test_a_job_tells_of_its_start_and_its_end_once_each_and_by_ids_alone(house: Any) -> None:
    webhook_id = subscribe(house)
    job_id = house.submit(house.chain("a", "b"))
    house.carry_out(job_id)
    assert told(house.database) == [
        (
            webhook_id,
            f"job.{status}",
            {"id": job_id, "status": status, "dataset_id": house.dataset_id},
        )
        for status in ("running", "succeeded")
    ]


def test_a_job_that_fails_and_one_that_is_cancelled_tell_so(house: Any) -> None:
    subscribe(house, "job.failed", "job.cancelled")
    house.carry_out(house.submit(house.chain("a", "b")), failing={"a"})
    job_id = house.submit(house.chain("c", "d"))
    for _ in range(2):
        with house.database.write() as session:
            JobRepository(session, house.workspace_id).cancel(job_id)
    assert [kind for _, kind, _ in told(house.database)] == ["job.failed", "job.cancelled"]


def test_only_who_subscribes_is_told_and_without_anyone_no_message_is_written(
    house: Any, other_workspace: str
) -> None:
    job_id = house.submit(house.chain("a"))
    house.carry_out(job_id)
    subscribe(house, workspace_id=other_workspace)
    subscribe(house, "dataset.ready")
    disabled = subscribe(house)
    with house.database.write() as session:
        row = session.get_one(Webhook, disabled)
        row.disabled_at = row.created_at
    house.carry_out(house.submit(house.chain("b")))
    assert count_messages(house.database) == 0
    one, two = subscribe(house, "job.succeeded"), subscribe(house, "job.succeeded", "job.failed")
    house.carry_out(house.submit(house.chain("c")))
    found = [(who, kind) for who, kind, _ in told(house.database)]
    assert found == [(who, "job.succeeded") for who in sorted([one, two])]
    assert count_messages(house.database) == 1


def test_a_change_that_is_rolled_back_tells_nobody(house: Any) -> None:
    subscribe(house)
    job_id = house.submit(house.chain("a"))
    with house.database.write() as session:
        tell_of_job(session, session.get_one(Job, job_id))
        session.rollback()
    assert count_messages(house.database) == 0


def test_data_sets_tell_when_they_are_ready_or_rejected_and_ingests_do_not(house: Any) -> None:
    subscribe(house)
    with house.database.write() as session:
        ingest = Job(
            id=new_id("job"), kind="ingest", dataset_id=house.dataset_id, spec={}, resolved={}
        )
        dataset = Dataset(
            id=new_id("ds"),
            workspace_id=house.workspace_id,
            name="a name that nobody outside may read",
            status="ingesting",
            upload_key="k",
            upload_sha256="0" * 64,
            upload_bytes=1,
            image_size=224,
        )
        session.add(dataset)
        session.flush()
        ingest.dataset_id = dataset.id
        JobRepository(session, house.workspace_id).add(ingest, house.chain("a"), house.objects)
    house.carry_out(ingest.id, failing={"a"})
    assert [(kind, data) for _, kind, data in told(house.database)] == [
        ("dataset.rejected", {"id": dataset.id, "status": "rejected"})
    ]


def test_what_nobody_can_subscribe_to_is_not_told(house: Any) -> None:
    subscribe(house)
    with house.database.write() as session:
        dataset = session.get_one(Dataset, house.dataset_id)
        dataset.status = "ingesting"
        tell_of_dataset(session, dataset)
        session.rollback()
    assert count_messages(house.database) == 0


@pytest.mark.parametrize("tells_first", [True, False])
def test_telling_and_deleting_at_once_end_both(house: Any, tells_first: bool) -> None:
    """Each also wants the workspace's row, for the trail: in the wrong order they would wait."""
    if house.database.engine.dialect.name != "postgresql":
        pytest.skip("SQLite has one writer")
    subscribe(house, "job.failed")
    webhook_id = subscribe(house)
    job_id = house.submit(house.chain("a"))
    house.claim_named(job_id, "a")
    meeting = threading.Barrier(2, timeout=10)
    ended: list[str] = []

    def tell() -> None:
        with house.database.write() as session:
            trail = AuditTrail(session, house.workspace_id)
            if tells_first:
                trail.append("key_1", "first", "s")
                meeting.wait()
            else:
                meeting.wait()
            tell_of_job(session, session.get_one(Job, job_id))
            trail.append("key_1", "last", "s")
        ended.append("told")

    def delete() -> None:
        with house.database.write() as session:
            webhooks = WebhookRepository(session, house.workspace_id)
            row = webhooks.hold(webhook_id, to_delete=True)
            assert row is not None
            meeting.wait()
            webhooks.delete(row)
            AuditTrail(session, house.workspace_id).append("key_2", "webhook.delete", row.id)
        ended.append("deleted")

    threads = [threading.Thread(target=work) for work in (tell, delete)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert sorted(ended) == ["deleted", "told"]
    assert webhook_id not in {who for who, _, _ in told(house.database)}
