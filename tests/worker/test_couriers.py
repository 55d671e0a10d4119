"""Checkpoints that go from one machine to another through a bucket (a real server of S3's)."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from store.objects import Objects
from store.records import ClaimedStep
from store.settings import Settings
from worker.couriers import CheckpointCourier


@dataclass
class Machine:
    """A folder for the step on a machine of its own, with a courier."""

    objects: Objects
    folder: Path
    kind: str = "train"

    def courier(self, attempt: int) -> CheckpointCourier:
        step = ClaimedStep(
            id="step_1",
            job_id="job_1",
            workspace_id="ws_1",
            dataset_id="ds_1",
            name="train",
            kind=self.kind,
            queue="gpu",
            key="k",
            params={},
            attempt=attempt,
            token="t",
            output_prefix="",
            inputs={},
            step_keys={},
            dataset=None,
            job_created_at=None,  # type: ignore[arg-type]
        )
        return CheckpointCourier(self.objects, step, self.folder, 0.1)

    @property
    def checkpoints(self) -> Path:
        return self.folder / "checkpoints"

    def write(self, name: str, content: str) -> None:
        path = self.checkpoints / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)

    def files(self) -> dict[str, str]:
        return {
            path.relative_to(self.checkpoints).as_posix(): path.read_text()
            for path in self.checkpoints.rglob("*.safetensors")
        }


@pytest.fixture
def objects(bucket: Callable[[Settings], Settings], tmp_path: Path) -> Objects:
    return Objects.from_settings(bucket(Settings(data_dir=tmp_path)))


@pytest.fixture
def here(objects: Objects, tmp_path: Path) -> Machine:
    return Machine(objects, tmp_path / "here")


@pytest.fixture
def there(objects: Objects, tmp_path: Path) -> Machine:
    return Machine(objects, tmp_path / "there")


NEWEST = "checkpoint-000000000200.safetensors"


def test_checkpoints_travel_and_nothing_else_does(here: Machine, there: Machine) -> None:
    here.write(NEWEST, "weights")
    here.write("arm-1/seed-cnn.safetensors", "a classifier's")
    here.write("images.npy", "filled up in place")
    here.write(f".{NEWEST}.17.tmp.safetensors", "half written")
    assert here.courier(1).send() == 2
    assert there.courier(2).bring() == 2
    assert there.files() == {NEWEST: "weights", "arm-1/seed-cnn.safetensors": "a classifier's"}


def test_only_what_is_new_is_copied_and_what_is_gone_here_goes_there(here: Machine) -> None:
    courier = here.courier(1)
    here.write("checkpoint-1.safetensors", "old")
    here.write("checkpoint-2.safetensors", "newer")
    assert courier.send() == 2
    assert courier.send() == 0
    (here.checkpoints / "checkpoint-1.safetensors").unlink()
    here.write("checkpoint-3.safetensors", "newest")
    assert courier.send() == 1
    names = {key.rsplit("/", 1)[1] for key in here.objects.list("workspaces/ws_1/")}
    assert names == {"checkpoint-2.safetensors", "checkpoint-3.safetensors"}


def test_the_newest_attempt_wins(here: Machine, there: Machine, tmp_path: Path) -> None:
    here.write(NEWEST, "of the second attempt")
    here.courier(2).send()
    there.write(NEWEST, "of the eleventh attempt")
    there.courier(11).send()
    third = Machine(here.objects, tmp_path / "third")
    third.courier(12).bring()
    assert third.files() == {NEWEST: "of the eleventh attempt"}


def test_nothing_is_brought_over_what_is_newer_here(here: Machine, there: Machine) -> None:
    there.write(NEWEST, "of attempt 1")
    there.courier(1).send()
    assert here.courier(2).bring() == 1
    here.write(NEWEST, "of attempt 2, which had no time to copy it")
    assert here.courier(3).bring() == 0
    assert here.files() == {NEWEST: "of attempt 2, which had no time to copy it"}


def test_what_the_other_machine_reached_meanwhile_is_brought_back(
    here: Machine, there: Machine
) -> None:
    here.courier(1).bring()
    here.write("checkpoint-1.safetensors", "mine")
    here.courier(1).send()
    there.courier(2).bring()
    there.write("checkpoint-2.safetensors", "its")
    there.courier(2).send()
    assert here.courier(3).bring() > 0
    assert here.files()["checkpoint-2.safetensors"] == "its"


def test_what_lies_in_the_bucket_is_gone_once_it_is_forgotten(here: Machine) -> None:
    here.write(NEWEST, "weights")
    for attempt in (1, 2):
        here.courier(attempt).send()
    here.courier(2).forget()
    assert here.objects.list("workspaces/ws_1/") == {}


def test_the_thread_copies_while_the_step_runs_and_once_more_at_its_end(here: Machine) -> None:
    courier = here.courier(1)
    courier.start()
    here.write("checkpoint-1.safetensors", "first")
    until = time.monotonic() + 20
    while not here.objects.list("workspaces/ws_1/") and time.monotonic() < until:
        time.sleep(0.05)
    assert here.objects.list("workspaces/ws_1/")
    here.write("checkpoint-2.safetensors", "the last, of the shutdown")
    courier.stop(looks_again=True)
    assert any(key.endswith("-2.safetensors") for key in here.objects.list("workspaces/ws_1/"))


@pytest.mark.parametrize("kind", ["features", "generate", "upscale", "report", "package"])
def test_steps_that_keep_no_such_files_have_no_courier(here: Machine, kind: str) -> None:
    here.kind = kind
    here.write(NEWEST, "weights")
    courier = here.courier(1)
    assert not courier.is_needed
    courier.start()
    courier.stop(looks_again=False)
    assert courier.bring() == 0
    assert here.objects.list("workspaces/ws_1/") == {}


def test_a_directory_that_all_workers_share_needs_no_courier(tmp_path: Path) -> None:
    machine = Machine(Objects((tmp_path / "objects").as_uri()), tmp_path / "here")
    assert not machine.courier(1).is_needed


def test_a_note_of_the_attempt_that_was_cut_short_does_not_end_the_step(
    here: Machine, there: Machine
) -> None:
    there.write(NEWEST, "weights")
    there.courier(1).send()
    here.write("attempt", "")  # the disk was full, or the power went
    assert here.courier(2).bring() == 1
