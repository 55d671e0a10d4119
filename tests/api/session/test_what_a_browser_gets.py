"""Downloads and streams with a cookie."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from fastapi import FastAPI

from api.context import Context


@pytest.fixture
def presigning(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    """An object store that can sign addresses, as a bucket can and a directory cannot."""
    context: Context = app.state.context
    monkeypatch.setattr(
        type(context.objects), "presign", lambda *_: "https://objects.example.org/signed"
    )


def test_a_browser_is_given_the_file_itself_and_sent_nowhere_else(
    presigning: None, hospital: Any, open_browser: Any, admin_key: str
) -> None:
    artifact = hospital.artifact(hospital.finished_job(), "report-html")
    path = artifact["links"]["content"]
    assert hospital.client.get(path).status_code == 307
    browser = open_browser()
    browser.sign_in(admin_key)
    answer = browser.client.get(path)
    assert answer.status_code == 200
    assert len(answer.content) == artifact["size"]
    part = browser.client.get(path, headers={"Range": "bytes=0-9"})
    assert (part.status_code, part.content) == (206, answer.content[:10])
    etag = {"If-None-Match": answer.headers["etag"]}
    assert browser.client.get(path, headers=etag).status_code == 304


@pytest.mark.parametrize("how", ["sign-out", "revoked"])
def test_a_stream_of_events_ends_with_the_sign_in(
    hospital: Any, open_browser: Any, how: str
) -> None:
    job_id = hospital.submit(hospital.ready_dataset())["id"]
    made = hospital.client.post("/v1/keys", json={"name": "n", "scopes": ["admin"]}).json()
    browser = open_browser()
    browser.sign_in(made["key"])
    ended: list[float] = []

    def listen() -> None:
        answer = browser.client.get(f"/v1/jobs/{job_id}/events")
        assert answer.status_code == 200
        assert "event:" in answer.text
        ended.append(time.monotonic())

    listening = threading.Thread(target=listen)
    listening.start()
    time.sleep(1.5)
    assert listening.is_alive(), "the job is not over"
    other = open_browser()
    if how == "revoked":
        hospital.client.delete(f"/v1/keys/{made['id']}")
    else:
        other.client.cookies.set("graft_session", browser.cookie)
        other.token = browser.token
        assert other.sign_out().status_code == 204
    asked = time.monotonic()
    listening.join(timeout=20)
    assert not listening.is_alive()
    assert ended[0] - asked < 5
