"""``Prefer: wait=N`` on a request that makes images."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from api.models import waiting


@pytest.fixture
def images(hospital: Any) -> str:
    """Where images can be asked for."""
    found: str = hospital.model(hospital.finished_job())["links"]["images"]
    return found


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        (None, 0),
        ("", 0),
        ("wait=3", 3),
        ("Wait = 3", 3),
        ('respond-async, wait="3"; x', 3),
        ("wait=999", waiting.MOST_SECONDS),
        ("await=3", 0),
        ("wait=-3", 0),
        ("wait=soon", 0),
        ("return=minimal", 0),
    ],
)
def test_only_a_preference_to_wait_is_understood(prefer: str | None, seconds: int) -> None:
    assert waiting.seconds_of(prefer) == seconds


def test_the_answer_comes_with_the_end_of_the_job(hospital: Any, images: str) -> None:
    def work() -> None:
        until = time.monotonic() + 20
        while time.monotonic() < until:
            found = hospital.client.get("/v1/jobs?kind=images&status=queued").json()["items"]
            if found:
                hospital.run(found[0]["id"])
                return
            time.sleep(0.02)

    worker = threading.Thread(target=work)
    worker.start()
    answer = hospital.client.post(images, json={"count": 2}, headers={"Prefer": "wait=10"})
    worker.join()
    assert answer.status_code == 202
    assert answer.json()["status"] == "succeeded"
    assert answer.headers["Preference-Applied"] == "wait=10"
    assert answer.headers["Location"] == f"/v1/jobs/{answer.json()['id']}"
    assert "Retry-After" not in answer.headers


def test_when_the_time_is_over_the_answer_says_how_far_it_is(hospital: Any, images: str) -> None:
    headers = {"Prefer": "wait=1", "Idempotency-Key": "one"}
    started = time.monotonic()
    answer = hospital.client.post(images, json={"count": 2}, headers=headers)
    assert time.monotonic() - started >= 1
    assert (answer.status_code, answer.json()["status"]) == (202, "queued")
    assert answer.headers["Retry-After"]
    # The same request again is the same job, as it is by now.
    hospital.run(answer.json()["id"])
    again = hospital.client.post(images, json={"count": 2}, headers=headers)
    assert (again.json()["id"], again.json()["status"]) == (answer.json()["id"], "succeeded")
    assert again.headers["Idempotency-Replayed"] == "true"


def test_nobody_waits_who_did_not_ask_for_it_or_finds_too_many_waiting(
    hospital: Any, images: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "_waiting", threading.BoundedSemaphore(1))
    waiting._waiting.acquire()
    for headers in ({}, {"Prefer": "wait=10"}):
        started = time.monotonic()
        answer = hospital.client.post(images, json={"count": 2}, headers=headers)
        assert time.monotonic() - started < 9
        assert answer.status_code == 202
        assert "Preference-Applied" not in answer.headers
