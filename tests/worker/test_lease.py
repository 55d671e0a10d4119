"""Keeping a lease."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from store.records import Lease
from worker.lease import LeaseKeeper


def wait_for(condition: Callable[[], bool], seconds: float = 4.0) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.01)
    return False


class Ledger:
    """Answers beats, and remembers what it was told."""

    def __init__(self, answer: Lease | Exception) -> None:
        self.answer = answer
        self.beats: list[tuple[float, float | None, str | None]] = []

    def beat(self, fraction: float | None, detail: str | None) -> Lease:
        self.beats.append((time.monotonic(), fraction, detail))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def test_a_lease_is_renewed_and_progress_goes_out_at_most_once_a_second() -> None:
    ledger = Ledger(Lease(held=True, stop=False))
    with LeaseKeeper(ledger.beat, lease_seconds=60, heartbeat_seconds=0.2) as keeper:
        for step in range(100):
            keeper.tell(step / 100, f"step {step}")
            time.sleep(0.015)
        assert wait_for(lambda: ledger.beats[-1][2] == "step 99")
    gaps = [b[0] - a[0] for a, b in zip(ledger.beats, ledger.beats[1:], strict=False)]
    assert gaps
    assert min(gaps) >= 0.9
    assert not keeper.is_lost


def test_a_lost_lease_is_heard_and_ends_the_beating() -> None:
    ledger = Ledger(Lease(held=False, stop=False))
    with LeaseKeeper(ledger.beat, lease_seconds=60, heartbeat_seconds=0.1) as keeper:
        assert wait_for(lambda: keeper.is_lost)
    assert len(ledger.beats) == 1


def test_a_cancel_is_heard_within_the_time_that_was_promised() -> None:
    ledger = Ledger(Lease(held=True, stop=False))
    with LeaseKeeper(ledger.beat, lease_seconds=60, heartbeat_seconds=2) as keeper:
        assert wait_for(lambda: bool(ledger.beats))
        ledger.answer = Lease(held=True, stop=True)
        started = time.monotonic()
        assert wait_for(lambda: keeper.is_cancelled)
        assert time.monotonic() - started < 2.5


def test_a_silent_database_costs_the_lease_only_after_the_leases_length() -> None:
    ledger = Ledger(ConnectionError("no database"))
    with LeaseKeeper(ledger.beat, lease_seconds=1.5, heartbeat_seconds=0.1) as keeper:
        assert wait_for(lambda: len(ledger.beats) == 1)
        assert not keeper.is_lost
        assert wait_for(lambda: keeper.is_lost)
    assert len(ledger.beats) >= 2


class HungDatabase:
    """Answers the first beats, and then neither answers nor refuses."""

    def __init__(self, answers: int) -> None:
        self.answers = answers
        self.beats = 0
        self.goes_on = threading.Event()

    def beat(self, _fraction: float | None, _detail: str | None) -> Lease:
        self.beats += 1
        if self.beats > self.answers:
            self.goes_on.wait(60)
        return Lease(held=True, stop=False)


def test_a_beat_that_hangs_costs_the_lease_once_its_length_has_passed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("worker.lease._LONGEST_FAREWELL", 0.2)
    database = HungDatabase(answers=1)
    started = time.monotonic()
    with LeaseKeeper(database.beat, lease_seconds=2.5, heartbeat_seconds=0.2) as keeper:
        assert wait_for(lambda: database.beats == 2)
        assert not keeper.is_lost
        assert wait_for(lambda: keeper.is_lost)
        assert time.monotonic() - started >= 2.5
    assert keeper.is_stuck
    # An answer that comes after all does not bring back what has been given up.
    database.goes_on.set()
    keeper._thread.join()
    assert keeper.is_lost


def test_a_keeper_that_is_answered_is_not_stuck() -> None:
    with LeaseKeeper(
        Ledger(Lease(held=True, stop=False)).beat, lease_seconds=60, heartbeat_seconds=0.1
    ) as keeper:
        pass
    assert not keeper.is_stuck
    assert not keeper.is_lost


def test_what_the_step_tells_is_its_sign_of_life_and_the_beats_are_not() -> None:
    ledger = Ledger(Lease(held=True, stop=False))
    with LeaseKeeper(ledger.beat, lease_seconds=60, heartbeat_seconds=0.1) as keeper:
        begun = keeper.told_at
        assert wait_for(lambda: len(ledger.beats) >= 2)
        assert keeper.told_at == begun
        keeper.tell(0.0, "the same as before")
        assert keeper.told_at > begun
