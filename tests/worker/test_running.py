"""A step from claim to record, with a real database, a real object store and real children."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

import migrations
from gan_core.spec import DatasetFacts, Plan, PlannedStep, StepInput
from gan_core.spec.plan import plan_ingest
from store.columns import new_id
from store.database import Database
from store.objects import Objects
from store.outbox import relay_outbox
from store.repositories import JobRepository
from store.settings import Settings
from store.step_tables import Step
from store.steps import StepLedger
from store.tables import Dataset, Job, Workspace
from worker import running
from worker.recording import Recorder
from worker.running import StepRunner
from worker.shared import SharedState
from worker.starting import child_command, child_environment

FACTS = DatasetFacts(
    digest="d" * 64,
    image_size=64,
    classes={"benign": {"train": 20, "test": 5}, "malignant": {"train": 10, "test": 5}},
)

_PRELUDE = """
import hashlib, json, pathlib, signal, sys, time
here = pathlib.Path(sys.argv[1])
step = json.loads((here / "step.json").read_text())
checkpoint = here / "checkpoints" / "c"
(here / "outputs").mkdir(exist_ok=True); checkpoint.parent.mkdir(exist_ok=True)
def say(**event): print(json.dumps(event), flush=True)
def finish(**files):
    said = []
    for name, text in files.items():
        data = text.encode(); (here / "outputs" / name).write_bytes(data)
        said.append({"name": name, "kind": "report-html", "media_type": "text/html",
                     "size": len(data), "sha256": hashlib.sha256(data).hexdigest()})
    say(event="done", outputs=said)
"""
GOOD = "say(event='progress', fraction=.5, detail='half')\nfinish(report=json.dumps(step))"
CHECKPOINTS = """
if checkpoint.exists():
    finish(report="went on from " + checkpoint.read_text())
else:
    def stop(*_):
        checkpoint.write_text("epoch 7"); sys.exit(4)
    signal.signal(signal.SIGTERM, stop)
    say(event="progress", fraction=.1, detail="begun")
    while True: time.sleep(.05)
"""
DIES_ONCE = """
import os
if checkpoint.exists():
    finish(report="the second time")
else:
    checkpoint.write_text("x"); os.kill(os.getpid(), signal.SIGKILL)
"""


HANGS = "say(event='progress', fraction=.1, detail='begun')\ntime.sleep(600)"
CRAWLS = """
for _ in range(14):
    say(event="progress", fraction=.1, detail="the same")
    time.sleep(.5)
finish(report="after all")
"""
DEAF = """
signal.signal(signal.SIGTERM, signal.SIG_IGN)
say(event="progress", fraction=.1, detail="begun")
while True: time.sleep(.05)
"""


@dataclass
class Bell:
    rung: list[str] = field(default_factory=list)

    def ring(self, queue: str, step_id: str) -> None:  # noqa: ARG002
        self.rung.append(step_id)


class House:
    """A workspace, a data set, and a worker whose children are small scripts."""

    def __init__(self, settings: Settings, tmp_path: Path) -> None:
        self.settings = settings
        self.database = Database.from_settings(settings)
        self.objects = Objects.from_settings(settings)
        self.bell = Bell()
        self.shared = SharedState()
        self.tmp_path = tmp_path
        source = tmp_path / "train.npy"
        source.write_bytes(b"pixels")
        self.objects.put_file("k/train.npy", source)
        with self.database.write() as session:
            workspace = Workspace(id=new_id("ws"), name="ours")
            session.add(workspace)
            session.flush()
            self.workspace_id = workspace.id
            files = [{"name": "train.npy", "object_key": "k/train.npy", "size": 6, "sha256": "1"}]
            dataset = Dataset(
                id=new_id("ds"),
                workspace_id=workspace.id,
                name="lesions",
                status="ready",
                upload_key="k/train.npy",
                upload_sha256="0" * 64,
                upload_bytes=6,
                image_size=64,
                facts=FACTS.model_dump(mode="json"),
                files=files,
            )
            session.add(dataset)
            self.dataset_id = dataset.id

    def submit(self, plan: Plan, kind: str = "study") -> str:
        with self.database.write() as session:
            job = Job(id=new_id("job"), kind=kind, dataset_id=self.dataset_id, spec={}, resolved={})
            JobRepository(session, self.workspace_id).add(job, plan, self.objects)
            return job.id

    def submit_one(self, key: str = "1") -> str:
        step = PlannedStep(
            name="report",
            kind="report",
            queue="cpu",
            params={"depth": 3},
            inputs={"dataset": StepInput(source="dataset")},
            key=key * 64,
            estimate_seconds=1.0,
        )
        return self.submit(Plan(steps=[step]))

    def step(self, job_id: str) -> Step:
        with self.database.read() as session:
            return JobRepository(session, self.workspace_id).steps(job_id)[0]

    def job(self, job_id: str) -> Job:
        with self.database.read() as session:
            return session.get_one(Job, job_id)

    def run(self, job_id: str, code: str, **changes: Any) -> str:
        script = self.tmp_path / "child.py"
        script.write_text(_PRELUDE + code)
        runner = StepRunner(
            self.settings,
            self.database,
            self.objects,
            self.bell,
            self.shared,
            command=lambda folder: [sys.executable, str(script), str(folder)],
            **changes,
        )
        return runner.run(self.step(job_id).id)

    def output(self, job_id: str) -> str:
        (only,) = self.step(job_id).outputs
        path = self.objects.local_path(only["object_key"])
        assert path is not None
        return path.read_text()

    def work_left(self) -> list[str]:
        folder = self.settings.data_dir / "work"
        return [path.name for path in folder.iterdir()] if folder.exists() else []


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    settings = Settings(
        data_dir=tmp_path / "data", lease_seconds=4, heartbeat_seconds=0.5, max_attempts=2
    )
    migrations.upgrade(settings.resolved_database_url())
    house = House(settings, tmp_path)
    yield house
    house.database.dispose()


def later(condition: Callable[[], bool], action: Callable[[], None]) -> threading.Thread:
    """Do something from another thread once something is so."""

    def wait() -> None:
        until = time.monotonic() + 20
        while not condition() and time.monotonic() < until:
            time.sleep(0.05)
        action()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


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

    def answer_lost(runner: StepRunner, *args: Any) -> str:
        monkeypatch.setattr(Recorder, "record_once", record)
        record(runner, *args)
        raise OperationalError("COMMIT", {}, Exception("the connection broke"))

    monkeypatch.setattr(Recorder, "record_once", answer_lost)
    assert house.run(job_id, GOOD) == "lost"
    assert house.step(job_id).status == "succeeded"
    assert json.loads(house.output(job_id))["params"] == {"depth": 3}


def test_a_worker_that_is_told_to_stop_hands_its_step_back_and_another_goes_on(
    house: House,
) -> None:
    job_id = house.submit_one()
    begun = later(lambda: house.step(job_id).fraction > 0, house.shared.ask_to_stop)
    assert house.run(job_id, CHECKPOINTS) == "released"
    begun.join()
    step = house.step(job_id)
    assert (step.status, step.strikes) == ("queued", 0)
    house.shared = SharedState()  # another worker
    assert house.run(job_id, CHECKPOINTS) == "done"
    assert house.output(job_id) == "went on from epoch 7"


def test_a_cancelled_job_ends_its_child_within_seconds(house: House) -> None:
    job_id = house.submit_one()

    def cancel() -> None:
        with house.database.write() as session:
            JobRepository(session, house.workspace_id).cancel(job_id)

    begun = later(lambda: house.step(job_id).fraction > 0, cancel)
    started = time.monotonic()
    assert house.run(job_id, CHECKPOINTS) == "cancelled"
    begun.join()
    assert time.monotonic() - started < 10
    assert house.job(job_id).status == "cancelled"
    assert house.work_left() == []


def test_a_worker_that_lost_its_lease_changes_nothing(house: House) -> None:
    job_id = house.submit_one()

    def give_to_another() -> None:
        with house.database.write() as session:
            step = session.get_one(Step, house.step(job_id).id)
            step.lease_token = "another's"

    begun = later(lambda: house.step(job_id).fraction > 0, give_to_another)
    assert house.run(job_id, CHECKPOINTS) == "lost"
    begun.join()
    step = house.step(job_id)
    assert (step.status, step.lease_token, step.outputs) == ("running", "another's", [])


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


def test_a_child_that_shows_no_progress_is_ended_and_tried_again(house: House) -> None:
    house.settings.silence_seconds = 2.5
    job_id = house.submit_one()
    started = time.monotonic()
    assert house.run(job_id, HANGS) == "retried"
    assert time.monotonic() - started < 15
    # The first got somewhere before it hung; of those that do not, so many are tried.
    assert [house.run(job_id, HANGS) for _ in range(2)] == ["retried", "failed"]
    error = house.job(job_id).error
    assert error is not None
    assert error["code"] == "silent"
    assert "GRAFT_SILENCE_SECONDS" in error["hint"]


def test_a_child_that_goes_on_slowly_is_not_ended_however_long_it_takes(house: House) -> None:
    house.settings.silence_seconds = 3.0
    job_id = house.submit_one()
    started = time.monotonic()
    assert house.run(job_id, CRAWLS) == "done"
    assert time.monotonic() - started > 2 * house.settings.silence_seconds


def test_the_time_that_inputs_take_to_arrive_is_not_the_childs_silence(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.settings.silence_seconds = 2.0
    fill = running.fill_step_dir

    def slowly(*args: Any, **how: Any) -> None:
        time.sleep(2.5)
        fill(*args, **how)

    monkeypatch.setattr(running, "fill_step_dir", slowly)
    job_id = house.submit_one()
    assert house.run(job_id, "time.sleep(.5)\n" + GOOD) == "done"


def test_a_cancel_ends_a_child_that_does_not_listen_within_ten_seconds(house: House) -> None:
    job_id = house.submit_one()
    cancelled_at: list[float] = []

    def cancel() -> None:
        with house.database.write() as session:
            JobRepository(session, house.workspace_id).cancel(job_id)
        cancelled_at.append(time.monotonic())

    begun = later(lambda: house.step(job_id).fraction > 0, cancel)
    assert house.run(job_id, DEAF) == "cancelled"
    begun.join()
    assert time.monotonic() - cancelled_at[0] < 10
    assert house.job(job_id).status == "cancelled"


def test_a_worker_whose_database_hangs_ends_its_child_and_gives_up_its_process(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.lease._LONGEST_FAREWELL", 0.2)
    goes_on = threading.Event()
    beat = StepRunner._beat

    def hang_once_begun(runner: StepRunner, *args: Any) -> Any:
        if house.step(job_id).fraction > 0:
            goes_on.wait(60)
        return beat(runner, *args)

    monkeypatch.setattr(StepRunner, "_beat", hang_once_begun)
    job_id = house.submit_one()
    given_up: list[bool] = []
    try:
        word = house.run(job_id, CHECKPOINTS, give_up=lambda: given_up.append(True))
    finally:
        goes_on.set()
    assert word == "lost"
    assert given_up == [True]
    # Nothing was recorded: whoever takes the step when its lease has lapsed goes on with it.
    assert house.step(job_id).status == "running"


@pytest.mark.skipif(sys.platform != "linux", reason="parent-death signals are Linux's")
def test_a_child_whose_worker_was_killed_while_it_started_ends_too(tmp_path: Path) -> None:
    # Reading the step from a pipe without a writer, it would wait for ever.
    os.mkfifo(tmp_path / "step.json")
    worker = """
import pathlib, subprocess, sys, time
from worker.starting import child_command
print(subprocess.Popen(child_command(pathlib.Path(sys.argv[1]))).pid, flush=True)
time.sleep(600)
"""
    parent = subprocess.Popen(
        [sys.executable, "-c", worker, tmp_path],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    try:
        until = time.monotonic() + 20
        while _lives(child) and time.monotonic() < until:
            time.sleep(0.1)
        assert not _lives(child)
    finally:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
