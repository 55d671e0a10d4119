"""Steps whose worker was killed: a real process holds the lock, and the kernel drops it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from store.settings import Settings
from worker.abandoned import take_abandoned
from worker.step_dir import locked_step_dir

_HOLDER = """
import os, pathlib, sys, time
from store.settings import Settings
from worker.step_dir import locked_step_dir
with locked_step_dir(Settings(data_dir=pathlib.Path(sys.argv[1])), sys.argv[2]):
    print("held", flush=True)
    time.sleep(600)
"""


@contextmanager
def a_holder(settings: Settings, step_id: str) -> Iterator[subprocess.Popen[str]]:
    """A process that carries out a step, as far as its folder can tell."""
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, settings.data_dir, step_id],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_killed_workers_step_is_taken_within_one_round(yard: Any) -> None:
    step_id = yard.held("here", silent_for=10)
    with a_holder(yard.settings, step_id) as worker:
        assert take_abandoned(yard.database, yard.settings, "here") == 0
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        # Long before the lease of 60 seconds has lapsed.
        assert take_abandoned(yard.database, yard.settings, "here") == 1
    step = yard.step(step_id)
    assert (step.status, step.lease_token, step.strikes) == ("queued", None, 1)
    assert take_abandoned(yard.database, yard.settings, "here") == 0


def test_a_worker_that_lives_keeps_its_step_however_silent_it_is(yard: Any) -> None:
    step_id = yard.held("here", silent_for=55)
    with a_holder(yard.settings, step_id) as worker:
        assert take_abandoned(yard.database, yard.settings, "here") == 0
        os.kill(worker.pid, signal.SIGSTOP)  # not even able to answer
        assert take_abandoned(yard.database, yard.settings, "here") == 0
    assert yard.step(step_id).status == "running"


def test_another_places_steps_are_left_to_it(yard: Any) -> None:
    step_id = yard.held("elsewhere", silent_for=30)
    assert take_abandoned(yard.database, yard.settings, "here") == 0
    assert yard.step(step_id).status == "running"


def test_a_worker_that_has_just_claimed_and_not_locked_yet_is_not_robbed(yard: Any) -> None:
    step_id = yard.held("here", silent_for=1)
    assert take_abandoned(yard.database, yard.settings, "here") == 0
    assert yard.step(step_id).status == "running"


def test_a_step_that_was_claimed_anew_meanwhile_is_not_taken(
    yard: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    step_id = yard.held("here", silent_for=30)
    monkeypatch.setattr(
        "worker.abandoned._silent", lambda *_: [(step_id, "the token of an earlier lease")]
    )
    assert take_abandoned(yard.database, yard.settings, "here") == 0
    assert yard.step(step_id).status == "running"


def test_one_that_is_held_does_not_keep_others_from_being_taken(yard: Any) -> None:
    held = yard.held("here", silent_for=20, key="1")
    free = [yard.held("here", silent_for=20, key=key) for key in "23"]
    with locked_step_dir(yard.settings, held):
        assert take_abandoned(yard.database, yard.settings, "here") == 2
    assert yard.step(held).status == "running"
    assert {yard.step(step_id).status for step_id in free} == {"queued"}


def test_a_step_whose_workers_are_killed_again_and_again_fails_at_last(yard: Any) -> None:
    step_id = yard.held("here", silent_for=20)
    yard.settings.max_attempts = 1
    assert take_abandoned(yard.database, yard.settings, "here") == 1
    step = yard.step(step_id)
    assert step.status == "failed"
    assert step.error["code"] == "worker_lost"
