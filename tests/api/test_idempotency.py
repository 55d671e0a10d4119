"""A request that is sent again with its Idempotency-Key is carried out once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import select

from api.app import assemble
from api.idempotency import OnceOnly
from api.jobs.once import hash_of
from store.access_tables import IdempotentRequest
from store.columns import utc_now
from store.database import Database
from store.repositories import JobRepository
from store.repositories.idempotency import IdempotentRequests
from store.tables import ApiKey, Job, Workspace
from store.upload_tables import UploadSession

ONCE = {"Idempotency-Key": "k-1"}
# What they do twice is the same as once.
NATURALLY_IDEMPOTENT = {"/v1/jobs/{job_id}/cancel"}


def _rows(database: Database, table: Any) -> list[Any]:
    with database.read() as session:
        return list(session.scalars(select(table)))


def _study(hospital: Any) -> dict[str, Any]:
    return {"dataset_id": hospital.ready_dataset(), "real_counts": [10]}


def _upload(hospital: Any) -> Callable[[], Any]:
    return lambda: hospital.client.post(
        "/v1/datasets?name=a",
        content=hospital.small_zip(),
        headers=ONCE | {"Content-Type": "application/zip"},
    )


def _submit(hospital: Any) -> Callable[[], Any]:
    body = _study(hospital)
    return lambda: hospital.client.post("/v1/jobs", json=body, headers=ONCE)


def _retry(hospital: Any) -> Callable[[], Any]:
    job_id = hospital.finished_job()
    return lambda: hospital.client.post(f"/v1/jobs/{job_id}/retry", headers=ONCE)


def _images(hospital: Any) -> Callable[[], Any]:
    model = hospital.model(hospital.finished_job())
    return lambda: hospital.client.post(model["links"]["images"], json={"seeds": [3]}, headers=ONCE)


def _key(hospital: Any) -> Callable[[], Any]:
    return lambda: hospital.client.post("/v1/keys", json={"name": "portal"}, headers=ONCE)


def _rotate(hospital: Any) -> Callable[[], Any]:
    key_id = hospital.client.post("/v1/keys", json={"name": "portal"}).json()["id"]
    return lambda: hospital.client.post(f"/v1/keys/{key_id}/rotate", headers=ONCE)


def _begin_upload(hospital: Any) -> Callable[[], Any]:
    asked = {"size": 5, "media_type": "application/zip"}
    return lambda: hospital.client.post("/v1/uploads", json=asked, headers=ONCE)


@pytest.mark.parametrize(
    "prepared", [_upload, _submit, _retry, _images, _key, _rotate, _begin_upload]
)
def test_the_same_request_gets_the_same_answer_and_makes_nothing_more(
    hospital: Any, prepared: Callable[[Any], Callable[[], Any]]
) -> None:
    send = prepared(hospital)
    tables = (Job, ApiKey, UploadSession)
    before = [len(_rows(hospital.database, table)) for table in tables]
    first = send()
    assert first.status_code in {201, 202}, first.text
    assert "idempotency-replayed" not in first.headers
    # What happens to it meanwhile is seen by looking at it, not by asking for it once more.
    if first.status_code == 202:
        job_id = first.json()["links"].get("ingest", first.json()["links"]["self"]).split("/")[-1]
        hospital.run(job_id)
    second = send()
    assert second.headers["idempotency-replayed"] == "true"
    assert (second.status_code, second.content) == (first.status_code, first.content)
    for name in ("location", "content-type", "retry-after", "cache-control"):
        assert second.headers.get(name) == first.headers.get(name)
    after = [len(_rows(hospital.database, table)) for table in tables]
    assert sum(after) == sum(before) + 1


def test_every_address_that_makes_something_takes_the_header() -> None:
    lacking = [
        path
        for path, calls in assemble().openapi()["paths"].items()
        if "post" in calls
        and path not in NATURALLY_IDEMPOTENT
        # A browser's sign-in takes the place of the one before; its answer is for it alone.
        and not path.startswith("/v1/session")
        and {"201", "202"} & set(calls["post"]["responses"])
        and "Idempotency-Key" not in {p["name"] for p in calls["post"].get("parameters", [])}
    ]
    assert lacking == []


def test_another_request_with_the_same_key_is_refused(hospital: Any) -> None:
    body = _study(hospital)
    assert hospital.client.post("/v1/jobs", json=body, headers=ONCE).status_code == 202
    for answer in (
        hospital.client.post("/v1/jobs", json=body | {"name": "x"}, headers=ONCE),
        hospital.client.post("/v1/keys", json={"name": "x"}, headers=ONCE),
        _upload(hospital)(),
    ):
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")


def test_one_workspace_knows_nothing_of_anothers_keys(hospital: Any, stranger: Any) -> None:
    asked = {"name": "portal"}
    mine = hospital.client.post("/v1/keys", json=asked, headers=ONCE)
    theirs = stranger.post("/v1/keys", json=asked, headers=ONCE)
    assert (mine.status_code, theirs.status_code) == (201, 201)
    assert mine.json()["id"] != theirs.json()["id"]


def test_one_that_is_under_way_is_waited_for_and_one_that_died_is_carried_out(
    hospital: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = _submit(hospital)
    with monkeypatch.context() as death:
        # A process that dies with the work done and not committed tidies nothing up.
        death.setattr(IdempotentRequests, "answer", lambda *_, **__: 1 / 0)
        death.setattr(OnceOnly, "_release", lambda *_: None)
        assert send().status_code == 500
    assert [job for job in _rows(hospital.database, Job) if job.kind == "study"] == []
    waiting = send()
    assert (waiting.status_code, waiting.json()["code"]) == (409, "request_under_way")
    assert 1 <= int(waiting.headers["retry-after"]) <= 60
    with hospital.database.write() as session:
        session.scalars(select(IdempotentRequest)).one().locked_until = utc_now() - timedelta(
            seconds=1
        )
    assert send().status_code == 202
    again = send()
    assert again.headers["idempotency-replayed"] == "true"
    assert len([job for job in _rows(hospital.database, Job) if job.kind == "study"]) == 1


def test_a_slow_attempt_whose_place_was_taken_does_nothing(
    hospital: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = _submit(hospital)
    answer_row = IdempotentRequests.answer

    def overtaken(self: IdempotentRequests, key: str, token: str, **more: Any) -> bool:
        return answer_row(self, key, f"not {token}", **more)

    monkeypatch.setattr(IdempotentRequests, "answer", overtaken)
    answer = send()
    assert (answer.status_code, answer.json()["code"]) == (409, "request_under_way")
    assert [job for job in _rows(hospital.database, Job) if job.kind == "study"] == []


def test_a_request_that_failed_leaves_its_key_free(hospital: Any) -> None:
    body = _study(hospital)
    for wrong, status in ((body | {"dataset_id": "ds_none"}, 404), (body | {"typo": 1}, 422)):
        assert hospital.client.post("/v1/jobs", json=wrong, headers=ONCE).status_code == status
    assert _rows(hospital.database, IdempotentRequest) == []
    assert hospital.client.post("/v1/jobs", json=body, headers=ONCE).status_code == 202


def test_a_request_that_broke_inside_leaves_its_key_free(
    hospital: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = _submit(hospital)
    with monkeypatch.context() as broken:
        broken.setattr(JobRepository, "add", lambda *_: 1 / 0)
        assert send().status_code == 500
    assert _rows(hospital.database, IdempotentRequest) == []
    assert send().status_code == 202


def test_a_dry_run_uses_no_key_up(hospital: Any) -> None:
    body = _study(hospital)
    dry = hospital.client.post("/v1/jobs?dry_run=true", json=body, headers=ONCE)
    assert dry.status_code == 200
    assert hospital.client.post("/v1/jobs", json=body, headers=ONCE).status_code == 202


def test_a_new_keys_text_does_not_lie_in_the_table_and_is_shown_to_its_maker_alone(
    hospital: Any, app: FastAPI
) -> None:
    first = _key(hospital)()
    text = first.json()["key"]
    [row] = _rows(hospital.database, IdempotentRequest)
    assert text not in repr([row.body, row.headers])
    assert text.split("_")[2] not in row.body
    assert _key(hospital)().json()["key"] == text
    other = hospital.client.post("/v1/keys", json={"name": "b", "scopes": ["admin"]}).json()["key"]
    answer = hospital.client.post(
        "/v1/keys",
        json={"name": "portal"},
        headers=ONCE | {"Authorization": f"Bearer {other}"},
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert text not in answer.text


def test_a_sealed_answer_that_cannot_be_opened_any_more_says_so(hospital: Any) -> None:
    _key(hospital)()
    with hospital.database.write() as session:
        row = session.scalars(select(IdempotentRequest)).one()
        assert row.body is not None
        row.body = row.body[:-9] + "x" * 9
    answer = _key(hospital)()
    assert (answer.status_code, answer.json()["code"]) == (409, "answer_unreadable")
    assert len(_rows(hospital.database, ApiKey)) == 2


def test_what_older_code_carried_out_is_not_carried_out_again(hospital: Any) -> None:
    body = _study(hospital)
    job_id = hospital.client.post("/v1/jobs", json=body).json()["id"]
    with hospital.database.write() as session:
        workspace = session.scalars(select(Workspace.id)).first()
        assert workspace is not None
        JobRepository(session, workspace).remember("k-1", hash_of(["job", body]), job_id)
    other = hospital.client.post("/v1/jobs", json=body | {"name": "x"}, headers=ONCE)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    answer = hospital.client.post("/v1/jobs", json=body, headers=ONCE)
    assert (answer.status_code, answer.json()["id"]) == (202, job_id)
    assert answer.headers["idempotency-replayed"] == "true"


def test_many_at_once_make_one_job(hospital: Any) -> None:
    send = _submit(hospital)
    answers: list[Any] = []
    threads = [threading.Thread(target=lambda: answers.append(send())) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Those that came while the first was carried out are told to wait.
    assert {answer.status_code for answer in answers} <= {202, 409}
    made = {answer.json()["id"] for answer in [*answers, send()] if answer.status_code == 202}
    assert len(made) == 1
    assert len([job for job in _rows(hospital.database, Job) if job.kind == "study"]) == 1
