"""Downloads: whole, in part, and not at all when one has it already."""

from __future__ import annotations

import base64
import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import SecretStr
from sqlalchemy import select

from api.app import create_app
from api.artifacts.service import ArtifactService
from api.http_rules import has_tag, wanted_range
from graft.client import Client
from store.objects import Objects
from store.repositories import Identity
from store.step_tables import Step
from store.tables import Artifact

CONTENT = bytes(range(256)) * 40


@pytest.fixture
def report(hospital: Any) -> Any:
    return hospital.artifact(hospital.finished_job(), "report-html")


def test_a_jobs_artifacts_are_listed_with_their_digests(hospital: Any, report: Any) -> None:
    assert report["name"] == "report.html"
    assert report["size"] == len(CONTENT)
    assert report["sha256"] == hashlib.sha256(CONTENT).hexdigest()
    assert hospital.client.get(report["links"]["self"]).json() == report


def test_a_download_carries_its_digest_and_a_name_of_ours(client: Any, report: Any) -> None:
    answer = client.get(report["links"]["content"])
    assert (answer.status_code, answer.content) == (200, CONTENT)
    digest = base64.b64encode(hashlib.sha256(CONTENT).digest()).decode()
    assert answer.headers["repr-digest"] == f"sha-256=:{digest}:"
    assert answer.headers["content-disposition"] == 'attachment; filename="report.html"'
    assert answer.headers["content-length"] == str(len(CONTENT))
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "sandbox; frame-ancestors 'none'"


def test_no_browser_keeps_what_shows_patients(hospital: Any, database: Any, report: Any) -> None:
    path = report["links"]["content"]
    etag = {"If-None-Match": f'"{report["sha256"]}"'}
    for headers, status in (({}, 200), ({"Range": "bytes=0-9"}, 206), (etag, 304)):
        answer = hospital.client.get(path, headers=headers)
        assert (answer.status_code, answer.headers["cache-control"]) == (status, "no-store")
    assert hospital.client.head(path).headers["cache-control"] == "no-store"
    model = hospital.artifact(report["job_id"], "model")["links"]["content"]
    assert hospital.client.get(model).headers["cache-control"] == "private, no-cache"
    with database.read() as session:
        found = session.get_one(Artifact, report["id"])
        drawn = session.scalars(
            select(Step).where(Step.job_id == found.job_id, Step.kind != "report")
        ).first()
        service = ArtifactService(session, Identity(found.workspace_id, "key_1", frozenset(), None))
        for kind, step_id, shows in (
            ("nearest-png", found.step_id, True),
            # A study's sheet has real images above the others; one that was drawn has none.
            ("samples-png", found.step_id, True),
            ("samples-png", drawn.id, False),
            ("synthetic-zip", found.step_id, False),
        ):
            assert service.shows_patients(Artifact(kind=kind, step_id=step_id)) is shows, kind


def test_head_answers_the_same_headers_without_the_bytes(client: Any, report: Any) -> None:
    answer = client.head(report["links"]["content"])
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == str(len(CONTENT))
    assert answer.headers["etag"] == f'"{report["sha256"]}"'


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [("bytes=0-9", 0, 10), ("bytes=10000-", 10000, 10240), ("bytes=-5", 10235, 10240)],
)
def test_a_part_can_be_asked_for(
    client: Any, report: Any, asked: str, start: int, end: int
) -> None:
    answer = client.get(report["links"]["content"], headers={"Range": asked})
    assert (answer.status_code, answer.content) == (206, CONTENT[start:end])
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{len(CONTENT)}"
    assert answer.headers["content-length"] == str(end - start)


def test_a_part_beyond_the_end_is_refused(client: Any, report: Any) -> None:
    answer = client.get(report["links"]["content"], headers={"Range": "bytes=99999-"})
    assert (answer.status_code, answer.json()["code"]) == (416, "range_unsatisfiable")
    assert answer.headers["content-range"] == f"bytes */{len(CONTENT)}"


def test_a_part_of_another_file_is_answered_with_the_whole(client: Any, report: Any) -> None:
    path, etag = report["links"]["content"], f'"{report["sha256"]}"'
    other = client.get(path, headers={"Range": "bytes=5-9", "If-Range": '"other"'})
    assert (other.status_code, other.content) == (200, CONTENT)
    same = client.get(path, headers={"Range": "bytes=5-9", "If-Range": etag})
    assert (same.status_code, same.content) == (206, CONTENT[5:10])


def test_who_has_the_file_already_gets_nothing(client: Any, report: Any) -> None:
    path, etag = report["links"]["content"], f'"{report["sha256"]}"'
    for header in (etag, f'"x", W/{etag}', "*"):
        answer = client.get(path, headers={"If-None-Match": header})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == etag


def test_a_file_that_was_lost_is_gone_and_not_an_empty_download(hospital: Any, report: Any) -> None:
    for key in hospital.objects.list("workspaces/"):
        hospital.objects.delete(key)
    answer = hospital.client.get(report["links"]["content"])
    assert (answer.status_code, answer.json()["code"]) == (410, "artifact_gone")


def test_ranges_are_read_as_rfc_9110_says() -> None:
    assert wanted_range(None, 100) == "none"
    assert wanted_range("bytes=0-0", 100) == (0, 1)
    assert wanted_range("bytes=90-200", 100) == (90, 100)
    assert wanted_range("bytes=-200", 100) == (0, 100)
    assert wanted_range("bytes=-0", 100) == "bad"
    assert wanted_range("bytes=100-", 100) == "bad"
    assert wanted_range("bytes=9-3", 100) == "none"
    long = 5000 * "9"
    assert wanted_range(f"bytes=90-{long}", 100) == (90, 100)
    assert wanted_range(f"bytes=-{long}", 100) == (0, 100)
    assert wanted_range(f"bytes={long}-", 100) == "bad"
    assert wanted_range(f"bytes={5000 * '0'}1-2", 100) == (1, 3)
    assert wanted_range("bytes=0-1,5-6", 100) == "none"
    assert wanted_range("lines=0-1", 100) == "none"
    assert wanted_range("bytes=-", 100) == "none"
    assert wanted_range("bytes=0-", 0) == "bad"


def test_entity_tags_are_compared_weakly() -> None:
    assert has_tag('W/"a"', '"a"')
    assert has_tag('"b", "a"', '"a"')
    assert not has_tag('"b"', '"a"')
    assert not has_tag(None, '"a"')


@pytest.fixture
def in_bucket(settings: Any, s3_server: Any, hospital: Any, report: Any) -> Any:
    """The settings of a service whose files, the report among them, are in a bucket."""
    changed = settings.model_copy(
        update={
            "object_store_url": f"s3://{s3_server.new_bucket()}",
            "s3_endpoint": s3_server.endpoint,
            "s3_region": s3_server.region,
            "s3_access_key_id": SecretStr(s3_server.access_key),
            "s3_secret_access_key": SecretStr(s3_server.secret_key),
        }
    )
    with hospital.database.read() as session:
        key = session.get_one(Artifact, report["id"]).object_key
    Objects.from_settings(changed).put_file(key, hospital.objects.local_path(key), "text/html")
    return changed


def test_from_a_bucket_a_download_is_sent_on_to_a_signed_address(
    in_bucket: Any, database: Any, report: Any, admin_key: str
) -> None:
    client = TestClient(create_app(in_bucket, database=database), follow_redirects=False)
    headers = {"Authorization": f"Bearer {admin_key}"}
    answer = client.get(report["links"]["content"], headers=headers)
    assert (answer.status_code, answer.content) == (307, b"")
    assert answer.headers["cache-control"] == "no-store"
    found = httpx.get(answer.headers["location"])
    assert (found.status_code, found.content) == (200, CONTENT)
    assert found.headers["content-type"] == "text/html"
    assert found.headers["content-disposition"] == 'attachment; filename="report.html"'


def test_our_client_goes_on_with_a_download_in_the_bucket_and_keeps_its_key_to_itself(
    in_bucket: Any, database: Any, report: Any, admin_key: str, tmp_path: Path
) -> None:
    seen: list[httpx.Request] = []

    class Noted(httpx.HTTPTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            seen.append(request)
            return super().handle_request(request)

    app = create_app(in_bucket, database=database)
    with running(app) as address, Client(address, key=admin_key, transport=Noted()) as client:
        listed = client.artifacts.list(report["job_id"])
        found = next(artifact for artifact in listed if artifact.id == report["id"])
        # What an attempt that was cut off left.
        (tmp_path / f".report.html.{found.sha256[:16]}.part").write_bytes(CONTENT[:1000])
        path = client.artifacts.download(found, tmp_path / "report.html")
    assert path.read_bytes() == CONTENT
    ours, theirs = seen[-2:]
    assert ours.headers["authorization"] == f"Bearer {admin_key}"
    assert str(theirs.url).startswith(in_bucket.s3_endpoint)
    assert theirs.headers["range"] == "bytes=1000-"
    assert "authorization" not in theirs.headers


@contextmanager
def running(app: FastAPI) -> Iterator[str]:
    """Serve an app on a free port of loopback."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until = time.monotonic() + 30
        while not server.started and time.monotonic() < until:
            time.sleep(0.02)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(timeout=30)
