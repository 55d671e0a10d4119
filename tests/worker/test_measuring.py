"""The process that says what a worker computes with, and how fast that is."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any
from unittest.mock import Mock

import pytest

from gan_core.measuring import Task
from store.speeds import SpeedBook
from store.workers import WorkerRegister
from worker import measuring
from worker.housekeeping import Housekeeper
from worker.measuring import MeasuringProcess, known_device, measure
from worker.place import place_of
from worker.shared import SharedState

WORKER = "here-1"


class Process:
    """Stands for a child: at work until it is told to end, or until the test says how it ended."""

    def __init__(self, command: list[str], **_: object) -> None:
        self.command = command
        self.code: int | None = None

    def poll(self) -> int | None:
        return self.code

    def terminate(self) -> None:
        self.code = -15

    def wait(self, timeout: float | None = None) -> int:  # noqa: ARG002
        assert self.code is not None
        return self.code


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Process]:
    made: list[Process] = []

    def start(command: list[str], **more: object) -> Process:
        made.append(Process(command, **more))
        return made[-1]

    monkeypatch.setattr("worker.measuring.subprocess.Popen", start)
    return made


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr("worker.measuring.time.monotonic", lambda: now[0])
    return now


def test_it_measures_after_the_worker_was_idle_for_a_while_and_only_once(
    yard: Any, started: list[Process], clock: list[float]
) -> None:
    process = MeasuringProcess(yard.settings, WORKER, knows_device=True)
    assert not process.tend(is_busy=False)
    clock[0] += 20
    assert not process.tend(is_busy=True)
    clock[0] += 20
    assert not process.tend(is_busy=False)
    clock[0] += 31
    assert process.tend(is_busy=False)
    assert not process.tend(is_busy=False)
    assert "--device-only" not in started[0].command
    started[0].code = 0
    clock[0] += 1000
    assert not process.tend(is_busy=False)


def test_it_gives_way_to_a_step_and_is_made_up_for(
    yard: Any, started: list[Process], clock: list[float]
) -> None:
    process = MeasuringProcess(yard.settings, WORKER, knows_device=True)
    process.tend(is_busy=False)
    clock[0] += 31
    assert process.tend(is_busy=False)
    process.give_way(is_busy=False)
    assert process.is_running()
    process.give_way(is_busy=True)
    assert not process.is_running()
    assert started[0].code == -15
    assert not process.tend(is_busy=False)
    clock[0] += 31
    assert process.tend(is_busy=False)


def test_what_a_device_is_that_only_torch_can_tell_is_asked_at_once_and_not_given_up(
    yard: Any, started: list[Process], clock: list[float]
) -> None:
    process = MeasuringProcess(yard.settings, WORKER, knows_device=False)
    assert process.tend(is_busy=True)
    assert "--device-only" in started[0].command
    process.give_way(is_busy=True)
    assert process.is_running()
    started[0].code = 0
    assert not process.tend(is_busy=True)
    assert len(started) == 1


def test_one_that_failed_is_not_started_again_at_once(
    yard: Any, started: list[Process], clock: list[float]
) -> None:
    process = MeasuringProcess(yard.settings, WORKER, knows_device=False)
    process.tend(is_busy=True)
    started[0].code = 1
    assert not process.tend(is_busy=True)
    clock[0] += 301
    assert process.tend(is_busy=True)


def test_it_can_be_switched_off(yard: Any, started: list[Process], clock: list[float]) -> None:
    settings = yard.settings.model_copy(update={"measure_speeds": False})
    process = MeasuringProcess(settings, WORKER, knows_device=True)
    process.tend(is_busy=False)
    clock[0] += 1000
    assert not process.tend(is_busy=False)


def test_it_is_ended_with_the_worker(yard: Any) -> None:
    process = MeasuringProcess(yard.settings, WORKER, knows_device=False)
    assert process.tend(is_busy=False)
    process.stop()
    assert not process.is_running()


def test_a_worker_that_may_have_a_gpu_leaves_the_question_to_torch(
    yard: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "may_have_gpu", lambda: True)
    assert known_device(yard.settings) is None
    on_cpu = known_device(yard.settings.model_copy(update={"device": "cpu", "threads": 2}))
    assert on_cpu is not None
    assert (on_cpu.kind, on_cpu.threads) == ("cpu", 2)


def test_the_device_and_the_speeds_are_noted_and_not_measured_twice(
    yard: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = yard.settings.model_copy(update={"device": "cpu"})
    monkeypatch.setattr("gan_core.measuring.tasks_of", lambda _: [Task("infogan", 32, 2)])
    with yard.database.write() as session:
        WorkerRegister(session).seen(WORKER, host="here", queues=["gpu"], version="1", step_id=None)
    assert measure(settings, yard.database, WORKER, device_only=True) == 0
    with yard.database.read() as session:
        device = WorkerRegister(session).device_of(WORKER)
    assert device is not None
    assert device == known_device(settings)
    assert measure(settings, yard.database, WORKER, seconds=0.0) == 0  # one step tells too little
    assert measure(settings, yard.database, WORKER, seconds=5.0) == 1
    with yard.database.read() as session:
        speed = SpeedBook(session).speeds().find("gpu", "train infogan 32px batch 2")
    assert speed is not None
    assert 0 < speed.seconds_per_unit < 10
    assert measure(settings, yard.database, WORKER, seconds=1.0) == 0


def test_it_imports_no_torch_where_the_housekeeper_has_it() -> None:
    code = "import worker.measuring, sys; print(sorted({'torch', 'numpy'} & set(sys.modules)))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


def test_a_housekeeper_that_waits_ends_a_measurement_when_a_step_comes(
    yard: Any, started: list[Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = yard.settings.model_copy(update={"device": "cpu", "sweep_seconds": 5.0})
    monkeypatch.setattr("worker.measuring._IDLE_SECONDS", 0.0)
    monkeypatch.setattr("worker.housekeeping._GIVE_WAY_SECONDS", 0.01)
    shared = SharedState()
    housekeeper = Housekeeper(settings, shared, ["cpu"])
    housekeeper._measuring.tend(is_busy=False)
    shared.step_id = "step_1"
    began = time.monotonic()
    monkeypatch.setattr(Process, "terminate", lambda self: _end(self, housekeeper))
    housekeeper._rest()
    assert started[0].code == -15
    assert time.monotonic() - began < 4


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_neighbours_step_ends_a_measurement_and_lets_none_begin(
    yard: Any, started: list[Process], monkeypatch: pytest.MonkeyPatch, *, elsewhere: bool
) -> None:
    monkeypatch.setattr("worker.measuring._IDLE_SECONDS", 0.0)
    monkeypatch.setattr("worker.housekeeping.take_abandoned", lambda *_: 0)
    monkeypatch.setattr("worker.housekeeping.CleaningProcess", lambda _: Mock())
    monkeypatch.setattr("worker.housekeeping.Doorbell", lambda _: Mock())
    settings = yard.settings.model_copy(update={"device": "cpu"})
    housekeeper = Housekeeper(settings, SharedState(), ["cpu"])
    housekeeper.run_once()
    assert len(started) == 1
    yard.held("elsewhere" if elsewhere else place_of(settings.data_dir), silent_for=0)
    housekeeper.run_once()
    assert started[0].code == (None if elsewhere else -15)
    housekeeper.run_once()
    assert len(started) == 1


def _end(process: Process, housekeeper: Housekeeper) -> None:
    process.code = -15
    housekeeper._ending.set()
