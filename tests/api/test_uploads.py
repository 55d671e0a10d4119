"""Uploads in parts: they can go on where they broke off, and become a data set."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hostile_files import tar_gz
from sqlalchemy import update
from sqlalchemy.orm import Session

from api.problems import Problem
from api.uploads.schemas import MIN_PART_BYTES, UploadRequest
from api.uploads.service import UploadService
from store.columns import new_id, utc_now
from store.database import Database
from store.limits import Allowance, Limits
from store.orphans import remove_orphans
from store.removals import carry_out, remove_spent_uploads
from store.repositories import Identity
from store.settings import Settings
from store.tables import Workspace
from store.upload_expiry import expire_uploads
from store.upload_tables import UploadPart, UploadSession
from worker.inputs import DigestMismatchError, materialise

PART = MIN_PART_BYTES


def _archive(size: int = 90_000, seed: bytes = b"") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        entry = zipfile.ZipInfo("benign/1.png", (2026, 1, 1, 0, 0, 0))
        archive.writestr(entry, seed + b"x" * size)
    return file.getvalue()


ARCHIVE = _archive()
SHA256 = hashlib.sha256(ARCHIVE).hexdigest()


def _digest(data: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:"


def _code(answer: Any, status: int) -> str:
    assert answer.status_code == status, answer.text
    return str(answer.json()["code"])


def _begin(hospital: Any, data: bytes = ARCHIVE, **more: Any) -> dict[str, Any]:
    body = {"size": len(data), "part_size": PART} | more
    answer = hospital.client.post("/v1/uploads", json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"/v1/uploads/{made['id']}"
    return made


def _put(hospital: Any, upload: dict[str, Any], number: int, data: bytes, **headers: str) -> Any:
    path = f"/v1/uploads/{upload['id']}/parts/{number}"
    return hospital.client.put(path, content=data, headers=headers)


def _parts(data: bytes) -> list[bytes]:
    return [data[at : at + PART] for at in range(0, len(data), PART)]


def _sent(hospital: Any, data: bytes = ARCHIVE, **more: Any) -> dict[str, Any]:
    upload = _begin(hospital, data, **more)
    for number, part in enumerate(_parts(data), 1):
        assert _put(hospital, upload, number, part).status_code == 200
    return upload


def _finish(hospital: Any, upload: dict[str, Any], **params: Any) -> Any:
    return hospital.client.post("/v1/datasets", params={"upload_id": upload["id"]} | params)


def _objects(hospital: Any) -> list[str]:
    return sorted(key for key in hospital.objects.list("workspaces/") if "/uploads/" in key)


def _bring(hospital: Any, dataset: dict[str, Any], folder: Path) -> bytes:
    """What the worker finds in the step's folder."""
    claimed = hospital.claim_next(dataset["links"]["ingest"].rsplit("/", 1)[-1])
    materialise(claimed.inputs["upload"], folder, hospital.objects, None)
    hospital.finish(claimed)
    return (folder / "upload.zip").read_bytes()


def test_parts_sent_in_any_order_become_the_data_set_of_the_whole(
    hospital: Any, tmp_path: Path
) -> None:
    upload = _begin(hospital, sha256=SHA256, media_type="application/zip")
    assert (upload["status"], upload["part_size"], upload["part_count"]) == ("open", PART, 2)
    first, second = _parts(ARCHIVE)
    answer = _put(hospital, upload, 2, second, **{"Content-Digest": _digest(second)})
    assert answer.json()["sha256"] == hashlib.sha256(second).hexdigest()
    assert answer.headers["repr-digest"] == _digest(second)
    seen = hospital.client.get(f"/v1/uploads/{upload['id']}").json()
    assert [part["number"] for part in seen["parts"]] == [2]
    assert _code(_finish(hospital, upload), 409) == "upload_incomplete"
    _put(hospital, upload, 1, first, **{"Repr-Digest": _digest(first)})
    done = _finish(hospital, upload, name="lesions")
    assert done.status_code == 202
    dataset = done.json()
    assert (dataset["sha256"], dataset["size"]) == (SHA256, len(ARCHIVE))
    assert _bring(hospital, dataset, tmp_path) == ARCHIVE
    seen = hospital.client.get(f"/v1/uploads/{upload['id']}").json()
    assert (seen["status"], seen["dataset_id"]) == ("completed", dataset["id"])


def test_finishing_twice_makes_one_data_set(hospital: Any) -> None:
    upload = _sent(hospital, sha256=SHA256)
    first, second = (_finish(hospital, upload).json()["id"] for _ in range(2))
    assert first == second
    assert _code(_finish(hospital, upload, image_size=64), 409) == "upload_completed"
    assert len(hospital.client.get("/v1/datasets").json()["items"]) == 1
    assert _code(_put(hospital, upload, 1, _parts(ARCHIVE)[0]), 409) == "upload_not_open"
    assert _code(hospital.client.delete(f"/v1/uploads/{upload['id']}"), 409) == "upload_not_open"


def test_a_part_sent_again_takes_the_place_of_the_one_before(hospital: Any, tmp_path: Path) -> None:
    upload = _sent(hospital, sha256=SHA256)
    before = _objects(hospital)
    first = _parts(ARCHIVE)[0]
    _put(hospital, upload, 1, first)
    carry_out(hospital.database, hospital.objects)
    assert _objects(hospital) == before
    _put(hospital, upload, 1, b"PK\x03\x04".ljust(PART))
    carry_out(hospital.database, hospital.objects)
    assert len(_objects(hospital)) == 2
    assert _objects(hospital) != before
    _put(hospital, upload, 1, first)
    assert _bring(hospital, _finish(hospital, upload).json(), tmp_path) == ARCHIVE


def test_parts_may_come_at_once(hospital: Any, tmp_path: Path) -> None:
    upload = _begin(hospital, sha256=SHA256)
    jobs = [(number, part) for number, part in enumerate(_parts(ARCHIVE), 1)] * 3
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda job: _put(hospital, upload, *job), jobs))
    assert {answer.status_code for answer in answers} == {200}
    carry_out(hospital.database, hospital.objects)
    assert len(_objects(hospital)) == 2
    assert _bring(hospital, _finish(hospital, upload).json(), tmp_path) == ARCHIVE


@pytest.mark.parametrize(
    ("number", "size", "status", "code"),
    [
        (1, PART - 1, 422, "part_incomplete"),
        (1, PART + 1, 413, "part_too_large"),
        (2, PART, 413, "part_too_large"),
        (3, 10, 422, "part_number_too_large"),
        (0, 10, 422, "invalid_request"),
    ],
)
@pytest.mark.parametrize("says_its_size", [True, False])
def test_a_part_of_another_size_is_refused_and_nothing_kept(
    hospital: Any, *, number: int, size: int, status: int, code: str, says_its_size: bool
) -> None:
    upload = _begin(hospital)
    data = bytes(size)
    content = data if says_its_size else (data[at : at + 999] for at in range(0, size, 999))
    path = f"/v1/uploads/{upload['id']}/parts/{number}"
    assert _code(hospital.client.put(path, content=content), status) == code
    assert _objects(hospital) == []


def test_a_part_with_another_digest_is_refused_and_nothing_kept(hospital: Any) -> None:
    upload = _begin(hospital)
    first = _parts(ARCHIVE)[0]
    for name in ("Content-Digest", "Repr-Digest"):
        answer = _put(hospital, upload, 1, first, **{name: _digest(b"other")})
        assert _code(answer, 422) == "digest_mismatch"
    for value in ("sha-256=abc", "sha-256=:AAAA:", "nonsense"):
        answer = _put(hospital, upload, 1, first, **{"Repr-Digest": value})
        assert _code(answer, 400) == "digest_unreadable"
    both = {"Repr-Digest": _digest(first), "Content-Digest": _digest(b"other")}
    assert _code(_put(hospital, upload, 1, first, **both), 400) == "digest_unreadable"
    assert _objects(hospital) == []
    unknown = _put(hospital, upload, 1, first, **{"Repr-Digest": "sha-512=:AAAA:, md5=:AA==:"})
    assert unknown.status_code == 200


def test_a_whole_upload_is_compared_with_its_digest_too(hospital: Any) -> None:
    def send(said: bytes) -> Any:
        headers = {"Content-Type": "application/zip", "Content-Digest": _digest(said)}
        return hospital.client.post("/v1/datasets", content=ARCHIVE, headers=headers)

    assert _code(send(b"other"), 422) == "digest_mismatch"
    assert _objects(hospital) == []
    assert send(ARCHIVE).status_code == 202


def test_the_digest_of_the_whole_is_said_first_or_last_and_compared_by_the_worker(
    hospital: Any, tmp_path: Path
) -> None:
    upload = _sent(hospital)
    assert _code(_finish(hospital, upload), 422) == "upload_sha256_missing"
    assert _finish(hospital, upload, sha256=SHA256).status_code == 202
    said = _sent(hospital, sha256=SHA256)
    answer = _finish(hospital, said, sha256="0" * 64)
    assert _code(answer, 422) == "upload_digest_mismatch"
    wrong = _sent(hospital, sha256="0" * 64)
    dataset = _finish(hospital, wrong).json()
    folder = tmp_path / "upload"
    with pytest.raises(DigestMismatchError):
        _bring(hospital, dataset, folder)
    assert list(folder.iterdir()) == []


def test_of_a_single_part_the_digest_is_compared_at_once(hospital: Any) -> None:
    small = _archive(1000)
    wrong = _sent(hospital, small, sha256="0" * 64)
    assert _code(_finish(hospital, wrong), 422) == "upload_digest_mismatch"
    right = _sent(hospital, small, sha256=hashlib.sha256(small).hexdigest())
    assert _finish(hospital, right).status_code == 202


def test_the_same_bytes_again_are_ready_at_once_but_not_on_somebody_s_word(hospital: Any) -> None:
    first = _finish(hospital, _sent(hospital, sha256=SHA256)).json()
    hospital.run(first["links"]["ingest"].rsplit("/", 1)[-1])
    assert _finish(hospital, _sent(hospital, sha256=SHA256)).json()["status"] == "ready"
    other = _archive(seed=b"other")[: len(ARCHIVE)]
    claimed = _finish(hospital, _sent(hospital, other, sha256=SHA256)).json()
    assert claimed["status"] == "ingesting"


def test_a_tar_gz_can_come_in_parts_and_in_one(hospital: Any, tmp_path: Path) -> None:
    packed = tar_gz([(f"benign/{k}.png", os.urandom(5000)) for k in range(16)])
    assert PART < len(packed) < 100_000
    sha256 = hashlib.sha256(packed).hexdigest()
    upload = _sent(hospital, packed, sha256=sha256, media_type="application/gzip")
    assert _bring(hospital, _finish(hospital, upload).json(), tmp_path) == packed
    for kind in ("application/gzip", "application/x-gtar", "application/zip"):
        answer = hospital.client.post(
            "/v1/datasets", content=packed, headers={"Content-Type": kind}
        )
        assert answer.status_code == 202


def test_what_is_no_archive_is_refused_when_the_data_set_is_made(hospital: Any) -> None:
    data = b"MZ" + bytes(PART)
    upload = _sent(hospital, data, sha256=hashlib.sha256(data).hexdigest())
    assert _code(_finish(hospital, upload), 422) == "not_a_zip"
    assert hospital.client.get("/v1/datasets").json()["items"] == []


def test_a_body_beside_an_upload_in_parts_is_refused(hospital: Any) -> None:
    upload = _sent(hospital, sha256=SHA256)
    answer = hospital.client.post(
        "/v1/datasets", params={"upload_id": upload["id"]}, content=ARCHIVE
    )
    assert _code(answer, 422) == "body_not_empty"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"size": 100_001}, 413, "upload_too_large"),
        ({"size": 0}, 422, "invalid_request"),
        ({"size": 9, "part_size": 1}, 422, "invalid_request"),
        ({"size": 9, "sha256": "ABC"}, 422, "invalid_request"),
        ({"size": 9, "media_type": "text/html"}, 415, "media_type_unsupported"),
        ({"size": 9, "path": "/etc/passwd"}, 422, "invalid_request"),
    ],
)
def test_an_upload_that_cannot_be_is_not_begun(
    hospital: Any, body: dict[str, Any], status: int, code: str
) -> None:
    assert _code(hospital.client.post("/v1/uploads", json=body), status) == code


def test_a_workspace_can_have_only_so_many_unfinished_uploads(hospital: Any) -> None:
    made = [_begin(hospital) for _ in range(20)]
    answer = hospital.client.post("/v1/uploads", json={"size": 9})
    assert _code(answer, 429) == "too_many_uploads"
    assert "retry-after" in answer.headers
    hospital.client.delete(f"/v1/uploads/{made[0]['id']}")
    _begin(hospital)


def test_uploads_are_listed_and_found_by_their_digest(hospital: Any) -> None:
    wanted = _begin(hospital, sha256=SHA256)
    _begin(hospital)
    gone = _begin(hospital, sha256=SHA256)
    hospital.client.delete(f"/v1/uploads/{gone['id']}")
    found = hospital.client.get("/v1/uploads", params={"status": "open", "sha256": SHA256}).json()
    assert [item["id"] for item in found["items"]] == [wanted["id"]]
    assert len(hospital.client.get("/v1/uploads?limit=2").json()["items"]) == 2


def test_a_deleted_upload_takes_its_parts_along(hospital: Any) -> None:
    upload = _sent(hospital)
    for _ in range(2):
        assert hospital.client.delete(f"/v1/uploads/{upload['id']}").status_code == 204
    carry_out(hospital.database, hospital.objects)
    assert _objects(hospital) == []
    assert _code(_finish(hospital, upload), 409) == "upload_not_open"


def test_a_part_that_comes_after_the_upload_was_deleted_leaves_nothing(
    hospital: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from api.uploads import endpoints

    upload = _begin(hospital)
    first = _parts(ARCHIVE)[0]
    register = endpoints._register

    def deleted_meanwhile(*given: Any) -> Any:
        hospital.client.delete(f"/v1/uploads/{upload['id']}")
        return register(*given)

    monkeypatch.setattr(endpoints, "_register", deleted_meanwhile)
    assert _code(_put(hospital, upload, 1, first), 409) == "upload_not_open"
    assert _objects(hospital) == []


def test_an_upload_that_nobody_goes_on_with_expires(hospital: Any) -> None:
    old, young = _sent(hospital), _sent(hospital)

    def age(seconds: float) -> None:
        with hospital.database.write() as session:
            session.execute(
                update(UploadSession)
                .where(UploadSession.id == old["id"])
                .values(expires_at=utc_now() - timedelta(seconds=seconds))
            )

    assert expire_uploads(hospital.database) == 0
    age(1)
    _put(hospital, old, 1, _parts(ARCHIVE)[0])  # somebody goes on with it
    assert expire_uploads(hospital.database) == 0
    age(1)
    assert expire_uploads(hospital.database) == 1
    carry_out(hospital.database, hospital.objects)
    assert all(young["id"] in key for key in _objects(hospital))
    assert len(_objects(hospital)) == 2
    assert hospital.client.get(f"/v1/uploads/{old['id']}").json()["status"] == "aborted"
    age(8 * 86400)
    expire_uploads(hospital.database)
    assert hospital.client.get(f"/v1/uploads/{old['id']}").status_code == 404


def test_parts_of_a_living_upload_are_no_orphans_and_those_of_a_dead_one_are(
    hospital: Any,
) -> None:
    open_, waiting = _sent(hospital), _sent(hospital, sha256=SHA256)
    _finish(hospital, waiting)
    living = _objects(hospital)
    stray = f"{living[0].rsplit('/', 1)[0]}/00001-killed"
    path = hospital.objects.local_path(stray)
    path.write_bytes(b"half")
    assert remove_orphans(hospital.database, hospital.objects, older_than_seconds=0) == 1
    assert _objects(hospital) == living
    with hospital.database.write() as session:
        session.execute(update(UploadSession).values(expires_at=utc_now() - timedelta(days=1)))
    assert expire_uploads(hospital.database) == 1
    assert remove_orphans(hospital.database, hospital.objects, older_than_seconds=0) == 2
    assert all(open_["id"] not in key for key in _objects(hospital))
    assert len(_objects(hospital)) == 2


def test_parts_are_deleted_once_they_were_read_or_with_their_data_set(hospital: Any) -> None:
    read = _finish(hospital, _sent(hospital, sha256=SHA256)).json()
    hospital.run(read["links"]["ingest"].rsplit("/", 1)[-1])
    assert remove_spent_uploads(hospital.database, hospital.objects) == 1
    assert _objects(hospital) == []
    other = _archive(seed=b"z")
    upload = _sent(hospital, other, sha256=hashlib.sha256(other).hexdigest())
    unread = _finish(hospital, upload).json()
    hospital.client.post(f"{unread['links']['ingest']}/cancel")
    for dataset in (read, unread):
        path = f"/v1/datasets/{dataset['id']}"
        assert hospital.client.delete(path).status_code == 204
    carry_out(hospital.database, hospital.objects)
    assert _objects(hospital) == []
    assert hospital.client.get(f"/v1/uploads/{upload['id']}").status_code == 404


def test_a_stranger_finds_no_upload(hospital: Any, stranger: Any) -> None:
    upload = _sent(hospital, sha256=SHA256)
    path = f"/v1/uploads/{upload['id']}"
    first = _parts(ARCHIVE)[0]
    assert stranger.get(path).status_code == 404
    assert stranger.put(f"{path}/parts/1", content=first).status_code == 404
    assert stranger.delete(path).status_code == 404
    assert stranger.post("/v1/datasets", params={"upload_id": upload["id"]}).status_code == 404
    assert stranger.get("/v1/uploads").json()["items"] == []
    assert len(_objects(hospital)) == 2


@pytest.mark.parametrize("what", ["parts", "uploads"])
def test_two_at_once_do_not_both_get_the_last_room(postgres_url: str, what: str) -> None:
    # SQLite has one writer at a time; PostgreSQL has many, none of which sees what another does.
    database = Database(postgres_url)
    who = Identity(
        new_id("ws"),
        new_id("key"),
        frozenset({"researcher"}),
        allowance=Allowance(workspace=Limits(upload_bytes_per_day=100)),
    )
    settings = Settings(max_open_uploads=3)
    with database.write() as session:
        session.add(Workspace(id=who.workspace_id, name=who.workspace_id))
        session.flush()
        made = [
            UploadService(session, who, settings).create(UploadRequest(size=60)).id
            for _ in range(2)
        ]

    def use_room(session: Session, upload_id: str) -> None:
        service = UploadService(session, who, settings)
        if what == "uploads":
            service.create(UploadRequest(size=60))
            return
        part = UploadPart(number=1, size=60, sha256="0" * 64, object_key=new_id("o"))
        service.put_part(upload_id, part)

    refused: list[str] = []

    def come_second() -> None:
        try:
            with database.write() as session:
                use_room(session, made[1])
        except Problem as problem:
            refused.append(problem.code)

    second = threading.Thread(target=come_second)
    with database.write() as session:
        use_room(session, made[0])
        second.start()
        second.join(0.5)
    second.join()
    database.dispose()
    assert refused == ["upload_quota" if what == "parts" else "too_many_uploads"]
