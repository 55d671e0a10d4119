"""Deleting jobs and data sets, and trying jobs again, as a portal does it."""

from __future__ import annotations

import random
import re
import threading
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select, text
from sqlalchemy.exc import NoResultFound

from api.jobs import watching
from store.access_tables import Tally
from store.orphans import remove_orphans
from store.records import StepError
from store.removals import carry_out, remove_spent_uploads
from store.repositories import AuditTrail
from store.retention import expire
from store.step_tables import Step
from store.tables import AuditEvent, Base, Dataset, Job, Workspace

_BROKEN = StepError("diverged", "The training diverged.", "Lower the learning rate.")


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def clean(hospital: Any) -> None:
    carry_out(hospital.database, hospital.objects)
    remove_spent_uploads(hospital.database, hospital.objects)


def objects(hospital: Any) -> list[str]:
    return sorted(hospital.objects.list("workspaces/"))


def actions(hospital: Any) -> list[str]:
    with hospital.database.read() as session:
        return list(session.scalars(select(AuditEvent.action).order_by(AuditEvent.number)))


# --- jobs -----------------------------------------------------------------------------------------


def test_a_job_that_is_over_is_deleted_with_its_files_and_leaves_a_trace(hospital: Any) -> None:
    job_id = hospital.finished_job()
    report = hospital.artifact(job_id, "report-html")
    of_the_set = [key for key in objects(hospital) if "/uploads/" not in key][:1]
    answer = hospital.client.delete(f"/v1/jobs/{job_id}")
    assert (answer.status_code, answer.content) == (204, b"")
    for path in ("", "/steps", "/artifacts", "/results", "/events"):
        assert hospital.client.get(f"/v1/jobs/{job_id}{path}").status_code == 404
    assert hospital.client.get(report["links"]["self"]).status_code == 404
    assert hospital.client.get(report["links"]["content"]).status_code == 404
    clean(hospital)
    assert objects(hospital) == of_the_set
    assert code(hospital.client.delete(f"/v1/jobs/{job_id}")) == (404, "not_found")
    assert actions(hospital)[-1] == "job.delete"


def test_a_job_that_is_not_over_is_to_be_cancelled_first(hospital: Any) -> None:
    job_id = hospital.submit(hospital.ready_dataset())["id"]
    claimed = hospital.claim_next(job_id)
    refused = hospital.client.delete(f"/v1/jobs/{job_id}")
    assert code(refused) == (409, "job_unfinished")
    assert "ancel" in refused.json()["hint"]
    hospital.client.post(f"/v1/jobs/{job_id}/cancel")
    assert code(hospital.client.delete(f"/v1/jobs/{job_id}")) == (409, "job_unfinished")
    hospital.fail(claimed, _BROKEN)
    assert hospital.client.get(f"/v1/jobs/{job_id}").json()["status"] == "cancelled"
    assert hospital.client.delete(f"/v1/jobs/{job_id}").status_code == 204


def test_a_watcher_of_a_job_that_is_deleted_meanwhile_comes_to_an_end(
    hospital: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = hospital.finished_job()
    look = watching._look

    def delete_then_look(*args: Any) -> Any:
        hospital.client.delete(f"/v1/jobs/{job_id}")
        return look(*args)

    monkeypatch.setattr(watching, "_look", delete_then_look)
    answer = hospital.client.get(f"/v1/jobs/{job_id}/events")
    assert (answer.status_code, answer.text) == (200, "")


def test_the_job_that_read_a_data_set_is_deleted_with_that(hospital: Any) -> None:
    dataset = hospital.upload()
    refused = hospital.client.delete(dataset["links"]["ingest"])
    assert code(refused) == (409, "job_of_dataset")
    assert dataset["id"] in refused.json()["hint"]


def test_a_request_that_is_repeated_after_its_job_was_deleted_makes_a_new_one(
    hospital: Any,
) -> None:
    body = {"dataset_id": hospital.ready_dataset(), "real_counts": [10]}
    headers = {"Idempotency-Key": "k"}
    first = hospital.client.post("/v1/jobs", json=body, headers=headers).json()["id"]
    hospital.run(first)
    assert hospital.client.delete(f"/v1/jobs/{first}").status_code == 204
    second = hospital.client.post("/v1/jobs", json=body, headers=headers)
    assert second.status_code == 202
    assert second.json()["id"] != first


def test_a_reader_can_neither_delete_nor_retry(hospital: Any) -> None:
    job_id = hospital.finished_job()
    dataset_id = hospital.client.get(f"/v1/jobs/{job_id}").json()["dataset_id"]
    made = hospital.client.post("/v1/keys", json={"name": "reader", "scopes": ["reader"]}).json()
    headers = {"Authorization": f"Bearer {made['key']}"}
    for method, path in (
        ("DELETE", f"/v1/jobs/{job_id}"),
        ("DELETE", f"/v1/datasets/{dataset_id}"),
        ("POST", f"/v1/jobs/{job_id}/retry"),
    ):
        refused = hospital.client.request(method, path, headers=headers)
        assert code(refused) == (403, "scope_missing")


# --- data sets ------------------------------------------------------------------------------------


def test_a_data_set_is_deleted_with_its_images_its_upload_and_its_ingest(hospital: Any) -> None:
    ready, unread = hospital.ready_dataset("ready"), hospital.upload("unread")
    rejected = hospital.upload("rejected")
    hospital.client.post(f"{rejected['links']['ingest']}/cancel")
    assert code(hospital.client.delete(f"/v1/datasets/{unread['id']}")) == (409, "job_unfinished")
    hospital.client.post(f"{unread['links']['ingest']}/cancel")
    for dataset_id in (ready, unread["id"], rejected["id"]):
        assert hospital.client.delete(f"/v1/datasets/{dataset_id}").status_code == 204
        assert code(hospital.client.delete(f"/v1/datasets/{dataset_id}")) == (404, "not_found")
    assert hospital.client.get("/v1/datasets").json()["items"] == []
    assert hospital.client.get("/v1/jobs").json()["items"] == []
    clean(hospital)
    assert objects(hospital) == []
    assert actions(hospital).count("dataset.delete") == 3


def test_a_data_set_that_jobs_use_goes_only_with_them(hospital: Any) -> None:
    dataset_id = hospital.ready_dataset()
    jobs = [hospital.submit(dataset_id, name=name)["id"] for name in ("one", "two")]
    path = f"/v1/datasets/{dataset_id}"
    refused = hospital.client.delete(path)
    assert code(refused) == (409, "dataset_in_use")
    assert refused.json()["jobs"] == 2
    assert "2 jobs" in refused.json()["detail"]
    assert code(hospital.client.delete(f"{path}?with_jobs=true")) == (409, "job_unfinished")
    hospital.run(jobs[0])
    hospital.client.post(f"/v1/jobs/{jobs[1]}/cancel")
    assert hospital.client.get(f"/v1/jobs/{jobs[0]}").json()["status"] == "succeeded"
    assert hospital.client.delete(f"{path}?with_jobs=true").status_code == 204
    assert hospital.client.get("/v1/jobs").json()["items"] == []
    clean(hospital)
    assert objects(hospital) == []
    assert actions(hospital)[-3:] == ["job.delete", "job.delete", "dataset.delete"]


def test_the_same_upload_as_another_data_set_keeps_its_images(hospital: Any) -> None:
    first = hospital.ready_dataset("same")
    second = hospital.upload("same")
    assert second["status"] == "ready"
    assert hospital.client.delete(f"/v1/datasets/{first}").status_code == 204
    clean(hospital)
    assert len(objects(hospital)) == 1
    job = hospital.submit(second["id"])
    hospital.run(job["id"])
    assert hospital.client.get(f"/v1/jobs/{job['id']}").json()["status"] == "succeeded"
    third = hospital.upload("same")
    assert third["status"] == "ready"
    for dataset_id in (second["id"], third["id"]):
        answer = hospital.client.delete(f"/v1/datasets/{dataset_id}?with_jobs=true")
        assert answer.status_code == 204
    clean(hospital)
    assert objects(hospital) == []


def test_a_submission_that_races_with_the_delete_of_its_data_set_is_whole_or_nothing(
    hospital: Any, app: Any, admin_key: str
) -> None:
    headers = {"Authorization": f"Bearer {admin_key}"}
    for turn in range(3):
        dataset_id = hospital.ready_dataset(f"turn {turn}")
        gate = threading.Barrier(4)
        submitted: list[Any] = []
        deleted: list[Any] = []

        def submit(dataset_id: str = dataset_id, gate: Any = gate, got: Any = submitted) -> None:
            client = TestClient(app, raise_server_exceptions=False, headers=headers)
            gate.wait()
            body = {"dataset_id": dataset_id, "real_counts": [10]}
            got.append(client.post("/v1/jobs", json=body))

        def delete(dataset_id: str = dataset_id, gate: Any = gate, got: Any = deleted) -> None:
            client = TestClient(app, raise_server_exceptions=False, headers=headers)
            gate.wait()
            got.append(client.delete(f"/v1/datasets/{dataset_id}"))

        threads = [threading.Thread(target=work) for work in (submit, delete, submit, delete)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        statuses = sorted(answer.status_code for answer in submitted)
        is_gone = hospital.client.get(f"/v1/datasets/{dataset_id}").status_code == 404
        if is_gone:
            assert statuses == [404, 404]
            assert sorted(answer.status_code for answer in deleted) == [204, 404]
        else:
            # A job that was there before either delete made both of them a conflict.
            assert 202 in statuses
            assert {answer.status_code for answer in deleted} == {409}
        with hospital.database.read() as session:
            jobs = session.scalars(select(Job).where(Job.dataset_id == dataset_id)).all()
            assert len(jobs) == (0 if is_gone else 1 + statuses.count(202))


# --- another try ----------------------------------------------------------------------------------


def fail_the_rest(hospital: Any, job_id: str) -> None:
    """Fail every step that can still be begun: others go on when one fails."""
    while (claimed := hospital.claim_next(job_id)) is not None:
        hospital.fail(claimed, _BROKEN)


def test_a_failed_job_is_tried_again_and_what_was_finished_is_reused(hospital: Any) -> None:
    job = hospital.submit(hospital.ready_dataset(), name="mine")
    done = hospital.claim_next(job["id"])
    hospital.finish(done)
    fail_the_rest(hospital, job["id"])
    path = f"/v1/jobs/{job['id']}"
    before = hospital.client.get(path).json()
    assert before["status"] == "failed"
    answer = hospital.client.post(f"{path}/retry")
    again = answer.json()
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/v1/jobs/{again['id']}"
    assert int(answer.headers["retry-after"]) >= 1
    assert again["id"] != job["id"]
    assert (again["name"], again["requested"]) == ("mine", before["requested"])
    steps = hospital.client.get(f"/v1/jobs/{again['id']}/steps").json()["items"]
    assert [step["name"] for step in steps if step["is_reused"]] == [done.name]
    with hospital.database.read() as session:
        assert session.get_one(Job, again["id"]).retry_of == job["id"]
    hospital.run(again["id"])
    assert hospital.client.get(f"/v1/jobs/{again['id']}").json()["status"] == "succeeded"
    assert hospital.client.get(path).json() == before
    assert "job.retry" in actions(hospital)


def test_a_retry_with_an_idempotency_key_is_carried_out_once(hospital: Any) -> None:
    job_id = hospital.submit(hospital.ready_dataset())["id"]
    hospital.client.post(f"/v1/jobs/{job_id}/cancel")
    headers = {"Idempotency-Key": "again"}
    path = f"/v1/jobs/{job_id}/retry"
    first = hospital.client.post(path, headers=headers)
    second = hospital.client.post(path, headers=headers)
    assert first.json()["id"] == second.json()["id"]
    assert second.headers["idempotency-replayed"] == "true"
    other = hospital.client.post(f"/v1/jobs/{first.json()['id']}/retry", headers=headers)
    assert code(other) == (422, "idempotency_key_reused")


def test_what_cannot_be_tried_again_says_why(hospital: Any, database: Any) -> None:
    dataset = hospital.upload()
    hospital.run(dataset["links"]["ingest"].rsplit("/", 1)[-1])
    refused = hospital.client.post(f"{dataset['links']['ingest']}/retry")
    assert code(refused) == (409, "job_not_retryable")
    job_id = hospital.submit(dataset["id"])["id"]
    assert code(hospital.client.post(f"/v1/jobs/{job_id}/retry")) == (409, "job_unfinished")
    hospital.client.post(f"/v1/jobs/{job_id}/cancel")
    with database.write() as session:
        session.get_one(Job, job_id).spec = {"dataset_id": dataset["id"], "of_another_age": 1}
    refused = hospital.client.post(f"/v1/jobs/{job_id}/retry")
    assert code(refused) == (409, "job_not_retryable")
    assert code(hospital.client.post("/v1/jobs/job_none/retry")) == (404, "not_found")


# --- what is not kept any more --------------------------------------------------------------------


def test_an_expired_artifact_says_when_and_its_content_is_gone(
    hospital: Any, database: Any
) -> None:
    job_id = hospital.finished_job()
    report = hospital.artifact(job_id, "report-html")
    assert report["removed_at"] is None
    with database.write() as session:
        session.execute(text("UPDATE jobs SET finished_at = '2020-01-01 00:00:00.000000'"))
    assert expire(database, retention_days=30) > 0
    clean(hospital)
    shown = hospital.client.get(report["links"]["self"]).json()
    assert shown["removed_at"] is not None
    content = report["links"]["content"]
    headers = {"If-None-Match": f'"{report["sha256"]}"'}
    for answer in (hospital.client.get(content), hospital.client.get(content, headers=headers)):
        assert code(answer) == (410, "artifact_expired")
        assert "etry" in answer.json()["hint"]
    assert hospital.client.head(content).status_code == 410
    results = hospital.client.get(f"/v1/jobs/{job_id}/results")
    assert code(results) == (410, "artifact_expired")
    # The data set is there, so all of it can be made again.
    again = hospital.client.post(f"/v1/jobs/{job_id}/retry").json()["id"]
    steps = hospital.client.get(f"/v1/jobs/{again}/steps").json()["items"]
    assert not any(step["is_reused"] for step in steps)
    hospital.run(again)
    assert hospital.client.get(f"/v1/jobs/{again}/results").status_code == 200
    assert code(hospital.client.get(content)) == (410, "artifact_expired")


# --- everything -----------------------------------------------------------------------------------


def _live_through_much(hospital: Any, chance: random.Random) -> None:
    """Leave data sets and jobs in every state that is final."""
    hospital.upload("never read")
    datasets = [hospital.ready_dataset(note) for note in ("one", "two")]
    datasets.append(hospital.upload("one")["id"])
    for number in range(6):
        headers = {"Idempotency-Key": f"key {number}"}
        body = {
            "dataset_id": chance.choice(datasets),
            "real_counts": [chance.choice([10, 12])],
            "name": str(number),
        }
        job_id = hospital.client.post("/v1/jobs", json=body, headers=headers).json()["id"]
        end = chance.choice(["run", "fail", "cancel", "lose"])
        if end == "run":
            hospital.run(job_id)
        claimed = hospital.claim_next(job_id)
        if claimed is not None and end in {"fail", "lose"}:
            hospital.put(claimed, "half.bin", "internal", b"half")
            hospital.fail(claimed, _BROKEN)
            fail_the_rest(hospital, job_id)
        else:
            hospital.client.post(f"/v1/jobs/{job_id}/cancel")
            if claimed is not None:
                hospital.fail(claimed, _BROKEN)
        if chance.random() < 0.5:
            again = hospital.client.post(f"/v1/jobs/{job_id}/retry").json()["id"]
            hospital.run(again)
    for job in hospital.client.get("/v1/jobs", params={"limit": 200}).json()["items"]:
        hospital.client.post(f"/v1/jobs/{job['id']}/cancel")


@pytest.mark.parametrize("seed", range(4))
def test_after_everything_was_deleted_only_the_workspace_its_keys_its_usage_and_the_trail_are_left(
    hospital: Any, seed: int
) -> None:
    chance = random.Random(seed)
    _live_through_much(hospital, chance)
    listed = {"limit": 200}
    jobs = hospital.client.get("/v1/jobs", params=listed | {"kind": "study"}).json()["items"]
    datasets = hospital.client.get("/v1/datasets", params=listed).json()["items"]
    paths = [f"/v1/jobs/{job['id']}" for job in chance.sample(jobs, len(jobs) // 2)]
    paths += [f"/v1/datasets/{dataset['id']}?with_jobs=true" for dataset in datasets]
    chance.shuffle(paths)
    for path in paths:
        answer = hospital.client.delete(path)
        # A job may have gone with its data set.
        assert answer.status_code == 204 or (answer.status_code == 404 and "/jobs/" in path)
        if chance.random() < 0.3:
            clean(hospital)
    clean(hospital)
    assert objects(hospital) == []
    assert remove_orphans(hospital.database, hospital.objects, older_than_seconds=0) == 0
    with hospital.database.read() as session:
        left = {
            table.name
            for table in Base.metadata.sorted_tables
            if session.scalar(select(func.count()).select_from(table))
        }
        # Tallies count steps by their kind, and tell nothing of a tenant.
        assert left == {"workspaces", "api_keys", "usage", "audit_events", "tallies"}
        assert all(not re.search(r"\d", label) for label in session.scalars(select(Tally.label)))
        (workspace_id,) = session.scalars(select(Workspace.id))
        assert AuditTrail(session, workspace_id).first_broken() is None
        assert session.scalars(select(Dataset.id)).all() == []


class _Portal:
    """Does one thing after another, at random, and expects nothing worse than a conflict."""

    def __init__(self, hospital: Any, app: Any, key: str, seed: int) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        self.client = TestClient(app, raise_server_exceptions=False, headers=headers)
        self.hospital = type(hospital)(self.client, hospital.database, hospital.objects)
        self.chance = random.Random(seed)
        self.seen: list[int] = []

    def ask(self, method: str, path: str, **more: Any) -> Any:
        answer = self.client.request(method, path, **more)
        self.seen.append(answer.status_code)
        assert answer.status_code < 500, (method, path, answer.text)
        return answer

    def one_of(self, kind: str) -> str:
        items = self.ask("GET", f"/v1/{kind}").json()["items"]
        return self.chance.choice(items)["id"] if items else "none"

    def act(self) -> None:
        match self.chance.choice(["upload", "submit", "work", "work", "end", "retry", "delete"]):
            case "upload":
                self.hospital.upload(self.chance.choice("ab"))
            case "submit":
                body = {"dataset_id": self.one_of("datasets"), "real_counts": [10]}
                self.ask("POST", "/v1/jobs", json=body)
            case "work":
                self.work(self.one_of("jobs"))
            case "end":
                self.ask("POST", f"/v1/jobs/{self.one_of('jobs')}/cancel")
                expire(self.hospital.database, retention_days=1 / 86400)
                clean(self.hospital)
            case "retry":
                self.ask("POST", f"/v1/jobs/{self.one_of('jobs')}/retry")
            case "delete":
                self.ask("DELETE", f"/v1/jobs/{self.one_of('jobs')}")
                if self.chance.random() < 0.5:
                    path = f"/v1/datasets/{self.one_of('datasets')}"
                    self.ask("DELETE", path, params={"with_jobs": True})

    def work(self, job_id: str) -> None:
        for _ in range(12):
            try:
                claimed = self.hospital.claim_next(job_id)
            except NoResultFound:  # deleted meanwhile
                return
            if claimed is None:
                return
            self.hospital.finish(claimed)


def test_whatever_happens_at_once_no_step_is_left_without_its_files(
    hospital: Any, app: Any, admin_key: str
) -> None:
    portals = [_Portal(hospital, app, admin_key, seed) for seed in range(4)]
    raised: list[BaseException] = []

    def live(portal: _Portal) -> None:
        try:
            for _ in range(25):
                portal.act()
        except BaseException as error:  # noqa: BLE001 - told below
            raised.append(error)

    threads = [threading.Thread(target=live, args=(portal,)) for portal in portals]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert raised == []
    assert {202, 204} <= {status for portal in portals for status in portal.seen}
    clean(hospital)
    there = set(objects(hospital))
    with hospital.database.read() as session:
        kept = session.scalars(
            select(Step).where(Step.status == "succeeded", Step.output_prefix.is_not(None))
        )
        named = {output["object_key"] for step in kept for output in step.outputs}
    assert named <= there
