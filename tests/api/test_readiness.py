"""Why the service is not ready, or degraded, with a code for machines."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text, update

from api.app import create_app
from store.columns import utc_now
from store.step_tables import Step
from store.workers import WorkerRegister


class Bell:
    """A broker that answers."""

    def is_answering(self) -> bool:
        return True

    def ring(self, queue: str, step_id: str) -> None:  # noqa: ARG002
        return

    def close(self) -> None:
        return


@pytest.fixture
def probe(settings: Any, database: Any, objects: Any, admin_key: str) -> Any:
    """Ask ``/readyz`` of a house whose broker answers and which has one worker."""
    seen(database)
    objects.local_path("workspaces").mkdir(parents=True, exist_ok=True)

    def ask(**changes: Any) -> tuple[int, Any]:
        changed = settings.model_copy(update=changes)
        bell: Any = Bell()
        made = create_app(changed, database=database, objects=objects, doorbell=bell)
        answer = TestClient(made).get("/readyz")
        return answer.status_code, answer.json()

    return ask


def seen(database: Any, *, queues: tuple[str, ...] = ("gpu", "cpu"), paused: Any = None) -> None:
    with database.write() as session:
        WorkerRegister(session).seen(
            "w1", host="here", queues=list(queues), version="1", step_id=None, paused=paused
        )


def codes(found: tuple[int, Any]) -> list[str]:
    return [reason["code"] for reason in found[1]["reasons"]]


def test_with_all_in_place_it_is_ready(probe: Any) -> None:
    status, body = probe()
    assert (status, body["status"], body["reasons"], body["problems"]) == (200, "ready", [], [])


def test_what_does_not_answer_has_a_code(anonymous: Any) -> None:
    answer = anonymous.get("/readyz")
    assert codes((answer.status_code, answer.json())) == ["broker_silent"]


def test_a_schema_that_is_too_old_is_told_before_requests_fail_of_it(
    probe: Any, database: Any
) -> None:
    with database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '0003'"))
    found = probe()
    assert (found[0], codes(found)) == (503, ["migrations_behind"])
    assert "python -m migrations upgrade" in found[1]["detail"]
    with database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '0099'"))
    assert probe()[0] == 200


def test_it_is_degraded_without_a_worker_or_with_a_paused_one(probe: Any, database: Any) -> None:
    seen(database, paused="no_gpu: There is no GPU. Restart the worker.")
    found = probe()
    assert (found[0], codes(found)) == (200, ["no_gpu"])
    assert found[1]["problems"] == ["no_gpu: There is no GPU. Restart the worker."]
    with database.write() as session:
        WorkerRegister(session).gone("w1")
    found = probe()
    assert (found[1]["status"], codes(found)) == ("degraded", ["no_worker"])


def test_a_queue_that_nobody_works_on_is_told(probe: Any, database: Any, hospital: Any) -> None:
    hospital.submit(hospital.ready_dataset())
    seen(database, queues=("cpu",))
    found = probe()
    assert codes(found) == ["no_worker"]
    assert "queue gpu" in found[1]["reasons"][0]["detail"]


def test_a_wait_longer_than_the_setting_is_told(probe: Any, database: Any, hospital: Any) -> None:
    hospital.submit(hospital.ready_dataset())
    with database.write() as session:
        then = utc_now() - timedelta(hours=3)
        session.execute(update(Step).where(Step.status == "queued").values(queued_at=then))
    assert codes(probe(longest_wait_seconds=4 * 3600.0)) == []
    assert set(codes(probe(longest_wait_seconds=2 * 3600.0))) == {"queue_old"}


def test_a_disk_that_fills_up_is_told_first_as_low_and_then_as_full(probe: Any) -> None:
    assert codes(probe(low_free_bytes=2**62)) == ["disk_low"]
    assert codes(probe(low_free_bytes=2**62, min_free_bytes=2**62)) == ["disk_full"]


def test_clocks_that_differ_are_told(probe: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.readiness.now_of", lambda _session: utc_now() - timedelta(seconds=90))
    found = probe()
    assert codes(found) == ["clock_skew"]
    assert "differ by 90 s" in found[1]["reasons"][0]["detail"]


def test_a_database_that_hangs_is_silent_within_seconds(
    probe: Any, database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.readiness._PATIENCE_SECONDS", 0.2)

    def hang() -> bool:
        time.sleep(8.0)
        return True

    monkeypatch.setattr(database, "is_answering", hang)
    started = time.monotonic()
    found = probe()
    assert time.monotonic() - started < 6.0
    assert (found[0], codes(found)) == (503, ["database_silent"])
