"""The example of a portal against a service that a script plays."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import time
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from graft_service import GraftService
from portal import Portal, make_app
from standardwebhooks.webhooks import Webhook
from studies import Studies

SECRET = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo="
SPEC = {"dataset_id": "ds_1", "profile": "quick"}


def packed(**wrong: bytes) -> bytes:
    content = {"malignant/1.png": b"pixels", "manifest.json": b"{}"}
    sums = "".join(f"{hashlib.sha256(c).hexdigest()}  {n}\n" for n, c in content.items())
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, pixels in (content | wrong).items():
            archive.writestr(name, pixels)
        archive.writestr("SHA256SUMS", sums)
    return made.getvalue()


class Graft:
    """Has one job; is over when told to, and loses answers when told to."""

    def __init__(self) -> None:
        self.asked: list[httpx.Request] = []
        self.keys: dict[str, str] = {}
        self.status = "running"
        self.lost = 0
        self.zip = packed()
        self.sha256: str | None = None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        path = request.url.path
        if path == "/v1/jobs":
            job_id = self.keys.setdefault(request.headers["idempotency-key"], "job_1")
            if self.lost:
                self.lost -= 1
                raise httpx.ReadError("the answer was lost")
            headers = {"Retry-After": "0"}
            return httpx.Response(202, json=self._job() | {"id": job_id}, headers=headers)
        if path.endswith("/artifacts"):
            item = {"id": "art_1", "kind": "synthetic-zip", "sha256": self._sha256()}
            return httpx.Response(200, json={"items": [item]})
        if path.endswith("/content"):
            return httpx.Response(200, content=self.zip)
        etag = f'"{self.status}"'
        headers = {"ETag": etag, "Retry-After": "0"}
        if request.headers.get("if-none-match") == etag:
            return httpx.Response(304, headers=headers)
        return httpx.Response(200, json=self._job(), headers=headers)

    def looks(self) -> list[httpx.Request]:
        return [r for r in self.asked if r.url.path == "/v1/jobs/job_1"]

    def _sha256(self) -> str:
        return self.sha256 or hashlib.sha256(self.zip).hexdigest()

    def _job(self) -> dict[str, Any]:
        error = {"detail": "It diverged."} if self.status == "failed" else None
        progress = {"fraction": 0.5}
        return {"id": "job_1", "status": self.status, "progress": progress, "error": error}


def client_of(folder: Path, graft: Graft, fallback_seconds: float = 60.0) -> TestClient:
    service = GraftService("http://graft", "graft_k", httpx.MockTransport(graft))
    portal = Portal(Studies(folder / "portal.db"), service, SECRET, folder, fallback_seconds)
    return TestClient(make_app(portal))


def until(condition: Callable[[], Any], what: str) -> Any:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError(what)


def message(
    kind: str = "job.succeeded", *, number: int = 1, age: float = 0.0, secret: str = SECRET
) -> dict[str, Any]:
    """A message's arguments, signed by the library that the portal verifies with."""
    then = datetime.fromtimestamp(time.time() - age, UTC)
    body = json.dumps({"type": kind, "data": {"id": "job_1", "status": "x"}})
    signature = Webhook(secret).sign(f"msg_{number}", then, body)
    headers = {
        "webhook-id": f"msg_{number}",
        "webhook-timestamp": str(int(then.timestamp())),
        "webhook-signature": signature,
    }
    return {"content": body, "headers": headers}


def started(client: TestClient, graft: Graft) -> str:
    study_id: str = client.post("/studies", json=SPEC).json()["id"]
    until(graft.looks, "the job was not looked at")
    return study_id


def status_of(client: TestClient, study_id: str) -> str:
    status: str = client.get(f"/studies/{study_id}").json()["status"]
    return status


def test_a_message_wakes_and_the_zip_is_fetched_and_verified(tmp_path: Path) -> None:
    graft = Graft()
    with client_of(tmp_path, graft) as client:
        study_id = started(client, graft)
        assert client.get(f"/studies/{study_id}/zip").status_code == 409
        graft.status = "succeeded"
        assert client.post("/graft", **message()).status_code == 204
        until(lambda: status_of(client, study_id) == "ready", "the message woke nobody")
        assert client.get(f"/studies/{study_id}/zip").content == graft.zip
        assert graft.asked[0].headers["idempotency-key"] == study_id


def test_a_message_is_taken_once_and_only_if_it_is_real(tmp_path: Path) -> None:
    graft = Graft()
    other = "whsec_" + "WllYV1ZVVFNSUVBPTk1MS0pJSEdGRURDQkE="
    with client_of(tmp_path, graft) as client:
        study_id = started(client, graft)
        graft.status = "succeeded"
        changed = message()
        changed["content"] = changed["content"].replace("job_1", "job_2")
        unsigned = message()
        del unsigned["headers"]["webhook-signature"]
        for forged in (message(secret=other), message(age=600), changed, unsigned):
            assert client.post("/graft", **forged).status_code == 401
        assert client.post("/graft", content=b"x" * 200_000).status_code == 413
        assert status_of(client, study_id) == "running"
        real = message()
        assert client.post("/graft", **real).status_code == 204
        until(lambda: status_of(client, study_id) == "ready", "the message woke nobody")
        asked = len(graft.asked)
        assert client.post("/graft", **real).status_code == 200
        assert len(graft.asked) == asked


def test_without_messages_it_looks_by_itself_at_the_cost_of_a_304(tmp_path: Path) -> None:
    graft = Graft()
    with client_of(tmp_path, graft, fallback_seconds=0.02) as client:
        study_id = started(client, graft)
        until(lambda: len(graft.looks()) > 3, "it did not look again")
        assert graft.looks()[-1].headers["if-none-match"] == '"running"'
        graft.status = "succeeded"
        until(lambda: status_of(client, study_id) == "ready", "it did not see the end")


def test_an_answer_that_was_lost_or_a_new_start_makes_no_second_job(tmp_path: Path) -> None:
    graft = Graft()
    studies = Studies(tmp_path / "portal.db")
    study_id = studies.add(SPEC).id  # the portal died before it asked
    studies.close()
    graft.lost = 1
    with client_of(tmp_path, graft) as client:
        until(graft.looks, "the study was not gone on with")
        assert status_of(client, study_id) == "running"
    with client_of(tmp_path, graft, fallback_seconds=0.02) as client:
        graft.status = "failed"
        until(lambda: status_of(client, study_id) == "failed", "it was not followed on")
        assert client.get(f"/studies/{study_id}").json()["problem"] == "It diverged."
    assert list(graft.keys) == [study_id]
    assert sum(request.method == "POST" for request in graft.asked) == 2


@pytest.mark.parametrize("what", ["on the way", "in the zip"])
def test_other_bytes_than_promised_are_not_handed_out(tmp_path: Path, what: str) -> None:
    graft = Graft()
    if what == "on the way":
        graft.sha256 = "0" * 64
    else:
        graft.zip = packed(**{"malignant/1.png": b"other pixels"})

    async def fetch() -> None:
        service = GraftService("http://graft", "graft_k", httpx.MockTransport(graft))
        with pytest.raises(OSError, match=r"other bytes|SHA256SUMS"):
            await service.fetch_zip("job_1", tmp_path / "out.zip")
        await service.close()

    asyncio.run(fetch())
    assert not (tmp_path / "out.zip").exists()
