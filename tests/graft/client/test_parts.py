"""Uploads in parts by both clients, against a service that loses connections."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from graft.client import ApiError, AsyncClient, Client, parts
from graft.client.flow import Patience

PART = 100_000
QUICK = Patience(retries=3, first_wait=0.001)


class Service:
    """Takes parts; breaks the connection, or says no, when told to."""

    def __init__(self) -> None:
        self.uploads: dict[str, dict[str, Any]] = {}
        self.asked: list[str] = []
        self.breaks: Callable[[str], bool] = lambda _: False
        self.takes_parts = True

    def __call__(self, request: httpx.Request) -> httpx.Response:
        return self.answered(request, request.read())

    async def answer(self, request: httpx.Request) -> httpx.Response:
        return self.answered(request, await request.aread())

    def answered(self, request: httpx.Request, body: bytes) -> httpx.Response:
        path = request.url.path
        self.asked.append(f"{request.method} {path}")
        if self.breaks(self.asked[-1]):
            raise httpx.ReadError("broken off")
        if path == "/v1/datasets":
            return self._dataset(request, body)
        if not self.takes_parts:
            return httpx.Response(404, json={"code": "not_found", "detail": "No.", "status": 404})
        if request.method == "POST":
            asked = httpx.Response(200, content=body).json()
            made = {"id": f"up_{len(self.uploads)}", "status": "open", "parts": [], "data": {}}
            self.uploads[made["id"]] = made | asked
            return httpx.Response(201, json=self._view(self.uploads[made["id"]]))
        if path == "/v1/uploads":
            wanted = dict(request.url.params)
            found = [
                self._view(u) | {"parts": []}
                for u in self.uploads.values()
                if u["status"] == wanted["status"] and u["sha256"] == wanted["sha256"]
            ]
            return httpx.Response(200, json={"items": found})
        _, _, _, upload_id, *rest = path.split("/")
        upload = self.uploads[upload_id]
        if not rest:
            return httpx.Response(200, json=self._view(upload))
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        assert request.headers["repr-digest"] == f"sha-256=:{digest}:"
        upload["data"][int(rest[1])] = body
        return httpx.Response(200, json={})

    @staticmethod
    def _view(upload: dict[str, Any]) -> dict[str, Any]:
        listed = [
            {"number": n, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for n, data in sorted(upload["data"].items())
        ]
        return {k: v for k, v in upload.items() if k != "data"} | {"parts": listed}

    def _dataset(self, request: httpx.Request, body: bytes) -> httpx.Response:
        upload_id = request.url.params.get("upload_id")
        if upload_id is None:
            self.whole = body
            self.media_type = request.headers["content-type"]
        else:
            upload = self.uploads[upload_id]
            self.whole = b"".join(upload["data"][n] for n in sorted(upload["data"]))
            assert hashlib.sha256(self.whole).hexdigest() == upload["sha256"]
            upload["status"] = "completed"
        made = {"id": "ds_1", "name": request.url.params["name"], "status": "ingesting"}
        return httpx.Response(202, json=made)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "PART_BYTES", PART)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "lesions.zip"
    path.write_bytes(b"PK\x03\x04" + os.urandom(5 * PART // 2))
    return path


def _upload(service: Service, archive: Path, **watch: Any) -> Any:
    transport = httpx.MockTransport(service)
    with Client("http://graft", key="k", patience=QUICK, transport=transport) as client:
        return client.datasets.upload(archive, **watch)


async def _upload_async(service: Service, archive: Path, **watch: Any) -> Any:
    transport = httpx.MockTransport(service.answer)
    async with AsyncClient("http://graft", key="k", patience=QUICK, transport=transport) as client:
        return await client.datasets.upload(archive, **watch)


@pytest.fixture(params=["sync", "async"])
def upload(request: pytest.FixtureRequest) -> Callable[..., Any]:
    if request.param == "sync":
        return _upload
    return lambda *given, **watch: asyncio.run(_upload_async(*given, **watch))


def test_a_large_archive_goes_in_parts_and_progress_counts_the_whole(
    upload: Callable[..., Any], archive: Path
) -> None:
    service = Service()
    told: list[tuple[int, int]] = []
    checked: list[tuple[int, int]] = []
    dataset = upload(
        service,
        archive,
        on_bytes=lambda *p: told.append(p),
        on_check=lambda *p: checked.append(p),
    )
    assert (dataset.id, dataset.name) == ("ds_1", "lesions")
    assert service.whole == archive.read_bytes()
    size = archive.stat().st_size
    assert sorted(told) == told
    assert told[-1] == checked[-1] == (size, size)
    assert sum(line.startswith("PUT") for line in service.asked) == 3


def test_a_part_whose_connection_broke_is_sent_again(
    upload: Callable[..., Any], archive: Path
) -> None:
    service = Service()
    service.breaks = lambda line: line.endswith("parts/2") and service.asked.count(line) < 3
    upload(service, archive)
    assert service.whole == archive.read_bytes()
    assert [line[-1] for line in service.asked if line.startswith("PUT")] == list("12223")


def test_an_upload_that_broke_off_goes_on_where_it_was(
    upload: Callable[..., Any], archive: Path
) -> None:
    service = Service()
    service.breaks = lambda line: line.endswith("parts/2")
    with pytest.raises(ApiError):
        upload(service, archive)
    service.breaks = lambda _: False
    service.asked.clear()
    told: list[tuple[int, int]] = []
    resumed: list[tuple[int, int]] = []
    upload(
        service,
        archive,
        on_bytes=lambda *p: told.append(p),
        on_resumed=lambda *p: resumed.append(p),
    )
    assert service.whole == archive.read_bytes()
    assert [line[-1] for line in service.asked if line.startswith("PUT")] == list("23")
    assert resumed == [(PART, archive.stat().st_size)]
    assert told[0][0] > PART
    assert len(service.uploads) == 1


def test_a_file_that_has_changed_begins_anew(upload: Callable[..., Any], archive: Path) -> None:
    service = Service()
    service.breaks = lambda line: line.endswith("parts/2")
    with pytest.raises(ApiError):
        upload(service, archive)
    service.breaks = lambda _: False
    archive.write_bytes(archive.read_bytes()[:-1] + b"?")
    upload(service, archive)
    assert len(service.uploads) == 2
    assert service.whole == archive.read_bytes()


def test_a_damaged_part_that_is_there_is_sent_again(
    upload: Callable[..., Any], archive: Path
) -> None:
    service = Service()
    service.breaks = lambda line: line.endswith("parts/3")
    with pytest.raises(ApiError):
        upload(service, archive)
    service.breaks = lambda _: False
    service.uploads["up_0"]["data"][1] = b"damaged"
    service.asked.clear()
    upload(service, archive)
    assert [line[-1] for line in service.asked if line.startswith("PUT")] == list("13")
    assert service.whole == archive.read_bytes()


def test_a_small_archive_goes_in_one_request(upload: Callable[..., Any], archive: Path) -> None:
    service = Service()
    archive.write_bytes(b"\x1f\x8b\x08" + bytes(100))
    upload(service, archive)
    assert service.asked == ["POST /v1/datasets"]
    assert service.media_type == "application/gzip"


def test_a_service_that_takes_no_parts_gets_the_archive_in_one(
    upload: Callable[..., Any], archive: Path
) -> None:
    service = Service()
    service.takes_parts = False
    upload(service, archive)
    assert service.whole == archive.read_bytes()
