"""The sender, with real receivers on loopback."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
import structlog
from fastapi.testclient import TestClient
from sqlalchemy import text
from standardwebhooks.webhooks import Webhook as Verifier
from webhook_receiver import Receiver, receiving

from api.app import create_app
from api.webhooks.sender import WebhookSender
from store.database import Database
from store.logs import configure_logs
from store.settings import Settings


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"webhook_allow_loopback": True})


@contextmanager
def sending(settings: Settings, database: Database, senders: int = 1) -> Iterator[None]:
    made = [WebhookSender.from_settings(settings, database) for _ in range(senders)]
    for sender in made:
        sender.start()
    try:
        yield
    finally:
        for sender in made:
            sender.stop()


def make(client: Any, receiver: Receiver) -> Any:
    answer = client.post("/v1/webhooks", json={"url": receiver.url()})
    assert answer.status_code == 201, answer.text
    return answer.json()


def wait_for(client: Any, path: str, **wanted: Any) -> Any:
    until = time.monotonic() + 20
    while True:
        found = client.get(path).json()
        if all(found[name] == value for name, value in wanted.items()):
            return found
        assert time.monotonic() < until, found
        time.sleep(0.05)


def hurry(database: Database, column: str = "next_at") -> None:
    """Let what waits be due now."""
    with database.write() as session:
        session.execute(
            text(f"UPDATE webhook_deliveries SET {column} = :then WHERE {column} IS NOT NULL"),  # noqa: S608
            {"then": "2020-01-01 00:00:00.000000"},
        )


def test_the_whole_way_from_a_job_to_a_receiver_that_verifies(
    client: Any, hospital: Any, settings: Settings, database: Database
) -> None:
    with receiving(Receiver()) as receiver, sending(settings, database):
        made = make(client, receiver)
        job_id = hospital.finished_job()
        got = receiver.wait_for(3)
    verifier = Verifier(made["secret"])
    told = [verifier.verify(one.body, one.headers) for one in got]
    assert {one["type"] for one in told} == {"dataset.ready", "job.running", "job.succeeded"}
    ended = next(one for one in told if one["type"] == "job.succeeded")
    assert ended["data"]["id"] == job_id
    assert set(ended["data"]) == {"id", "status", "dataset_id"}
    path = f"/v1/webhooks/{made['id']}/deliveries"
    for item in client.get(path).json()["items"]:
        wait_for(client, f"{path}/{item['id']}", status="delivered")


def test_a_rotated_secret_and_the_old_one_both_verify(
    client: Any, settings: Settings, database: Database
) -> None:
    with receiving(Receiver()) as receiver, sending(settings, database):
        made = make(client, receiver)
        path = f"/v1/webhooks/{made['id']}"
        new = client.post(f"{path}/rotate-secret").json()["secret"]
        client.post(f"{path}/test")
        (got,) = receiver.wait_for(1)
    for secret in (made["secret"], new):
        Verifier(secret).verify(got.body, got.headers)


def test_a_failure_is_tried_again_with_the_same_id_and_a_new_time(
    client: Any, settings: Settings, database: Database
) -> None:
    with receiving(Receiver(500)) as receiver, sending(settings, database):
        made = make(client, receiver)
        delivery = client.post(f"/v1/webhooks/{made['id']}/test").json()
        path = f"/v1/webhooks/{made['id']}/deliveries/{delivery['id']}"
        wait_for(client, path, attempts=1, last_status_code=500)
        receiver.status = 204
        time.sleep(1.1)  # another second in the timestamp
        hurry(database)
        wait_for(client, path, attempts=2, status="delivered")
    first, second = receiver.got
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == delivery["message_id"]
    assert first.body == second.body
    assert first.headers["webhook-timestamp"] != second.headers["webhook-timestamp"]
    Verifier(made["secret"]).verify(second.body, second.headers)


def test_gone_disables_the_webhook(client: Any, settings: Settings, database: Database) -> None:
    with receiving(Receiver(410)) as receiver, sending(settings, database):
        made = make(client, receiver)
        client.post(f"/v1/webhooks/{made['id']}/test")
        wait_for(client, f"/v1/webhooks/{made['id']}", disabled_because="gone")


def test_two_senders_at_once_send_each_message_once(
    client: Any, settings: Settings, database: Database
) -> None:
    with receiving(Receiver()) as receiver:
        ids = []
        for _ in range(3):
            made = make(client, receiver)
            ids += [
                client.post(f"/v1/webhooks/{made['id']}/test").json()["message_id"]
                for _ in range(8)
            ]
        with sending(settings, database, senders=3):
            receiver.wait_for(len(ids))
            time.sleep(1.5)
    assert Counter(one.headers["webhook-id"] for one in receiver.got) == Counter(ids)


def test_one_slow_receiver_holds_nobody_up(
    client: Any, settings: Settings, database: Database
) -> None:
    release = threading.Event()

    def sleep(handler: BaseHTTPRequestHandler) -> None:
        release.wait(10)
        handler.send_response(204)
        handler.end_headers()

    with receiving(Receiver(act=sleep)) as slow, receiving(Receiver()) as quick:
        sluggish, nimble = make(client, slow), make(client, quick)
        for _ in range(10):
            client.post(f"/v1/webhooks/{sluggish['id']}/test")
        for _ in range(5):
            client.post(f"/v1/webhooks/{nimble['id']}/test")
        try:
            with sending(settings, database):
                quick.wait_for(5, seconds=8)
                assert len(slow.got) == 2
                release.set()
                slow.wait_for(10)
        finally:
            release.set()


def test_what_is_under_way_when_the_service_stops_is_given_back(
    client: Any, settings: Settings, database: Database
) -> None:
    release = threading.Event()
    with receiving(Receiver(act=lambda _handler: release.wait(20) and None)) as receiver:
        made = make(client, receiver)
        delivery = client.post(f"/v1/webhooks/{made['id']}/test").json()
        try:
            with sending(settings, database):
                receiver.wait_for(1)
                began = time.monotonic()
            assert time.monotonic() - began < 6
        finally:
            release.set()
        found = client.get(f"/v1/webhooks/{made['id']}/deliveries/{delivery['id']}").json()
        assert (found["status"], found["attempts"]) == ("pending", 0)
        receiver.act = None
        with sending(settings, database):
            first, second = receiver.wait_for(2)
    assert first.headers["webhook-id"] == second.headers["webhook-id"]


_SENDER = """
import sys, time
from api.webhooks.sender import WebhookSender
from store.database import Database
from store.settings import Settings, prepare
settings = prepare(Settings())
WebhookSender.from_settings(settings, Database.from_settings(settings)).start()
time.sleep(60)
"""


def test_a_sender_killed_between_sending_and_recording_is_followed_by_the_same_id(
    client: Any, settings: Settings, database: Database
) -> None:
    release = threading.Event()
    with receiving(Receiver(act=lambda _handler: release.wait(60) and None)) as receiver:
        made = make(client, receiver)
        delivery = client.post(f"/v1/webhooks/{made['id']}/test").json()
        env = os.environ | {
            "GRAFT_DATA_DIR": str(settings.data_dir),
            "GRAFT_DATABASE_URL": settings.resolved_database_url(),
            "GRAFT_WEBHOOK_ALLOW_LOOPBACK": "true",
        }
        process = subprocess.Popen([sys.executable, "-c", _SENDER], env=env)
        try:
            receiver.wait_for(1, seconds=60)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
            release.set()
        receiver.act = None
        path = f"/v1/webhooks/{made['id']}/deliveries/{delivery['id']}"
        with sending(settings, database):
            time.sleep(1.5)
            assert len(receiver.got) == 1, "the dead one's lease lasts still"
            hurry(database, "lease_expires_at")
            wait_for(client, path, status="delivered", attempts=2)
    first, second = receiver.got
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == delivery["message_id"]


def test_a_database_that_is_away_ends_no_sender(
    client: Any, settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.webhooks.sender._TROUBLE_SECONDS", 0.1)
    calls = {"left": 3}
    plain = Database.read

    def broken(self: Database) -> Any:
        if threading.current_thread().name.startswith("webhook-rows") and calls["left"]:
            calls["left"] -= 1
            raise OSError("away")
        return plain(self)

    monkeypatch.setattr(Database, "read", broken)
    with receiving(Receiver()) as receiver, sending(settings, database):
        made = make(client, receiver)
        client.post(f"/v1/webhooks/{made['id']}/test")
        receiver.wait_for(1)
    assert calls["left"] == 0


def test_the_app_sends_while_it_serves_where_it_is_told_to(
    admin_key: str, settings: Settings, database: Database
) -> None:
    app = create_app(settings, database=database, sends_webhooks=True)
    headers = {"Authorization": f"Bearer {admin_key}"}
    with receiving(Receiver()) as receiver, TestClient(app, headers=headers) as client:
        made = make(client, receiver)
        client.post(f"/v1/webhooks/{made['id']}/test")
        (got,) = receiver.wait_for(1)
    assert json.loads(got.body)["type"] == "webhook.test"
    assert not [t for t in threading.enumerate() if t.name == "webhooks"]


def test_the_log_says_neither_where_messages_go_nor_how_they_are_signed(
    client: Any,
    settings: Settings,
    database: Database,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    # Where other tests have logged before, the logger is kept.
    monkeypatch.setattr("api.webhooks.sender._log", structlog.get_logger("api.webhooks"))
    try:
        configure_logs(settings.model_copy(update={"log_level": "DEBUG"}))
        with receiving(Receiver()) as receiver, sending(settings, database):
            body = {"url": receiver.url(path="/a-secret-of-the-receiver")}
            made = client.post("/v1/webhooks", json=body).json()
            client.post(f"/v1/webhooks/{made['id']}/test")
            (got,) = receiver.wait_for(1)
            path = f"/v1/webhooks/{made['id']}/deliveries?status=delivered"
            until = time.monotonic() + 10
            while not client.get(path).json()["items"]:
                assert time.monotonic() < until
        written = capfd.readouterr().err
    finally:
        root.handlers[:], root.level = before
        for name in ("httpx", "httpcore"):
            logging.getLogger(name).setLevel(logging.NOTSET)
        logging.getLogger("uvicorn.access").disabled = False
    assert "webhook_sent" in written
    for secret in ("a-secret-of-the-receiver", str(receiver.port), made["secret"]):
        assert secret not in written
    assert got.headers["webhook-signature"] not in written
