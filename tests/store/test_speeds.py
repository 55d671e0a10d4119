"""What is known of how long work takes on the workers' devices."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text, update

from gan_core.spec import DeviceFacts
from store.columns import utc_now
from store.database import Database
from store.speeds import SpeedBook, version_of
from store.step_tables import Step
from store.steps import StepLedger
from store.tables import MeasuredSpeed, WorkerSeen
from store.workers import WorkerRegister

CPU = DeviceFacts(kind="cpu", name="two cores", memory_bytes=2**34, threads=2)
GPU = DeviceFacts(kind="gpu", name="H100", memory_bytes=2**36)
WORKLOAD = "train infogan 48px batch 8"


def seen(database: Database, worker_id: str, device: DeviceFacts | None, *queues: str) -> None:
    with database.write() as session:
        WorkerRegister(session).seen(
            worker_id,
            host="here",
            queues=list(queues or ("gpu", "cpu")),
            version="1",
            step_id=None,
            device=device,
        )


def note(database: Database, seconds: float, units: float, workload: str = WORKLOAD) -> None:
    with database.write() as session:
        SpeedBook(session).note(CPU.name, workload, seconds=seconds, units=units)


def per_unit(database: Database) -> float | None:
    with database.read() as session:
        speed = SpeedBook(session).speeds().find("gpu", WORKLOAD)
        return None if speed is None else speed.seconds_per_unit


def test_what_was_measured_on_a_device_at_hand_is_found(database: Database) -> None:
    note(database, 10.0, 100)
    assert per_unit(database) is None  # no worker has that device
    seen(database, "w", CPU)
    assert per_unit(database) == pytest.approx(0.1)


def test_what_is_measured_anew_weighs_with_what_was_known_by_its_units(database: Database) -> None:
    seen(database, "w", CPU)
    note(database, 10.0, 10)
    note(database, 100.0, 1000)
    found = per_unit(database)
    assert found is not None
    assert 0.1 < found < 0.2
    for _ in range(20):
        note(database, 100.0, 1000)
    assert per_unit(database) == pytest.approx(0.1, rel=0.01)


def test_what_is_known_of_another_version_is_replaced(database: Database) -> None:
    seen(database, "w", CPU)
    note(database, 10.0, 10)
    with database.write() as session:
        session.execute(update(MeasuredSpeed).values(version="older"))
        assert SpeedBook(session).unmeasured(CPU.name, [WORKLOAD]) == [WORKLOAD]
    note(database, 1.0, 10)
    assert per_unit(database) == pytest.approx(0.1)
    with database.read() as session:
        assert SpeedBook(session).unmeasured(CPU.name, [WORKLOAD, "features"]) == ["features"]


def test_nothing_is_learned_from_no_units_or_no_time(database: Database) -> None:
    seen(database, "w", CPU)
    note(database, 0.0, 10)
    note(database, 10.0, 0)
    assert per_unit(database) is None


def test_the_version_is_that_of_the_kind_of_step() -> None:
    assert version_of("evaluate probe") != version_of("features")


def test_each_queue_has_the_best_device_of_those_who_listen_to_it(database: Database) -> None:
    seen(database, "a", CPU, "cpu", "gpu")
    seen(database, "b", GPU, "gpu")
    seen(database, "c", None, "gpu")
    with database.read() as session:
        speeds = SpeedBook(session).speeds()
    assert (speeds.devices["gpu"], speeds.devices["cpu"]) == (GPU, CPU)
    with database.write() as session:
        session.get_one(WorkerSeen, "b").seen_at = utc_now() - timedelta(hours=1)
    with database.read() as session:
        assert SpeedBook(session).speeds().devices["gpu"] == CPU


def test_a_sign_of_life_without_a_device_leaves_the_one_that_is_known(database: Database) -> None:
    seen(database, "w", None)
    with database.write() as session:
        assert WorkerRegister(session).describe("w", GPU)
        assert not WorkerRegister(session).describe("nobody", GPU)
    seen(database, "w", None)
    with database.read() as session:
        assert WorkerRegister(session).device_of("w") == GPU
        assert WorkerRegister(session).device_of("nobody") is None


def finish(house: Any, seconds: float, *, attempts: int = 1, **params: Any) -> str:
    """Carry out a job of one step whose workload has 100 units."""
    job_id = house.submit(house.study(real_counts=[4], benchmark={"classifiers": []}))
    step = next(s for s in house.steps(job_id).values() if s.kind == "train")
    with house.database.write() as session:
        ledger = StepLedger(session)
        claimed = ledger.claim(step.id, worker_id="w", lease_seconds=60, max_attempts=9)
        assert claimed is not None
        row = session.get_one(Step, step.id)
        row.workload, row.units, row.attempt = WORKLOAD, 100.0, attempts
        row.params = row.params | params
        row.started_at = utc_now() - timedelta(seconds=seconds)
        session.flush()
        assert ledger.complete(step.id, claimed.token, [])
    return str(job_id)


def test_a_finished_step_tells_how_long_its_units_took(house: Any) -> None:
    seen(house.database, "w", CPU)
    finish(house, 104.0)
    assert per_unit(house.database) == pytest.approx(1.0, rel=0.05)


def test_a_step_that_was_begun_twice_tells_nothing(house: Any) -> None:
    seen(house.database, "w", CPU)
    finish(house, 104.0, attempts=2)
    assert per_unit(house.database) is None


def test_a_training_that_may_have_ended_early_tells_nothing(house: Any) -> None:
    seen(house.database, "w", CPU)
    finish(house, 104.0, stop_early=True)
    assert per_unit(house.database) is None


def test_a_speed_that_cannot_be_noted_costs_no_outputs(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: SpeedBook, *_: Any, **__: Any) -> None:
        # PostgreSQL refuses everything more in a transaction in which this was asked.
        self._session.execute(text("SELECT nothing FROM nowhere"))

    seen(house.database, "w", CPU)
    monkeypatch.setattr(SpeedBook, "note", broken)
    job_id = finish(house, 104.0)
    statuses = {step.kind: step.status for step in house.steps(job_id).values()}
    assert (statuses["train"], statuses["generate"]) == ("succeeded", "queued")


def test_a_step_on_a_device_that_is_not_known_tells_nothing(house: Any) -> None:
    seen(house.database, "w", None)
    finish(house, 104.0)
    assert per_unit(house.database) is None
