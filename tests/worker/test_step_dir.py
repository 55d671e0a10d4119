"""A step's folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from store.settings import Settings
from worker.step_dir import (
    StepDirBusyError,
    empty_step_dir,
    locked_step_dir,
    remove_forgotten,
    step_dirs,
    work_dir,
)


def test_two_attempts_never_share_a_folder(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    with (
        locked_step_dir(settings, "step_1"),
        pytest.raises(StepDirBusyError),
        locked_step_dir(settings, "step_1", patience=0.3),
    ):
        pass


def test_checkpoints_are_there_for_the_next_attempt(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    with locked_step_dir(settings, "step_1") as folder:
        (folder / "checkpoint").write_text("weights")
    with locked_step_dir(settings, "step_1") as folder:
        assert (folder / "checkpoint").read_text() == "weights"


def test_a_folder_that_was_emptied_under_lock_can_be_had_again(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    with locked_step_dir(settings, "step_1") as folder:
        empty_step_dir(folder)
    with locked_step_dir(settings, "step_1") as folder:
        assert [path.name for path in folder.iterdir()] == [".lock"]


def make_old(folder: Path) -> None:
    for path in (*folder.rglob("*"), folder):
        os.utime(path, (1000, 1000))


def test_forgotten_folders_are_removed_but_not_those_in_use(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    for name in ("old", "used", "new"):
        with locked_step_dir(settings, name):
            pass
    for name in ("old", "used"):
        make_old(work_dir(settings) / name)
    with locked_step_dir(settings, "used") as used:
        make_old(used)
        assert remove_forgotten(settings, older_than_seconds=3600) == 1
    assert sorted(path.name for path in work_dir(settings).iterdir()) == ["new", "used"]


def test_a_long_trainings_last_checkpoint_counts_and_not_when_it_began(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    with locked_step_dir(settings, "training") as folder:
        (folder / "checkpoints").mkdir()
        make_old(folder)
        (folder / "checkpoints" / "checkpoint-9.safetensors").write_bytes(b"of just now")
        os.utime(folder / "checkpoints", (1000, 1000))
    assert remove_forgotten(settings, older_than_seconds=3600) == 0


def test_folders_of_steps_that_are_over_are_removed_whatever_their_age(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    for name in ("over", "held", "waiting"):
        with locked_step_dir(settings, name):
            pass
    with locked_step_dir(settings, "held"):
        assert remove_forgotten(settings, 3600, over={"over", "held"}) == 1
    assert step_dirs(settings) == ["held", "waiting"]
