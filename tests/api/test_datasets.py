"""Uploading, and looking at what was uploaded."""

from __future__ import annotations

import asyncio
import hashlib
import os
from typing import Any

from store.orphans import remove_orphans
from store.records import StepError
from store.removals import remove_spent_uploads


def _code(answer: Any) -> str:
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == answer.status_code
    assert body["type"] == f"urn:graft:problem:{body['code']}"
    return str(body["code"])


def test_an_upload_is_accepted_and_read_in_the_background(hospital: Any) -> None:
    zipped = hospital.small_zip()
    answer = hospital.client.post(
        "/v1/datasets?name=lesions",
        content=zipped,
        headers={"Content-Type": "application/zip"},
    )
    body = answer.json()
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/v1/datasets/{body['id']}"
    assert answer.headers["retry-after"] == "1"
    assert body["status"] == "ingesting"
    assert body["sha256"] == hashlib.sha256(zipped).hexdigest()
    assert body["classes"] is None
    looked = hospital.client.get(answer.headers["location"])
    assert looked.json() == body
    assert "retry-after" in looked.headers
    job_id = body["links"]["ingest"].rsplit("/", 1)[-1]
    claimed = hospital.claim_next(job_id)
    (upload,) = claimed.inputs["upload"]
    assert b"".join(hospital.objects.iterate(upload.object_key)) == zipped
    hospital.finish(claimed)
    done = hospital.client.get(answer.headers["location"])
    assert done.json()["status"] == "ready"
    assert done.json()["classes"]["malignant"] == {"train": 20, "test": 5}
    assert "retry-after" not in done.headers


def test_a_multipart_upload_holds_the_same_bytes(hospital: Any) -> None:
    zipped = hospital.small_zip()
    answer = hospital.client.post(
        "/v1/datasets",
        files={"file": ("../../patient name.zip", zipped, "application/zip")},
        data={"comment": "ignored"},
    )
    assert answer.status_code == 202
    assert answer.json()["sha256"] == hashlib.sha256(zipped).hexdigest()
    assert "patient" not in answer.text


def test_what_is_around_the_file_of_a_multipart_upload_cannot_go_on_for_ever(hospital: Any) -> None:
    body = (
        b'--x\r\nContent-Disposition: form-data; name="comment"\r\n\r\n',
        *(bytes(10_000) for _ in range(20)),
        b'\r\n--x\r\nContent-Disposition: form-data; name="file"\r\n\r\n',
        hospital.small_zip(),
        b"\r\n--x--\r\n",
    )
    answer = hospital.client.post(
        "/v1/datasets",
        content=iter(body),  # so that its length is not declared
        headers={"Content-Type": "multipart/form-data; boundary=x"},
    )
    assert (answer.status_code, _code(answer)) == (413, "upload_too_large")


def test_a_multipart_upload_without_a_file_is_refused(hospital: Any) -> None:
    other = hospital.client.post("/v1/datasets", files={"wrong": ("a.zip", hospital.small_zip())})
    assert (other.status_code, _code(other)) == (422, "multipart_unreadable")
    broken = hospital.client.post(
        "/v1/datasets",
        content=b"nonsense",
        headers={"Content-Type": "multipart/form-data; boundary=x"},
    )
    assert (broken.status_code, _code(broken)) == (422, "multipart_unreadable")


def test_what_is_no_zip_is_refused_at_once_and_nothing_is_kept(hospital: Any) -> None:
    headers = {"Content-Type": "application/zip"}
    for content, code in [
        (b"", "upload_empty"),
        (b"PK", "not_a_zip"),
        (b"MZ\x90\x00" * 100, "not_a_zip"),
    ]:
        answer = hospital.client.post("/v1/datasets", content=content, headers=headers)
        assert (answer.status_code, _code(answer)) == (422, code)
    assert hospital.objects.list("workspaces/") == {}
    assert hospital.client.get("/v1/datasets").json()["items"] == []


def test_an_upload_that_is_too_large_is_refused_whether_or_not_it_says_so(hospital: Any) -> None:
    large = b"PK\x03\x04" + bytes(200_000)
    headers = {"Content-Type": "application/zip"}
    declared = hospital.client.post("/v1/datasets", content=large, headers=headers)
    streamed = hospital.client.post(
        "/v1/datasets",
        content=(large[i : i + 5000] for i in range(0, len(large), 5000)),
        headers=headers,
    )
    for answer in (declared, streamed):
        assert (answer.status_code, _code(answer)) == (413, "upload_too_large")
        assert "GRAFT_MAX_UPLOAD_BYTES" in answer.json()["hint"]
    assert hospital.objects.list("workspaces/") == {}


def test_another_media_type_is_refused(hospital: Any) -> None:
    answer = hospital.client.post(
        "/v1/datasets", content=b"{}", headers={"Content-Type": "application/json"}
    )
    assert (answer.status_code, _code(answer)) == (415, "media_type_unsupported")


def test_a_repeated_upload_with_the_same_idempotency_key_makes_one_dataset(hospital: Any) -> None:
    first = hospital.upload("a", **{"Idempotency-Key": "once"})
    second = hospital.upload("a", **{"Idempotency-Key": "once"})
    assert second["id"] == first["id"]
    assert len(hospital.objects.list("workspaces/")) == 1
    other = hospital.client.post(
        "/v1/datasets?name=lesions",
        content=hospital.small_zip("b"),
        headers={"Content-Type": "application/zip", "Idempotency-Key": "once"},
    )
    assert (other.status_code, _code(other)) == (422, "idempotency_key_reused")
    assert len(hospital.objects.list("workspaces/")) == 1


def test_the_same_zip_uploaded_again_is_ready_without_being_read_again(hospital: Any) -> None:
    first = hospital.ready_dataset("same")
    again = hospital.upload("same")
    assert again["id"] != first
    assert again["status"] == "ready"
    assert again["digest"] == "d" * 64


def test_an_upload_is_deleted_once_it_was_read_and_not_before(hospital: Any) -> None:
    hospital.upload("first")
    assert remove_spent_uploads(hospital.database, hospital.objects) == 0
    ready = hospital.ready_dataset("second")
    assert remove_spent_uploads(hospital.database, hospital.objects) == 1
    assert remove_spent_uploads(hospital.database, hospital.objects) == 0
    kept = [key for key in hospital.objects.list("workspaces/") if "/uploads/" in key]
    assert len(kept) == 1
    assert hospital.submit(ready)["status"] == "queued"


def test_an_upload_that_no_worker_will_read_is_deleted_at_once(hospital: Any) -> None:
    def uploads() -> list[str]:
        return [key for key in hospital.objects.list("workspaces/") if "/uploads/" in key]

    hospital.ready_dataset("same")
    remove_spent_uploads(hospital.database, hospital.objects)
    assert hospital.upload("same")["status"] == "ready"
    assert uploads() == []
    unread = hospital.upload("unread")
    assert len(uploads()) == 1
    hospital.client.post(f"{unread['links']['ingest']}/cancel")
    assert uploads() == []


def test_what_a_killed_api_left_of_uploads_is_removed_after_a_day(hospital: Any) -> None:
    waiting = hospital.upload("waiting")
    (key,) = [key for key in hospital.objects.list("workspaces/") if "/uploads/" in key]
    folder = hospital.objects.local_path(key).parent
    for name in ("ds_cut.zip#1", "ds_unregistered.zip", "ds_new.zip#1", "ds_new.zip"):
        (folder / name).write_bytes(b"PK")
    for path in folder.iterdir():
        if "new" not in path.name:
            os.utime(path, (1000, 1000))
    assert remove_orphans(hospital.database, hospital.objects) == 2
    left = {path.name for path in folder.iterdir()}
    assert left == {f"{waiting['id']}.zip", "ds_new.zip#1", "ds_new.zip"}


def test_a_rejected_dataset_says_why(hospital: Any) -> None:
    dataset = hospital.upload()
    claimed = hospital.claim_next(dataset["links"]["ingest"].rsplit("/", 1)[-1])
    hospital.fail(claimed, StepError("one_class", "There is one class only.", "Add another."))
    body = hospital.client.get(f"/v1/datasets/{dataset['id']}").json()
    assert body["status"] == "rejected"
    assert body["problems"] == [
        {
            "code": "one_class",
            "detail": "There is one class only.",
            "hint": "Add another.",
            "entry": None,
        }
    ]


def test_datasets_are_listed_newest_first_in_pages(hospital: Any) -> None:
    made = [hospital.upload(str(n))["id"] for n in range(5)]
    seen: list[str] = []
    cursor = None
    while True:
        params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = hospital.client.get("/v1/datasets", params=params).json()
        assert len(page["items"]) <= 2
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert sorted(seen, reverse=True) == seen
    assert set(seen) == set(made)
    none = hospital.client.get("/v1/datasets", params={"status": "ready"}).json()
    assert none["items"] == []


def test_a_made_up_cursor_is_refused(client: Any) -> None:
    for cursor in ("nonsense", "x" * 50, "ZHNfMDE"):
        answer = client.get("/v1/datasets", params={"cursor": cursor})
        assert (answer.status_code, _code(answer)) == (400, "cursor_unknown")


def test_an_upload_that_breaks_off_leaves_nothing(app: Any, hospital: Any, admin_key: str) -> None:
    incoming: list[dict[str, Any]] = [
        {"type": "http.request", "body": b"PK\x03\x04" + bytes(50_000), "more_body": True},
        {"type": "http.disconnect"},
    ]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return incoming.pop(0)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/v1/datasets",
        "raw_path": b"/v1/datasets",
        "root_path": "",
        "query_string": b"",
        "headers": [
            (b"authorization", f"Bearer {admin_key}".encode()),
            (b"content-type", b"application/zip"),
        ],
    }
    asyncio.run(app(scope, receive, send))
    assert sent == []
    assert hospital.objects.list("workspaces/") == {}
    assert hospital.client.get("/v1/datasets").json()["items"] == []
    assert 'status="499"' in hospital.client.get("/metrics").text
