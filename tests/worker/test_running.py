"""A step from claim to record, with a real database, a real object store and real children."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from gan_core.spec import Plan, PlannedStep, StepInput
from gan_core.spec.plan import plan_ingest
from store.outbox import relay_outbox
from store.steps import StepLedger
from store.tables import Dataset
from tests.support.scripted_house import (
    DIES_ONCE,
    GOOD,
    House,
    scripted_house,
)
from worker.recording import Recorder
from worker.starting import child_command, child_environment


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with scripted_house(tmp_path) as house:
        yield house


def test_a_step_is_carried_out_and_its_outputs_are_published(house: House) -> None:
    job_id = house.submit_one()
    assert house.run(job_id, GOOD) == "done"
    step = house.step(job_id)
    assert step.status == "succeeded"
    assert house.job(job_id).status == "succeeded"
    told = json.loads(house.output(job_id))
    assert told["params"] == {"depth": 3}
    assert told["inputs"] == {"dataset": "inputs/dataset"}
    assert told["context"]["dataset"]["image_size"] == 64
    assert told["context"]["job_id"] == job_id
    assert told["settings"]["device"] == "auto"
    assert house.work_left() == []
    assert house.shared.step_id is None


def test_a_message_for_a_step_that_is_over_does_nothing(house: House) -> None:
    job_id = house.submit_one()
    house.run(job_id, GOOD)
    assert house.run(job_id, "raise SystemExit(9)") == "not_claimed"
    assert house.job(job_id).status == "succeeded"


def test_a_step_that_fails_for_a_reason_is_not_tried_again(house: House) -> None:
    job_id = house.submit_one()
    code = "say(event='failed', code='diverged', detail='It diverged.', hint=''); sys.exit(3)"
    assert house.run(job_id, code) == "failed"
    job = house.job(job_id)
    assert job.status == "failed"
    assert job.error is not None
    assert job.error["code"] == "diverged"
    assert house.work_left() == []


def test_a_killed_child_is_tried_again_and_finds_its_checkpoint(house: House) -> None:
    job_id = house.submit_one()
    assert house.run(job_id, DIES_ONCE) == "retried"
    assert house.step(job_id).status == "queued"
    assert house.bell.rung[-1] == house.step(job_id).id
    assert house.run(job_id, DIES_ONCE) == "done"
    assert house.output(job_id) == "the second time"


def test_a_child_that_keeps_crashing_ends_the_job_with_a_reason_but_no_traceback(
    house: House,
) -> None:
    job_id = house.submit_one()
    words = [house.run(job_id, "raise RuntimeError('/secret/path')") for _ in range(2)]
    assert words == ["retried", "failed"]
    error = house.job(job_id).error
    assert error is not None
    assert error["code"] == "crashed"
    assert "/secret" not in json.dumps(error)


def test_an_outcome_that_the_database_refuses_is_a_crash_and_not_an_endless_loop(
    house: House,
) -> None:
    job_id = house.submit_one()
    twice = """
one = {"name": "a", "kind": "report-html", "media_type": "text/html", "size": 1, "sha256": "0"}
(here / "outputs" / "a").write_text("x")
say(event="done", outputs=[one, one])
"""
    assert [house.run(job_id, twice) for _ in range(2)] == ["retried", "failed"]
    error = house.job(job_id).error
    assert error is not None
    assert error["code"] == "crashed"


def test_what_a_failed_attempt_uploaded_is_deleted_and_the_next_one_is_kept(house: House) -> None:
    job_id = house.submit_one()
    missing = """
(here / "outputs" / "a").write_text("x")
said = {"kind": "report-html", "media_type": "text/html", "size": 1, "sha256": "0"}
say(event="done", outputs=[said | {"name": "a"}, said | {"name": "is-not-there"}])
"""
    assert house.run(job_id, missing) == "retried"
    assert house.objects.list("workspaces/") == {}
    assert house.run(job_id, GOOD) == "done"
    (only,) = house.step(job_id).outputs
    assert list(house.objects.list("workspaces/")) == [only["object_key"]]


def test_what_a_killed_worker_had_uploaded_goes_when_the_step_is_done(house: House) -> None:
    job_id = house.submit_one()
    step_id = house.step(job_id).id
    with house.database.write() as session:
        killed = StepLedger(session).claim(
            step_id, worker_id="killed", lease_seconds=60, max_attempts=3
        )
    assert killed is not None
    path = house.objects.local_path(f"{killed.output_prefix}report.html")
    assert path is not None
    path.parent.mkdir(parents=True)
    path.write_text("half of what there was to upload")
    with house.database.write() as session:
        StepLedger(session).expire(step_id, max_attempts=3, dead_token=killed.token)
    assert house.run(job_id, GOOD) == "done"
    (only,) = house.step(job_id).outputs
    assert list(house.objects.list("workspaces/")) == [only["object_key"]]


def test_what_was_recorded_is_kept_although_the_database_did_not_say_so(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = house.submit_one()
    record = Recorder.record_once

    def answer_lost(recorder: Recorder, *args: Any) -> str:
        monkeypatch.setattr(Recorder, "record_once", record)
        record(recorder, *args)
        raise OperationalError("COMMIT", {}, Exception("the connection broke"))

    monkeypatch.setattr(Recorder, "record_once", answer_lost)
    assert house.run(job_id, GOOD) == "lost"
    assert house.step(job_id).status == "succeeded"
    assert json.loads(house.output(job_id))["params"] == {"depth": 3}


def test_a_missing_input_is_told_in_words(house: House) -> None:
    job_id = house.submit_one()
    path = house.objects.local_path("k/train.npy")
    assert path is not None
    path.unlink()
    assert [house.run(job_id, GOOD) for _ in range(2)] == ["retried", "failed"]
    error = house.job(job_id).error
    assert error is not None
    assert error["code"] == "input_missing"


def test_an_ingest_fills_the_data_set_from_its_index(house: House) -> None:
    with house.database.write() as session:
        dataset = session.get_one(Dataset, house.dataset_id)
        dataset.status, dataset.facts, dataset.files = "ingesting", None, []
    job_id = house.submit(plan_ingest("0" * 64, 6, 64), kind="ingest")
    index = {
        "digest": "e" * 64,
        "image_size": 64,
        "counts": {"a": {"train": 3, "test": 1}, "b": {"train": 2, "test": 1}},
        "problems": [{"code": "unreadable", "detail": "No image.", "entry": 4}],
    }
    code = f"finish(**{{'index.json': json.dumps({index!r})}})"

    class Waiting:
        """A child with everything loaded, which is not the place for what a stranger sent."""

        def take(self, _folder: Path) -> None:
            raise AssertionError("the waiting child was given an upload to read")

        def prepare(self) -> None:
            return

    assert house.run(job_id, code, ready=Waiting()) == "done"
    with house.database.read() as session:
        dataset = session.get_one(Dataset, house.dataset_id)
        assert dataset.status == "ready"
        assert dataset.facts is not None
        assert dataset.facts["classes"] == index["counts"]
        assert dataset.problems[0]["entry"] == 4
    assert relay_outbox(house.database, house.bell) == 0


def test_a_child_gets_no_secret_and_a_temporary_folder_of_its_own(tmp_path: Path) -> None:
    secret = (
        "GRAFT_SECRET_KEY",
        "AWS_SECRET_ACCESS_KEY",
        "PGPASSWORD",
        "OTEL_EXPORTER_OTLP_HEADERS",
    )
    ours = {"PATH": "/bin", "HOME": "/h"} | dict.fromkeys(secret, "s")
    env = child_environment(ours, tmp_path)
    assert "s" not in env.values()
    assert env["TMPDIR"] == str(tmp_path / "tmp")
    assert child_command(tmp_path)[-1] == f"--die-with-parent={os.getpid()}"


def test_the_step_whose_turn_it_is_is_carried_out_whichever_was_rung_for(house: House) -> None:
    first, second = house.submit_one("1"), house.submit_one("2")
    assert house.run(second, GOOD) == "done"
    assert (house.step(first).status, house.step(second).status) == ("succeeded", "queued")
    assert house.run(second, GOOD) == "done"


def test_evidence_of_a_failure_is_recorded_with_the_step(house: House) -> None:
    job_id = house.submit_one()
    history = [{"epoch": 1, "generator": 2.5}, {"epoch": 2, "generator": 900.0}]
    code = f"""
say(event="failed", code="diverged", detail="It diverged.", hint="Train less.",
    evidence={{"history": {history!r}}})
sys.exit(3)
"""
    assert house.run(job_id, code) == "failed"
    assert house.step(job_id).error == {
        "code": "diverged",
        "detail": "It diverged.",
        "hint": "Train less.",
        "evidence": {"history": history},
    }
    job = house.job(job_id)
    assert job.failures is not None
    assert [sorted(failure) for failure in job.failures] == [["code", "detail", "hint", "step"]]


def test_evidence_that_is_not_a_number_does_not_hide_why_the_step_failed(house: House) -> None:
    # What else would the last loss of a training be that diverged?
    soft = StepInput(source="step", step="train", soft_group=0)
    steps = [
        PlannedStep(
            name=name,
            kind=kind,
            queue="cpu",
            params={},
            inputs={"dataset": StepInput(source="dataset"), **more},
            key=kind.ljust(64, "0"),
            estimate_seconds=1.0,
        )
        for name, kind, more in (("train", "train", {}), ("report", "report", {"train": soft}))
    ]
    job_id = house.submit(Plan(steps=steps))
    code = """
say(event="failed", code="diverged", detail="It diverged.", hint="",
    evidence={"history": [{"epoch": 1, "generator": float("nan")}]})
sys.exit(3)
"""
    assert house.run(job_id, code) == "failed"
    error = house.step(job_id).error
    assert error is not None
    assert error["code"] == "diverged"
    json.dumps(error, allow_nan=False)  # PostgreSQL takes nothing else


def test_without_room_nothing_is_begun_and_with_room_it_is(house: House) -> None:
    job_id = house.submit_one()
    house.settings.min_free_bytes = 2**62
    assert house.run(job_id, GOOD) == "not_claimed"
    step = house.step(job_id)
    assert (step.status, step.strikes) == ("queued", 0)
    house.settings.min_free_bytes = 0
    assert house.run(job_id, GOOD) == "done"
