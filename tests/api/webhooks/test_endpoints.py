"""``/v1/webhooks``, over HTTP; nothing is sent here (see ``test_sender.py``)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from store.database import Database
from store.repositories import AuditTrail
from store.tables import AuditEvent
from store.webhook_queue import Outcome, WebhookQueue
from store.webhook_tables import Webhook

URL = "https://portal.example.org/hooks?token=a-secret-of-the-receiver"


def make(client: Any, **more: Any) -> Any:
    answer = client.post("/v1/webhooks", json={"url": URL, **more})
    assert answer.status_code == 201, answer.text
    return answer.json()


def attempt(database: Database, outcome: Outcome) -> None:
    """What a sender does with all that is due."""
    with database.read() as session:
        due = WebhookQueue(session).due(100)
    for delivery_id in due:
        with database.write() as session:
            claimed = WebhookQueue(session).claim(delivery_id)
            assert claimed is not None
            WebhookQueue(session).record(claimed, outcome)


def trail(database: Database) -> list[tuple[str, str, Any]]:
    with database.read() as session:
        events = session.scalars(
            select(AuditEvent)
            .where(AuditEvent.action.like("webhook.%"))
            .order_by(AuditEvent.number)
        ).all()
        assert AuditTrail(session, events[0].workspace_id).first_broken() is None
        return [(event.action, event.subject, event.detail) for event in events]


def test_a_secret_is_shown_once_and_kept_encrypted(client: Any, database: Database) -> None:
    answer = client.post("/v1/webhooks", json={"url": URL, "description": "portal"})
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert answer.headers["location"] == f"/v1/webhooks/{body['id']}"
    secret = body["secret"]
    assert secret.startswith("whsec_")
    seen = client.get(f"/v1/webhooks/{body['id']}")
    assert seen.json() == {name: value for name, value in body.items() if name != "secret"}
    assert secret not in client.get("/v1/webhooks").text
    with database.read() as session:
        rows = session.execute(text("SELECT * FROM webhooks")).all()
    assert len(rows) == 1
    assert secret not in str(rows)
    assert secret.removeprefix("whsec_") not in str(rows)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"url": ""},
        {"url": 7},
        {"url": "http://portal.example.org/"},
        {"url": "https://localhost/"},
        {"url": "https://10.0.0.1/"},
        {"url": "https://[::ffff:169.254.169.254]/"},
        {"url": "https://user:pass@portal.example.org/"},
        {"url": "https://portal.example.org/" + "a" * 2000},
        {"url": "https://portal.example.org/\x00"},
        {"url": URL, "events": ["job.exploded"]},
        {"url": URL, "events": ["webhook.test"]},
        {"url": URL, "events": "job.failed"},
        {"url": URL, "description": "x" * 201},
        {"url": URL, "secret": "whsec_of_my_own"},
    ],
)
def test_a_webhook_that_cannot_be_is_refused_when_it_is_made_or_changed(
    client: Any, body: dict[str, Any]
) -> None:
    refused = client.post("/v1/webhooks", json=body)
    assert refused.status_code == 422, refused.text
    assert refused.headers["content-type"] == "application/problem+json"
    if body:
        made = make(client)
        assert client.patch(f"/v1/webhooks/{made['id']}", json=body).status_code == 422
        assert client.get(f"/v1/webhooks/{made['id']}").json()["url"] == URL


def test_webhooks_are_listed_changed_disabled_enabled_and_deleted(
    client: Any, database: Database
) -> None:
    first, second = make(client), make(client, events=["job.failed", "job.failed"])
    assert second["events"] == ["job.failed"]
    page = client.get("/v1/webhooks?limit=1").json()
    rest = client.get(f"/v1/webhooks?limit=1&cursor={page['next_cursor']}").json()
    listed = {item["id"] for item in page["items"] + rest["items"]}
    assert (listed, rest["next_cursor"]) == ({first["id"], second["id"]}, None)
    path = f"/v1/webhooks/{first['id']}"
    changed = client.patch(path, json={"events": ["dataset.ready"], "description": "new"}).json()
    assert (changed["events"], changed["description"], changed["url"]) == (
        ["dataset.ready"],
        "new",
        URL,
    )
    moved = client.patch(path, json={"url": "https://other.example.org/x"}).json()
    assert moved["url"] == "https://other.example.org/x"
    off = client.patch(path, json={"disabled": True}).json()
    assert off["disabled_because"] == "asked"
    assert off["disabled_at"] is not None
    assert client.patch(path, json={"disabled": True}).json() == off
    on = client.patch(path, json={"disabled": False}).json()
    assert (on["disabled_at"], on["disabled_because"]) == (None, None)
    assert client.patch(path).json() == on
    assert client.delete(path).status_code == 204
    for method in ("get", "delete", "patch"):
        assert getattr(client, method)(path).status_code == 404
    actions = [action for action, subject, _ in trail(database) if subject == first["id"]]
    changes = ["webhook.change"] * 4
    assert actions == ["webhook.create", *changes, "webhook.delete"]
    assert "a-secret-of-the-receiver" not in str(trail(database))


def test_only_administrators_see_webhooks(client: Any) -> None:
    made = make(client)
    body = {"name": "n", "scopes": ["researcher"]}
    key = client.post("/v1/keys", json=body).json()["key"]
    headers = {"Authorization": f"Bearer {key}"}
    for path in ("/v1/webhooks", f"/v1/webhooks/{made['id']}"):
        assert client.get(path, headers=headers).status_code == 403
    assert client.post("/v1/webhooks", json={"url": URL}, headers=headers).status_code == 403


def test_a_workspace_has_twenty_webhooks_at_most(client: Any) -> None:
    for _ in range(20):
        make(client)
    refused = client.post("/v1/webhooks", json={"url": URL})
    assert (refused.status_code, refused.json()["code"]) == (409, "webhooks_too_many")


def test_a_rotated_secret_is_new_and_the_old_one_signs_for_a_day_more(
    client: Any, database: Database
) -> None:
    made = make(client)
    path = f"/v1/webhooks/{made['id']}/rotate-secret"
    answer = client.post(path)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    rotated = answer.json()
    assert rotated["secret"] != made["secret"]
    new, old = rotated["secrets"]
    assert new["expires_at"] is None
    ends = datetime.fromisoformat(old["expires_at"])
    assert timedelta(hours=23) < ends - datetime.now(UTC) <= timedelta(hours=24)
    with database.read() as session:
        kept = session.get_one(Webhook, made["id"]).secrets
    assert len({entry["sealed"] for entry in kept}) == 2
    assert len(client.post(path, json={"overlap_seconds": 0}).json()["secrets"]) == 1
    for _ in range(3):
        assert client.post(path, json={"overlap_seconds": 3600}).status_code == 200
    refused = client.post(path)
    assert (refused.status_code, refused.json()["code"]) == (409, "rotations_too_many")
    assert client.post(path, json={"overlap_seconds": 0}).status_code == 200
    for seconds in (-1, 604_801, "soon"):
        assert client.post(path, json={"overlap_seconds": seconds}).status_code == 422
    assert [a for a, _, _ in trail(database)].count("webhook.rotate_secret") == 6


def test_a_test_message_is_a_delivery_that_can_be_followed(client: Any, database: Database) -> None:
    made = make(client, events=["job.failed"])
    path = f"/v1/webhooks/{made['id']}"
    answer = client.post(f"{path}/test")
    assert answer.status_code == 202
    delivery = answer.json()
    assert (delivery["type"], delivery["status"]) == ("webhook.test", "pending")
    assert delivery["message_id"].startswith("msg_")
    attempt(database, Outcome(503, "status"))
    found = client.get(answer.headers["location"]).json()
    assert (found["attempts"], found["last_status_code"], found["status"]) == (1, 503, "pending")
    assert found["max_attempts"] == 10


def test_jobs_and_data_sets_of_the_api_are_told_of(client: Any, hospital: Any) -> None:
    made = make(client)
    job_id = hospital.finished_job()
    again = hospital.upload()  # the same bytes: ready at once
    assert again["status"] == "ready"
    items = client.get(f"/v1/webhooks/{made['id']}/deliveries").json()["items"]
    assert sorted(item["type"] for item in items) == [
        *["dataset.ready"] * 2,
        "job.running",
        "job.succeeded",
    ]
    assert client.get(f"/v1/jobs/{job_id}").json()["status"] == "succeeded"


def test_deliveries_are_paged_filtered_and_replayed(client: Any, database: Database) -> None:
    made, other = make(client), make(client)
    path = f"/v1/webhooks/{made['id']}"
    good = client.post(f"{path}/test").json()
    attempt(database, Outcome(200))
    bad = client.post(f"{path}/test").json()
    client.patch(path, json={"disabled": True})
    assert [d["id"] for d in _listed(client, path, "failed")] == [bad["id"]]
    assert [d["id"] for d in _listed(client, path, "delivered")] == [good["id"]]
    assert _listed(client, path, "pending") == []
    assert client.get(f"{path}/deliveries?status=lost").status_code == 422
    page = client.get(f"{path}/deliveries?limit=1").json()
    rest = client.get(f"{path}/deliveries?limit=1&cursor={page['next_cursor']}").json()
    assert {page["items"][0]["id"], rest["items"][0]["id"]} == {good["id"], bad["id"]}
    # Nothing is sent, or promised to be, to a webhook that is disabled.
    for call in (f"{path}/deliveries/{bad['id']}/replay", f"{path}/replay", f"{path}/test"):
        refused = client.post(call)
        assert (refused.status_code, refused.json()["code"]) == (409, "webhook_disabled")
    client.patch(path, json={"disabled": False})
    again = client.post(f"{path}/deliveries/{good['id']}/replay")
    assert again.status_code == 202
    assert (again.json()["status"], again.json()["message_id"]) == ("pending", good["message_id"])
    later = {"since": (datetime.now(UTC) + timedelta(hours=1)).isoformat()}
    assert client.post(f"{path}/replay", params=later).json() == {"replayed": 0}
    since = {"since": (datetime.now(UTC) - timedelta(hours=1)).isoformat()}
    assert client.post(f"{path}/replay", params=since).json() == {"replayed": 1}
    assert client.post(f"{path}/replay").json() == {"replayed": 0}
    attempt(database, Outcome(200))
    assert {d["id"] for d in _listed(client, path, "delivered")} == {good["id"], bad["id"]}
    elsewhere = f"/v1/webhooks/{other['id']}/deliveries/{good['id']}"
    assert client.get(elsewhere).status_code == 404
    assert client.post(f"{elsewhere}/replay").status_code == 404
    for wrong in ("yesterday", "2026-01-01T00:00:00", "9999-12-31T23:59:59-23:00"):
        assert client.post(f"{path}/replay", params={"since": wrong}).status_code == 422
    assert [a for a, _, _ in trail(database)].count("webhook.replay") == 4


def test_what_is_being_sent_right_now_is_not_sent_beside_itself(
    client: Any, database: Database
) -> None:
    made = make(client)
    path = f"/v1/webhooks/{made['id']}"
    delivery = client.post(f"{path}/test").json()
    with database.write() as session:
        claimed = WebhookQueue(session).claim(delivery["id"])
    assert claimed is not None
    client.post(f"{path}/deliveries/{delivery['id']}/replay")
    with database.read() as session:
        assert WebhookQueue(session).due(10) == []
    with database.write() as session:
        WebhookQueue(session).record(claimed, Outcome(200))
    assert client.get(f"{path}/deliveries/{delivery['id']}").json()["status"] == "delivered"


def test_a_webhook_that_is_deleted_while_something_is_sent_stays_deleted(
    client: Any, database: Database
) -> None:
    made = make(client)
    path = f"/v1/webhooks/{made['id']}"
    delivery = client.post(f"{path}/test").json()
    with database.write() as session:
        claimed = WebhookQueue(session).claim(delivery["id"])
    assert claimed is not None
    assert client.delete(path).status_code == 204
    with database.write() as session:
        assert WebhookQueue(session).record(claimed, Outcome(410, "gone")) is None
    assert client.get(path).status_code == 404


def _listed(client: Any, path: str, status: str) -> list[Any]:
    items: list[Any] = client.get(f"{path}/deliveries", params={"status": status}).json()["items"]
    return items
