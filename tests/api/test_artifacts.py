"""Downloads: whole, in part, and not at all when one has it already."""

from __future__ import annotations

import base64
import hashlib
import urllib.request
from typing import Any

import pytest
from fastapi.testclient import TestClient
from moto.server import ThreadedMotoServer
from pydantic import SecretStr

from api.app import create_app
from api.http_rules import has_tag, wanted_range
from store.objects import Objects
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
    assert answer.headers["content-security-policy"] == "sandbox"


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
    assert wanted_range("bytes=0-1,5-6", 100) == "none"
    assert wanted_range("lines=0-1", 100) == "none"
    assert wanted_range("bytes=-", 100) == "none"
    assert wanted_range("bytes=0-", 0) == "bad"


def test_entity_tags_are_compared_weakly() -> None:
    assert has_tag('W/"a"', '"a"')
    assert has_tag('"b", "a"', '"a"')
    assert not has_tag('"b"', '"a"')
    assert not has_tag(None, '"a"')


def test_from_a_bucket_a_download_is_sent_on_to_a_signed_address(
    settings: Any, database: Any, hospital: Any, report: Any, admin_key: str
) -> None:
    with database.read() as session:
        key = session.get_one(Artifact, report["id"]).object_key
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        make = urllib.request.Request(f"http://{host}:{port}/bucket", method="PUT")
        urllib.request.urlopen(make).close()  # noqa: S310
        in_bucket = settings.model_copy(
            update={
                "object_store_url": "s3://bucket",
                "s3_endpoint": f"http://{host}:{port}",
                "s3_access_key_id": SecretStr("test"),
                "s3_secret_access_key": SecretStr("test"),
            }
        )
        Objects.from_settings(in_bucket).put_file(key, hospital.objects.local_path(key))
        client = TestClient(create_app(in_bucket, database=database), follow_redirects=False)
        headers = {"Authorization": f"Bearer {admin_key}"}
        answer = client.get(report["links"]["content"], headers=headers)
        assert (answer.status_code, answer.content) == (307, b"")
        assert answer.headers["cache-control"] == "no-store"
        with urllib.request.urlopen(answer.headers["location"]) as found:  # noqa: S310
            assert found.read() == CONTENT
    finally:
        server.stop()
