"""A worker's rounds of housekeeping, with a database and without a broker."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from store.columns import utc_now
from store.step_tables import Step
from store.workers import WorkerRegister
from worker.housekeeping import Housekeeper
from worker.place import place_of
from worker.shared import SharedState


class Bell:
    """Stands for the broker, and remembers what was rung for."""

    rung: list[str]

    def __init__(self, _settings: Any) -> None:
        return

    def ring(self, queue: str, step_id: str) -> None:  # noqa: ARG002
        self.rung.append(step_id)

    def close(self) -> None:
        return


class NoCleaning:
    """Stands for the process that cleans up, which has tests of its own."""

    def __init__(self, *_: Any) -> None:
        return

    def tend(self, *_: Any, **__: Any) -> None:
        return

    def stop(self) -> None:
        return


@pytest.fixture(autouse=True)
def _no_cleaning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.housekeeping.CleaningProcess", NoCleaning)


@pytest.fixture(autouse=True)
def rung(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    heard: list[str] = []
    monkeypatch.setattr(Bell, "rung", heard, raising=False)
    monkeypatch.setattr("worker.housekeeping.Doorbell", Bell)
    return heard


def rounds(yard: Any, *, concurrency: int = 1) -> Housekeeper:
    return Housekeeper(yard.settings, SharedState(), ["gpu", "cpu"], concurrency)


def seen(yard: Any) -> Any:
    with yard.database.read() as session:
        (row,) = WorkerRegister(session).all()
        return row


def let_wait(yard: Any) -> None:
    """Have every step wait since 20 s ago, after so many rings that the sweep gives it time."""
    then = utc_now() - timedelta(seconds=20)
    with yard.database.write() as session:
        session.execute(update(Step).values(rings=9, rung_at=then))


def test_a_round_tells_where_the_worker_is_and_that_it_is_well(yard: Any) -> None:
    rounds(yard).run_once()
    row = seen(yard)
    assert (row.place, row.paused) == (place_of(yard.settings.data_dir), None)


def test_a_killed_workers_step_is_rung_for_in_the_same_round(yard: Any, rung: list[str]) -> None:
    here = place_of(yard.settings.data_dir)
    step_id = yard.held(here, silent_for=10)
    rounds(yard).run_once()
    assert yard.step(step_id).status == "queued"
    assert step_id in rung


def test_without_room_the_row_says_so_and_nothing_is_rung_for_until_there_is_some(
    yard: Any, rung: list[str]
) -> None:
    step_id = yard.submit()
    keeper = rounds(yard)
    keeper.run_once()
    assert rung == [step_id]
    rung.clear()
    # The message of just now came while there was no room, and was acknowledged.
    let_wait(yard)
    yard.settings.min_free_bytes = 2**62
    keeper.run_once()
    assert seen(yard).paused.startswith("disk_full: ")
    assert rung == []
    yard.settings.min_free_bytes = 0
    keeper.run_once()
    assert seen(yard).paused is None
    assert rung == [step_id]


def test_a_worker_that_is_asked_to_stop_rings_for_nothing_more(yard: Any, rung: list[str]) -> None:
    yard.submit()
    shared = SharedState()
    keeper = Housekeeper(yard.settings, shared, ["gpu"], 1)
    keeper.run_once()
    rung.clear()
    let_wait(yard)
    shared.ask_to_stop()
    keeper.run_once()
    assert rung == []


def test_a_step_folder_that_cannot_be_had_keeps_no_round_from_its_other_work(
    yard: Any, rung: list[str]
) -> None:
    yard.held(place_of(yard.settings.data_dir), silent_for=10, key="1")
    lapsed = yard.held("elsewhere", silent_for=61, key="2")
    # As on a disk without room for one more folder, or one that became read-only.
    (yard.settings.data_dir / "work").write_text("no directory")
    with suppress(OSError):
        rounds(yard).run_once()
    assert yard.step(lapsed).status == "queued"
    assert lapsed in rung


def test_a_round_tells_what_the_worker_takes_of_its_machine(yard: Any) -> None:
    yard.settings.device = "cpu"
    rounds(yard).run_once()
    usage = seen(yard).usage
    assert set(usage) == {"resident_bytes", "free_bytes"}
    assert usage["resident_bytes"] > 10 * 2**20
