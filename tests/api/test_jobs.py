"""Submitting, watching, cancelling, and the results."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest
from sqlalchemy import select, text

from api.jobs import watching
from gan_core.spec import DeviceFacts
from gan_core.spec.speeds import training
from store.database import Database
from store.objects import Objects
from store.records import StepError
from store.repositories import AuditTrail
from store.speeds import SpeedBook
from store.step_tables import OutboxRow
from store.steps import StepLedger
from store.tables import AuditEvent, Dataset
from store.workers import WorkerRegister


def _events(text: str) -> list[tuple[int, str, dict[str, Any]]]:
    found = []
    for block in text.replace("\r\n", "\n").strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line)
        if "data" in fields:
            found.append((int(fields["id"]), fields["event"], json.loads(fields["data"])))
    return found


def test_a_submitted_job_is_accepted_with_its_spec_filled_in(hospital: Any) -> None:
    dataset_id = hospital.ready_dataset()
    answer = hospital.client.post(
        "/v1/jobs", json={"dataset_id": dataset_id, "real_counts": [10], "name": "first"}
    )
    job = answer.json()
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/v1/jobs/{job['id']}"
    assert int(answer.headers["retry-after"]) >= 1
    assert (job["status"], job["kind"], job["name"]) == ("queued", "study", "first")
    assert job["spec"]["rare_class"] == "malignant"
    assert job["spec"]["gans"][0]["name"] == "fastgan"
    assert job["requested"] == {"dataset_id": dataset_id, "real_counts": [10], "name": "first"}
    assert job["advice"]
    assert job["progress"]["fraction"] == 0.0
    assert job["progress"]["eta_seconds"] > 0


def test_a_dry_run_answers_the_plan_and_starts_nothing(hospital: Any) -> None:
    dataset_id = hospital.ready_dataset()
    body = {"dataset_id": dataset_id, "real_counts": [10]}
    answer = hospital.client.post("/v1/jobs?dry_run=true", json=body)
    assert answer.status_code == 200
    plan = answer.json()
    names = [step["name"] for step in plan["steps"]]
    assert "train:fastgan:10:s0" in names
    assert plan["estimate_seconds"] > 0
    assert not any(step["is_reused"] for step in plan["steps"])
    assert hospital.client.get("/v1/jobs?kind=study").json()["items"] == []
    hospital.run(hospital.submit(dataset_id)["id"])
    again = hospital.client.post("/v1/jobs?dry_run=true", json=body).json()
    assert all(step["is_reused"] for step in again["steps"])
    assert again["estimate_seconds"] == 0


def test_the_same_request_twice_with_one_key_makes_one_job(hospital: Any) -> None:
    body = {"dataset_id": hospital.ready_dataset(), "real_counts": [10]}
    headers = {"Idempotency-Key": "k1"}
    first = hospital.client.post("/v1/jobs", json=body, headers=headers)
    second = hospital.client.post("/v1/jobs", json=body, headers=headers)
    assert second.status_code == 202
    assert second.json() == first.json()
    assert second.headers["idempotency-replayed"] == "true"
    other = hospital.client.post("/v1/jobs", json=body | {"name": "x"}, headers=headers)
    assert other.status_code == 422
    assert other.json()["code"] == "idempotency_key_reused"
    assert len(hospital.client.get("/v1/jobs?kind=study").json()["items"]) == 1


def test_specs_that_do_not_fit_are_refused_with_what_to_do(hospital: Any) -> None:
    ready = hospital.ready_dataset()
    for body, status, code in [
        ({"dataset_id": ready, "real_counts": [500]}, 422, "real_count_too_large"),
        ({"dataset_id": ready, "rare_class": "none"}, 422, "unknown_class"),
        ({"dataset_id": ready, "gans": [{"name": "dreamgan"}]}, 422, "invalid_request"),
        ({"dataset_id": ready, "upscale": {"size": 9}}, 422, "invalid_request"),
        ({"dataset_id": ready, "typo": 1}, 422, "invalid_request"),
        ({}, 422, "invalid_request"),
        ({"dataset_id": "ds_none"}, 404, "not_found"),
    ]:
        answer = hospital.client.post("/v1/jobs", json=body)
        assert (answer.status_code, answer.json()["code"]) == (status, code), body
        assert answer.json()["hint"]
    assert hospital.client.get("/v1/jobs?kind=study").json()["items"] == []


def test_a_name_with_a_nul_is_stored_or_refused_but_breaks_nothing(hospital: Any) -> None:
    body = {"dataset_id": hospital.ready_dataset(), "real_counts": [10], "name": "a\0b"}
    answer = hospital.client.post("/v1/jobs", json=body)
    assert answer.status_code in {202, 422}


def test_a_dataset_that_is_not_ready_is_a_conflict(hospital: Any) -> None:
    dataset = hospital.upload()
    early = hospital.client.post("/v1/jobs", json={"dataset_id": dataset["id"]})
    assert (early.status_code, early.json()["code"]) == (409, "dataset_not_ready")
    assert "retry-after" in early.headers
    claimed = hospital.claim_next(dataset["links"]["ingest"].rsplit("/", 1)[-1])
    hospital.fail(claimed, StepError("bad_zip", "The zip is broken."))
    late = hospital.client.post("/v1/jobs", json={"dataset_id": dataset["id"]})
    assert (late.status_code, late.json()["code"]) == (409, "dataset_rejected")


def test_a_job_is_accepted_while_the_broker_is_down(hospital: Any, database: Any) -> None:
    dataset_id = hospital.ready_dataset()
    started = time.perf_counter()
    job = hospital.submit(dataset_id)
    assert time.perf_counter() - started < 5
    steps = hospital.client.get(f"/v1/jobs/{job['id']}/steps").json()["items"]
    queued = {step["name"] for step in steps if step["status"] == "queued"}
    assert queued
    with database.read() as session:
        unsent = session.scalars(select(OutboxRow).where(OutboxRow.sent_at.is_(None))).all()
    assert len(unsent) >= len(queued)


def test_polling_costs_nothing_while_nothing_changes(hospital: Any) -> None:
    job = hospital.submit(hospital.ready_dataset())
    path = f"/v1/jobs/{job['id']}"
    first = hospital.client.get(path)
    assert "retry-after" in first.headers
    again = hospital.client.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    hospital.finish(hospital.claim_next(job["id"]))
    changed = hospital.client.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert changed.status_code == 200
    assert changed.headers["etag"] != first.headers["etag"]
    assert changed.json()["status"] == "running"
    assert changed.json()["progress"]["fraction"] > 0


def test_a_finished_job_has_results_and_asks_for_no_more_polling(hospital: Any) -> None:
    job_id = hospital.finished_job()
    answer = hospital.client.get(f"/v1/jobs/{job_id}")
    job = answer.json()
    assert (job["status"], job["progress"]["fraction"]) == ("succeeded", 1.0)
    assert job["finished_at"] is not None
    assert "retry-after" not in answer.headers
    results = hospital.client.get(f"/v1/jobs/{job_id}/results")
    assert results.status_code == 200
    assert results.json()["rare_class"] == "malignant"


def test_results_of_an_unfinished_job_are_a_conflict(hospital: Any) -> None:
    job = hospital.submit(hospital.ready_dataset())
    early = hospital.client.get(f"/v1/jobs/{job['id']}/results")
    assert (early.status_code, early.json()["code"]) == (409, "job_unfinished")
    assert "retry-after" in early.headers
    hospital.client.post(f"/v1/jobs/{job['id']}/cancel")
    late = hospital.client.get(f"/v1/jobs/{job['id']}/results")
    assert (late.status_code, late.json()["code"]) == (409, "job_without_results")


def test_cancelling_is_idempotent_and_waits_for_running_steps(hospital: Any) -> None:
    job = hospital.submit(hospital.ready_dataset())
    claimed = hospital.claim_next(job["id"])
    path = f"/v1/jobs/{job['id']}/cancel"
    first, second = hospital.client.post(path), hospital.client.post(path)
    assert first.status_code == second.status_code == 202
    assert first.json()["status"] == second.json()["status"] == "cancelling"
    with hospital.database.write() as session:
        StepLedger(session).cancelled(claimed.id, claimed.token)
    third = hospital.client.post(path)
    assert (third.status_code, third.json()["status"]) == (202, "cancelled")


def test_a_failed_job_says_why_and_where(hospital: Any) -> None:
    job = hospital.submit(hospital.ready_dataset())
    claimed = hospital.claim_next(job["id"])
    hospital.fail(claimed, StepError("diverged", "The training diverged.", "Use fewer epochs."))
    body = hospital.client.get(f"/v1/jobs/{job['id']}").json()
    # The columns that do not need it go on; here each of them fails, too.
    assert body["status"] == "running"
    assert [failure["step"] for failure in body["failures"]] == [claimed.name]
    while body["status"] == "running":
        hospital.fail(hospital.claim_next(job["id"]), StepError("crashed", "It ended."))
        body = hospital.client.get(f"/v1/jobs/{job['id']}").json()
    assert body["status"] == "failed"
    assert body["error"] == {
        "code": "diverged",
        "detail": "The training diverged.",
        "hint": "Use fewer epochs.",
        "step": claimed.name,
    }


def test_jobs_are_listed_and_filtered(hospital: Any) -> None:
    dataset_id = hospital.ready_dataset()
    first = hospital.submit(dataset_id)["id"]
    second = hospital.submit(dataset_id, real_counts=[11])["id"]
    hospital.client.post(f"/v1/jobs/{first}/cancel")

    def ids(**params: str) -> list[str]:
        items = hospital.client.get("/v1/jobs", params=params).json()["items"]
        return [item["id"] for item in items]

    assert set(ids(kind="study")) == {first, second}
    assert len(ids()) == 3
    assert ids(status="cancelled") == [first]
    assert set(ids(dataset_id=dataset_id, kind="study")) == {first, second}
    assert ids(dataset_id="ds_other") == []


def test_watching_a_finished_job_from_the_start_tells_its_whole_story(hospital: Any) -> None:
    job_id = hospital.finished_job()
    answer = hospital.client.get(f"/v1/jobs/{job_id}/events", headers={"Last-Event-ID": "0"})
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = _events(answer.text)
    ids = [event[0] for event in events]
    assert ids == sorted(set(ids))
    statuses = [data["status"] for _, kind, data in events if kind == "status"]
    assert statuses == ["queued", "running", "succeeded"]
    fractions = [data["progress"]["fraction"] for _, _, data in events]
    assert fractions == sorted(fractions)


def test_a_watcher_that_comes_back_goes_on_where_it_was(hospital: Any) -> None:
    job_id = hospital.finished_job()
    path = f"/v1/jobs/{job_id}/events"
    every = _events(hospital.client.get(path, headers={"Last-Event-ID": "0"}).text)
    rest = _events(hospital.client.get(path, headers={"Last-Event-ID": str(every[1][0])}).text)
    assert rest == every[2:]
    assert rest


def test_a_new_watcher_begins_with_the_latest_state(hospital: Any) -> None:
    job_id = hospital.finished_job()
    events = _events(hospital.client.get(f"/v1/jobs/{job_id}/events").text)
    assert [data["status"] for _, _, data in events] == ["succeeded"]


def test_a_watcher_hears_what_happens_while_it_watches(hospital: Any) -> None:
    job = hospital.submit(hospital.ready_dataset())
    worker = threading.Timer(0.3, hospital.run, [job["id"]])
    worker.start()
    text = hospital.client.get(f"/v1/jobs/{job['id']}/events").text
    worker.join()
    assert [e[2]["status"] for e in _events(text)][-1] == "succeeded"


def test_a_watcher_whose_key_is_revoked_hears_no_more(hospital: Any) -> None:
    job = hospital.submit(hospital.ready_dataset())
    made = hospital.client.post("/v1/keys", json={"name": "screen", "scopes": ["reader"]}).json()
    # Should the stream go on all the same, the end of the job ends the test.
    revoking = threading.Timer(0.3, hospital.client.delete, [f"/v1/keys/{made['id']}"])
    working = threading.Timer(3, hospital.run, [job["id"]])
    for timer in (revoking, working):
        timer.start()
    headers = {"Authorization": f"Bearer {made['key']}"}
    text = hospital.client.get(f"/v1/jobs/{job['id']}/events", headers=headers).text
    for timer in (revoking, working):
        timer.join()
    assert [event[2]["status"] for event in _events(text)] == ["queued"]


def test_a_workspace_cannot_listen_to_any_number_of_streams(
    hospital: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "MOST_STREAMS", 1)
    job_id = hospital.submit(hospital.ready_dataset())["id"]
    path = f"/v1/jobs/{job_id}/events"
    answers: list[Any] = []
    listening = threading.Thread(target=lambda: answers.append(hospital.client.get(path)))
    listening.start()
    context = hospital.client.app.state.context
    until = time.monotonic() + 10
    while not context.streams and time.monotonic() < until:
        time.sleep(0.01)
    refused = hospital.client.get(path)
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_streams")
    hospital.run(job_id)
    listening.join()
    assert answers[0].status_code == 200
    assert not context.streams
    assert hospital.client.get(path).status_code == 200


def test_every_change_and_download_is_in_the_audit_trail(hospital: Any, database: Any) -> None:
    job_id = hospital.finished_job()
    hospital.client.post(f"/v1/jobs/{job_id}/cancel")
    artifact = hospital.artifact(job_id, "report-html")
    hospital.client.get(artifact["links"]["content"])
    hospital.client.get(f"/v1/jobs/{job_id}/results")
    with database.read() as session:
        events = session.scalars(select(AuditEvent).order_by(AuditEvent.id)).all()
        assert AuditTrail(session, events[0].workspace_id).first_broken() is None
    assert [event.action for event in events] == [
        "key.create",
        "dataset.create",
        "job.submit",
        "artifact.download",
        "results.read",
    ]
    assert events[1].actor.startswith("key_")


def test_reading_results_keeps_no_writer_waiting_for_the_file_storage(
    hospital: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = hospital.finished_job()
    read = Objects.iterate

    def while_another_writes(self: Objects, key: str) -> Any:
        with hospital.database.write() as session:
            session.execute(text("UPDATE jobs SET version = version + 1"))
        return read(self, key)

    monkeypatch.setattr(Objects, "iterate", while_another_writes)
    assert hospital.client.get(f"/v1/jobs/{job_id}/results").status_code == 200


def test_a_dry_run_says_how_long_it_takes_and_how_that_is_known(
    hospital: Any, database: Database
) -> None:
    body = {"dataset_id": hospital.ready_dataset(), "real_counts": [10]}

    def estimated() -> Any:
        return hospital.client.post("/v1/jobs?dry_run=true", json=body).json()

    before = estimated()
    assert before["estimate"] == {
        "seconds": before["estimate_seconds"],
        "source": "typical of two CPU cores",
        "measured_share": 0.0,
    }
    device = DeviceFacts(kind="gpu", name="NVIDIA H100")
    with database.write() as session:
        WorkerRegister(session).seen(
            "w", host="h", queues=["gpu"], version="1", step_id=None, device=device
        )
        book = SpeedBook(session)
        # As the profile trains it: what is known of other settings tells nothing.
        as_planned = training("fastgan", 64, 8, 0, {"width": 16}).name
        book.note(device.name, as_planned, seconds=500.0, units=1000)
    after = estimated()
    [train] = [step for step in after["steps"] if step["kind"] == "train"]
    assert train["estimate_seconds"] == pytest.approx(4 + 10 * 500 * 0.5)
    assert train["estimate_source"].startswith("measured on NVIDIA H100, 20")
    assert after["estimate"]["source"] == train["estimate_source"]
    assert 0.5 < after["estimate"]["measured_share"] < 1
    assert after["estimate_seconds"] > before["estimate_seconds"]
    assert [step["key"] for step in after["steps"]] == [step["key"] for step in before["steps"]]


def test_a_retry_trains_what_the_best_profile_had_chosen_whatever_the_device_is_now(
    hospital: Any, database: Database
) -> None:
    # The data set has 20 images of the rare class; here enough for a GAN.
    database_facts = {"benign": {"train": 400}, "malignant": {"train": 90}}
    dataset_id = hospital.ready_dataset()
    with database.write() as session:
        row = session.get_one(Dataset, dataset_id)
        row.facts = {**row.facts, "classes": database_facts}
        WorkerRegister(session).seen(
            "w",
            host="h",
            queues=["gpu"],
            version="1",
            step_id=None,
            device=DeviceFacts(kind="gpu", name="H100"),
        )
    body = {"real_counts": [10, 60], "profile": "best", "benchmark": {"subsets": [0]}}
    job = hospital.submit(dataset_id, **body)
    assert [gan["real_counts"] for gan in job["spec"]["gans"]] == [[60]]
    assert job["advice"][0].startswith("Real count 10: no GAN")
    hospital.client.post(f"/v1/jobs/{job['id']}/cancel")
    with database.write() as session:
        WorkerRegister(session).describe("w", DeviceFacts(kind="cpu", name="two cores"))
    again = hospital.client.post(f"/v1/jobs/{job['id']}/retry").json()
    assert again["spec"] == job["spec"]
    assert again["requested"] == job["requested"]
    anew = hospital.submit(dataset_id, **body)
    assert anew["spec"]["gans"] != job["spec"]["gans"]


def test_reasons_that_a_client_made_up_are_not_told_as_advice(hospital: Any) -> None:
    body = {
        "dataset_id": hospital.ready_dataset(),
        "real_counts": [10],
        "chosen_because": ["The moon said so."],
    }
    plan = hospital.client.post("/v1/jobs?dry_run=true", json=body).json()
    assert "The moon said so." not in plan["advice"]
    job = hospital.client.post("/v1/jobs", json=body).json()
    assert "The moon said so." not in job["advice"]
    assert job["spec"]["chosen_because"] == []


def test_frozen_blocks_are_counted_at_the_profiles_image_size(hospital: Any) -> None:
    gan = {"name": "stylegan2", "pretrain": "other-classes", "pretrain_epochs": 1}
    body = {"dataset_id": hospital.ready_dataset(), "real_counts": [10]}
    for profile, blocks, status in (("quick", 3, 200), ("quick", 4, 422), ("best", 4, 200)):
        asked = body | {"profile": profile, "gans": [gan | {"freeze_d": blocks}]}
        answer = hospital.client.post("/v1/jobs?dry_run=true", json=asked)
        assert answer.status_code == status, answer.text
        if status == 422:
            assert "32 pixels" in answer.text
            assert "Value error" not in answer.text
