"""Steps that one machine leaves and another goes on with, through a bucket (a real S3 server)."""

from __future__ import annotations

import hashlib
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gan_core.phantoms import draw_phantoms
from gan_core.reading import PackedDataset, pack
from gan_core.spec import StudySpec, plan_study, resolve
from gan_core.study import facts
from store.columns import new_id
from store.objects import Objects
from store.repositories import JobRepository
from store.settings import Settings
from store.step_tables import Step
from store.tables import Dataset, Job
from tests.support.scripted_house import Bell
from worker.running import StepRunner
from worker.shared import SharedState
from worker.starting import child_command


class Fleet:
    """Machines with data directories of their own, one database and one bucket."""

    def __init__(self, yard: Any, bucket: Callable[[Settings], Settings], tmp_path: Path) -> None:
        self.yard = yard
        self.bucket = bucket
        self.tmp_path = tmp_path
        self.shared: dict[str, SharedState] = {}
        self.objects = Objects.from_settings(bucket(yard.settings))

    def machine(self, name: str, command: Callable[[Path], list[str]]) -> StepRunner:
        self.shared[name] = SharedState()
        settings = self.bucket(
            self.yard.settings.model_copy(
                update={
                    "database_url": self.yard.settings.resolved_database_url(),
                    "data_dir": self.tmp_path / name,
                    "cache_dir": None,
                    "checkpoint_seconds": 0.3,
                    "heartbeat_seconds": 0.5,
                    "device": "cpu",
                    "threads": 1,
                }
            )
        )
        return StepRunner(
            settings,
            self.yard.database,
            self.objects,
            Bell(),
            self.shared[name],
            command=command,
        )

    def run_and_stop(self, name: str, runner: StepRunner, step_id: str, further: float) -> str:
        """Run a step, and tell the worker to stop once the step has got so much further."""
        goal = self.yard.step(step_id).fraction + further

        def stop() -> None:
            until = time.monotonic() + 120
            while self.yard.step(step_id).fraction < goal and time.monotonic() < until:
                time.sleep(0.05)
            self.shared[name].ask_to_stop()

        thread = threading.Thread(target=stop)
        thread.start()
        word = runner.run(step_id)
        thread.join()
        return word


@pytest.fixture
def fleet(yard: Any, bucket: Callable[[Settings], Settings], tmp_path: Path) -> Fleet:
    return Fleet(yard, bucket, tmp_path)


COUNTS = """
import hashlib, json, pathlib, signal, sys, time
here = pathlib.Path(sys.argv[1]); last = int(sys.argv[2])
checkpoint = here / "checkpoints" / "checkpoint-1.safetensors"
(here / "outputs").mkdir(exist_ok=True); checkpoint.parent.mkdir(exist_ok=True)
def say(**event): print(json.dumps(event), flush=True)
begun_at = count = int(checkpoint.read_text()) if checkpoint.exists() else 0
def stop(*_):
    checkpoint.write_text(str(count)); sys.exit(4)
signal.signal(signal.SIGTERM, stop)
while count < last or last < 0:
    count += 1
    say(event="progress", fraction=count / 1000, detail=f"{count}")
    time.sleep(.05)
data = str(begun_at).encode()
(here / "outputs" / "begun").write_bytes(data)
say(event="done", outputs=[{"name": "begun", "kind": "internal", "media_type": "text/plain",
    "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}])
"""


def counting(last: int) -> Callable[[Path], list[str]]:
    return lambda folder: [sys.executable, "-c", COUNTS, str(folder), str(last)]


def test_a_step_that_two_machines_handed_back_goes_on_from_the_second_upon_a_third(
    fleet: Fleet,
) -> None:
    step_id = fleet.yard.submit()
    for name, further in (("first", 0.005), ("second", 0.005)):
        runner = fleet.machine(name, counting(-1))
        assert fleet.run_and_stop(name, runner, step_id, further) == "released"
    reached = int(_checkpoint(fleet, "second", step_id).read_text())
    assert fleet.machine("third", counting(0)).run(step_id) == "done"
    (made,) = fleet.yard.step(step_id).outputs
    assert int(b"".join(fleet.objects.iterate(made["object_key"]))) == reached > 5


def _checkpoint(fleet: Fleet, name: str, step_id: str) -> Path:
    return fleet.tmp_path / name / "work" / step_id / "checkpoints" / "checkpoint-1.safetensors"


def test_a_machine_does_not_go_on_from_its_own_old_checkpoint_when_another_got_further(
    fleet: Fleet,
) -> None:
    step_id = fleet.yard.submit()
    for name, further in (("first", 0.005), ("second", 0.005)):
        runner = fleet.machine(name, counting(-1))
        assert fleet.run_and_stop(name, runner, step_id, further) == "released"
    second = int(_checkpoint(fleet, "second", step_id).read_text())
    assert fleet.machine("first", counting(0)).run(step_id) == "done"
    (made,) = fleet.yard.step(step_id).outputs
    assert int(b"".join(fleet.objects.iterate(made["object_key"]))) == second


def test_the_copies_are_removed_when_the_step_has_succeeded(fleet: Fleet) -> None:
    step_id = fleet.yard.submit()
    prefix = f"workspaces/{fleet.yard.workspace_id}/checkpoints/"
    runner = fleet.machine("first", counting(-1))
    assert fleet.run_and_stop("first", runner, step_id, 0.005) == "released"
    assert fleet.objects.list(prefix)
    assert fleet.machine("second", counting(0)).run(step_id) == "done"
    assert fleet.objects.list(prefix) == {}


def test_a_last_copy_that_fails_takes_nothing_from_a_step_that_is_done(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_file = Objects.put_file

    def refuse_checkpoints(objects: Objects, key: str, *args: Any) -> None:
        if "/checkpoints/" in key:
            raise OSError("Generic S3 error")
        put_file(objects, key, *args)

    monkeypatch.setattr(Objects, "put_file", refuse_checkpoints)
    step_id = fleet.yard.submit()
    leaves_one = COUNTS.replace("data = str", "checkpoint.write_text('1')\ndata = str", 1)
    runner = fleet.machine(
        "first", lambda folder: [sys.executable, "-c", leaves_one, str(folder), "1"]
    )
    assert runner.run(step_id) == "done"


@pytest.mark.slow
@pytest.mark.timeout(600)  # three trainings, each in a process of its own
def test_a_real_training_goes_on_upon_another_machine_and_ends_with_the_same_bytes(
    fleet: Fleet, tmp_path: Path
) -> None:
    yard = fleet.yard
    packed = _packed(tmp_path)
    dataset = PackedDataset.open(packed)
    _give_dataset(fleet, packed, dataset)
    spec = resolve(
        StudySpec.model_validate(
            {
                "real_counts": [12],
                "balance_to": 14,
                "gans": [{"name": "infogan", "image_size": 32, "epochs": 40, "batch_size": 4}],
                "benchmark": {"classifiers": []},
            }
        ),
        facts(dataset).train_counts(),
    )
    plan = plan_study(spec, facts(dataset))

    def submit() -> str:
        with yard.database.write() as session:
            job = Job(
                id=new_id("job"), kind="study", dataset_id=yard.dataset_id, spec={}, resolved={}
            )
            jobs = JobRepository(session, yard.workspace_id)
            jobs.add(job, plan, fleet.objects)
            return jobs.steps(job.id)[0].id

    moved = submit()
    first = fleet.machine("first", child_command)
    assert fleet.run_and_stop("first", first, moved, 0.1) == "released"
    begun: list[str] = []
    assert fleet.machine("second", _noting(begun)).run(moved) == "done"
    # It did not begin anew: what it was brought was there before its first step.
    assert begun
    undisturbed = _undisturbed(fleet, submit, moved)
    assert _digests(yard.step(moved)) == _digests(yard.step(undisturbed))


def _packed(tmp_path: Path) -> Path:
    pictures = tmp_path / "phantoms"
    counts = {"train": {"benign": 16, "malignant": 14}, "test": {"benign": 4, "malignant": 4}}
    draw_phantoms(pictures, counts=counts, image_size=64)
    packed = tmp_path / "packed"
    pack(pictures, packed, image_size=32)
    return packed


def _give_dataset(fleet: Fleet, packed: Path, dataset: PackedDataset) -> None:
    files = []
    for path in sorted(packed.iterdir()):
        key = f"k/{path.name}"
        fleet.objects.put_file(key, path)
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        files.append(
            {"name": path.name, "object_key": key, "size": path.stat().st_size, "sha256": sha256}
        )
    with fleet.yard.database.write() as session:
        row = session.get_one(Dataset, fleet.yard.dataset_id)
        row.facts = facts(dataset).model_dump(mode="json")
        row.files = files


def _noting(begun: list[str]) -> Callable[[Path], list[str]]:
    """Make the child's command, and note the checkpoints that lie there when it begins."""

    def command(folder: Path) -> list[str]:
        begun.extend(path.name for path in (folder / "checkpoints").glob("*.safetensors"))
        return child_command(folder)

    return command


def _undisturbed(fleet: Fleet, submit: Callable[[], str], done: str) -> str:
    """Run the same step in one go; the finished one must not be taken for it."""
    with fleet.yard.database.write() as session:
        session.get_one(Step, done).kind = "set aside"
    step_id = submit()
    assert fleet.machine("third", child_command).run(step_id) == "done"
    return step_id


def _digests(step: Step) -> dict[str, str]:
    return {output["name"]: output["sha256"] for output in step.outputs}
