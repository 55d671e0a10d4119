"""Models, and jobs that make images from one."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update

from store.fairness import INTERACTIVE
from store.removals import carry_out
from store.retention import expire
from store.tables import Artifact, Job


@pytest.fixture
def study(hospital: Any) -> str:
    found: str = hospital.finished_job()
    return found


@pytest.fixture
def model(hospital: Any, study: str) -> Any:
    return hospital.model(study)


def make(hospital: Any, model: Any, **asked: Any) -> Any:
    return hospital.client.post(model["links"]["images"], json=asked)


def priority_of(hospital: Any, job_id: str) -> int:
    with hospital.database.read() as session:
        return int(session.get_one(Job, job_id).priority)


def test_a_study_leaves_a_model_that_says_what_it_was_trained_on(
    hospital: Any, study: str, model: Any
) -> None:
    job = hospital.client.get(f"/v1/jobs/{study}").json()
    artifact = hospital.artifact(study, "model")
    assert (model["id"], model["sha256"]) == (artifact["id"], artifact["sha256"])
    assert (model["gan"], model["real_count"], model["rare_class"]) == ("infogan", 10, "malignant")
    assert (model["job_id"], model["dataset_id"]) == (study, job["dataset_id"])
    assert hospital.client.get(model["links"]["content"]).status_code == 200


def test_a_models_card_says_what_can_be_chosen(hospital: Any, model: Any) -> None:
    found = hospital.client.get(model["links"]["self"]).json()
    assert (found["categories"], found["codes"]) == (10, 2)
    assert found["data_digest"] == "d" * 64
    assert found["training"]["epochs"] >= 1
    assert found["quality"] is None
    assert found["card"]["weights_kind"] == "ema"
    assert {name: found[name] for name in model} == model


def test_models_are_listed_page_by_page_and_by_what_they_are(hospital: Any, study: str) -> None:
    dataset_id = hospital.client.get(f"/v1/jobs/{study}").json()["dataset_id"]
    hospital.run(hospital.submit(dataset_id, real_counts=[8], gans=[{"name": "infogan"}])["id"])

    def listed(**query: Any) -> list[int]:
        page = hospital.client.get("/v1/models", params=query)
        assert page.status_code == 200, page.text
        return [item["real_count"] for item in page.json()["items"]]

    assert listed() == [8, 10]
    assert listed(job_id=study) == [10]
    assert listed(dataset_id=dataset_id, gan="infogan") == [8, 10]
    assert listed(gan="dcgan") == listed(dataset_id="ds_none") == []
    first = hospital.client.get("/v1/models", params={"limit": 1}).json()
    assert listed(limit=1, cursor=first["next_cursor"]) == [10]
    assert hospital.client.get("/v1/models", params={"gan": "dreamgan"}).status_code == 422


def test_images_are_a_job_that_has_the_model_for_its_own(hospital: Any, model: Any) -> None:
    answer = make(hospital, model, count=16)
    assert answer.status_code == 202, answer.text
    job = answer.json()
    assert answer.headers["location"] == f"/v1/jobs/{job['id']}"
    assert "retry-after" in answer.headers
    assert (job["kind"], job["spec"]["model_id"], job["spec"]["count"]) == (
        "images",
        model["id"],
        16,
    )
    assert job["requested"] == {"model_id": model["id"], "count": 16}
    assert job["links"]["model"] == model["links"]["self"]
    assert "results" not in job["links"]
    steps = hospital.client.get(job["links"]["steps"]).json()["items"]
    assert [(s["kind"], s["status"], s["is_reused"]) for s in steps] == [
        ("train", "succeeded", True),
        ("draw", "queued", False),
    ]
    claimed = hospital.claim_next(job["id"])
    (label,) = set(claimed.inputs) - {"dataset"}
    assert {file.name for file in claimed.inputs[label]} >= {model["name"]}
    hospital.finish(claimed)
    found = hospital.client.get(job["links"]["self"]).json()
    assert (found["status"], found["progress"]["fraction"]) == ("succeeded", 1.0)
    # The model comes with the zip, so that this can be verified; it is no second model of a study.
    assert hospital.artifact(job["id"], "model")["sha256"] == model["sha256"]
    assert len(hospital.client.get("/v1/models").json()["items"]) == 1


def test_jobs_can_be_listed_by_their_kind(hospital: Any, study: str, model: Any) -> None:
    made = make(hospital, model).json()["id"]
    for kind, expected in (("images", [made]), ("study", [study])):
        page = hospital.client.get("/v1/jobs", params={"kind": kind}).json()
        assert [item["id"] for item in page["items"]] == expected


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"count": 16}, INTERACTIVE),
        ({"count": 16, "priority": "low"}, -1),
        ({"count": 500}, 0),
        ({"count": 500, "priority": "high"}, 1),
        ({"count": 16, "upscale": {"engine": "realesrgan"}}, 0),
    ],
)
def test_who_waits_at_a_screen_goes_first(
    hospital: Any, model: Any, asked: dict[str, Any], expected: int
) -> None:
    assert priority_of(hospital, make(hospital, model, **asked).json()["id"]) == expected


def test_a_dry_run_starts_nothing(hospital: Any, model: Any) -> None:
    answer = hospital.client.post(
        model["links"]["images"], params={"dry_run": True}, json={"count": 500, "upscale": {}}
    )
    assert answer.status_code == 200
    planned = answer.json()
    assert [step["kind"] for step in planned["steps"]] == [
        "train",
        "generate",
        "upscale",
        "package",
    ]
    assert planned["steps"][0]["is_reused"]
    assert planned["estimate_seconds"] > 0
    assert planned["spec"]["upscale"]["engine"] == "lanczos"
    assert hospital.client.get("/v1/jobs?kind=images").json()["items"] == []


def test_a_repeated_request_makes_no_second_job(hospital: Any, model: Any) -> None:
    path, headers = model["links"]["images"], {"Idempotency-Key": "k"}
    first, second = (
        hospital.client.post(path, json={"count": 2}, headers=headers) for _ in range(2)
    )
    assert first.json()["id"] == second.json()["id"]
    assert second.headers["idempotency-replayed"] == "true"
    other = hospital.client.post(path, json={"count": 3}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


@pytest.mark.parametrize(
    ("asked", "code", "pointer"),
    [
        ({"truncation": 1.5}, "invalid_request", "/truncation"),
        ({"truncation": 0}, "invalid_request", "/truncation"),
        ({"codes": [2.0, 0.0]}, "invalid_request", "/codes/0"),
        ({"seeds": [-1]}, "invalid_request", "/seeds/0"),
        ({"count": 1, "seeds": [1]}, "invalid_request", None),
        ({"codes": [0.0]}, "no_codes", None),
        ({"category": 10}, "no_codes", None),
    ],
)
def test_what_the_model_cannot_draw_is_refused_with_a_reason(
    hospital: Any, model: Any, asked: dict[str, Any], code: str, pointer: str | None
) -> None:
    answer = make(hospital, model, **asked)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert answer.json()["hint"]
    if pointer is not None:
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert hospital.client.get("/v1/jobs?kind=images").json()["items"] == []


def test_a_reader_looks_at_models_and_makes_no_images(hospital: Any, model: Any) -> None:
    made = hospital.client.post("/v1/keys", json={"name": "r", "scopes": ["reader"]}).json()
    headers = {"Authorization": f"Bearer {made['key']}"}
    assert hospital.client.get("/v1/models", headers=headers).status_code == 200
    assert hospital.client.get(model["links"]["self"], headers=headers).status_code == 200
    refused = hospital.client.post(model["links"]["images"], headers=headers, json={})
    assert refused.status_code == 403


def test_an_artifact_that_is_no_model_is_none(hospital: Any, study: str) -> None:
    report = hospital.artifact(study, "report-html")["id"]
    assert hospital.client.get(f"/v1/models/{report}").status_code == 404


def test_images_of_a_model_whose_study_is_deleted_meanwhile_are_made_all_the_same(
    hospital: Any, study: str, model: Any
) -> None:
    job = make(hospital, model, count=4).json()
    assert hospital.client.delete(f"/v1/jobs/{study}").status_code == 204
    carry_out(hospital.database, hospital.objects)
    assert hospital.client.get(model["links"]["self"]).status_code == 404
    claimed = hospital.claim_next(job["id"])
    for file in (file for files in claimed.inputs.values() for file in files):
        assert hospital.objects.head(file.object_key) == file.size
    hospital.finish(claimed)
    # What it was asked for can be asked of the model that it holds.
    again = hospital.client.post(job["links"]["retry"])
    assert again.status_code == 202, again.text
    assert again.json()["retry_of"] == job["id"]
    # The last one that has the files takes them along.
    for job_id in (job["id"], again.json()["id"]):
        assert hospital.client.delete(f"/v1/jobs/{job_id}").status_code == 204
    carry_out(hospital.database, hospital.objects)
    left = [key for key in hospital.objects.list("workspaces/") if "safetensors" in key]
    assert left == []


def test_a_model_of_a_deleted_study_is_gone(hospital: Any, study: str, model: Any) -> None:
    hospital.client.delete(f"/v1/jobs/{study}")
    for answer in (hospital.client.get(model["links"]["self"]), make(hospital, model)):
        assert answer.status_code == 404
    assert hospital.client.get("/v1/models").json()["items"] == []


def test_a_data_set_takes_its_models_and_their_images_with_it(hospital: Any, model: Any) -> None:
    hospital.run(make(hospital, model).json()["id"])
    path = model["links"]["dataset"]
    refused = hospital.client.delete(path)
    assert (refused.status_code, refused.json()["jobs"]) == (409, 2)
    assert hospital.client.delete(path, params={"with_jobs": True}).status_code == 204
    assert hospital.client.get("/v1/models").json()["items"] == []
    assert hospital.client.get("/v1/jobs?kind=images").json()["items"] == []


def test_a_model_that_was_kept_long_enough_says_so(hospital: Any, model: Any) -> None:
    assert expire(hospital.database, retention_days=0.0) > 0
    (listed,) = hospital.client.get("/v1/models").json()["items"]
    assert listed["removed_at"] is not None
    for answer in (hospital.client.get(model["links"]["self"]), make(hospital, model)):
        assert (answer.status_code, answer.json()["code"]) == (410, "model_expired")


def test_a_model_whose_file_was_lost_is_not_trained_again(hospital: Any, model: Any) -> None:
    with hospital.database.read() as session:
        key = session.get_one(Artifact, model["id"]).object_key
    hospital.objects.delete(key)
    answer = make(hospital, model)
    assert (answer.status_code, answer.json()["code"]) == (410, "artifact_gone")
    assert hospital.client.get("/v1/jobs?kind=images").json()["items"] == []


def test_images_do_not_outlive_their_time_and_hold_the_model_until_then(
    hospital: Any, study: str, model: Any
) -> None:
    job_id = make(hospital, model).json()["id"]
    hospital.run(job_id)
    long_ago = "2020-01-01 00:00:00"
    with hospital.database.write() as session:
        from datetime import UTC, datetime

        then = datetime.fromisoformat(long_ago).replace(tzinfo=UTC)
        session.execute(update(Job).where(Job.id == study).values(finished_at=then))
    expire(hospital.database, retention_days=30.0)
    assert make(hospital, model, count=3).status_code == 202
    with hospital.database.write() as session:
        session.execute(update(Job).where(Job.id == job_id).values(finished_at=then))
        session.execute(update(Job).values(status="succeeded", finished_at=then))
    expire(hospital.database, retention_days=30.0)
    assert make(hospital, model).json()["code"] == "model_expired"


def test_the_trail_says_who_made_how_many_images(hospital: Any, model: Any) -> None:
    from store.repositories import AuditTrail
    from store.tables import AuditEvent, Workspace

    job_id = make(hospital, model, count=7).json()["id"]
    with hospital.database.read() as session:
        (event,) = [e for e in session.query(AuditEvent).all() if e.action == "images.submit"]
        assert (event.subject, event.detail["count"]) == (job_id, 7)
        (workspace,) = session.query(Workspace).all()
        assert AuditTrail(session, workspace.id).first_broken() is None
