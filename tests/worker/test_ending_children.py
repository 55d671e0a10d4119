"""What ends a child before it is through: a cancel, a stop, silence, a lost lease, a death."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from store.repositories import JobRepository
from store.step_tables import Step
from tests.support.process_states import lives
from tests.support.scripted_house import (
    CHECKPOINTS,
    CRAWLS,
    DEAF,
    GOOD,
    HANGS,
    House,
    later,
    scripted_house,
)
from worker import running
from worker.running import StepRunner
from worker.shared import SharedState


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with scripted_house(tmp_path) as house:
        yield house


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
        while lives(child) and time.monotonic() < until:
            time.sleep(0.1)
        assert not lives(child)
    finally:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
