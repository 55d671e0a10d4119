"""Silence is put right: lapsed leases, lost rings, a broker that is down."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from typing import Any

import pytest
from sqlalchemy import text

from store.doorbell import QUEUES, DoorbellSilent
from store.outbox import relay_outbox
from store.repositories import JobRepository
from store.step_tables import Step
from store.sweeping import Swept, is_at_work, over_among, ring_when_idle, sweep
from store.workers import WorkerRegister


class SilentBell:
    def ring(self, queue: str, step_id: str) -> None:
        raise DoorbellSilent(f"cannot ring {queue} for {step_id}")


class Bell:
    def __init__(self) -> None:
        self.rung: list[str] = []

    def ring(self, queue: str, step_id: str) -> None:
        assert queue in QUEUES
        self.rung.append(step_id)


def _age_rings(house: Any) -> None:
    with house.database.write() as session:
        session.execute(text("UPDATE steps SET rung_at = '2020-01-01 00:00:00.000000'"))


def test_rings_wait_in_the_outbox_while_the_broker_is_down(house: Any) -> None:
    job_id = house.submit(house.chain("a"))
    assert relay_outbox(house.database, SilentBell()) == 0
    assert house.statuses(job_id) == {"a": "queued"}
    bell = Bell()
    assert relay_outbox(house.database, bell) == 1
    assert bell.rung == [house.steps(job_id)["a"].id]


def test_a_quiet_house_has_nothing_to_sweep(house: Any) -> None:
    job_id = house.submit(house.chain("a"))
    house.claim_named(job_id, "a")
    assert sweep(house.database, max_attempts=3) == Swept(0, 0, 0, 0)


def test_a_step_whose_worker_went_silent_is_queued_again(house: Any) -> None:
    job_id = house.submit(house.chain("a"))
    relay_outbox(house.database, Bell())
    house.let_lease_lapse(house.claim_named(job_id, "a"))
    assert sweep(house.database, max_attempts=3) == Swept(1, 0, 0, 0)
    assert house.statuses(job_id) == {"a": "queued"}
    assert relay_outbox(house.database, Bell()) == 1


def test_past_its_attempts_a_silent_step_fails_with_a_reason(house: Any) -> None:
    job_id = house.submit(house.chain("a", "b"))
    for _ in range(3):
        house.let_lease_lapse(house.claim_named(job_id, "a"))
        sweep(house.database, max_attempts=3)
    job = house.job(job_id)
    assert job.status == "failed"
    assert job.error["code"] == "worker_lost"
    assert job.error["hint"]


def test_a_lapsed_step_of_a_cancelled_job_ends_the_job(house: Any) -> None:
    job_id = house.submit(house.chain("a", "b"))
    claimed = house.claim_named(job_id, "a")
    with house.database.write() as session:
        JobRepository(session, house.workspace_id).cancel(job_id)
    house.let_lease_lapse(claimed)
    sweep(house.database, max_attempts=3)
    assert house.job(job_id).status == "cancelled"


def test_the_doorbell_rings_again_for_a_step_that_no_one_heard(house: Any) -> None:
    job_id = house.submit(house.chain("a"))
    relay_outbox(house.database, Bell())
    _age_rings(house)
    assert sweep(house.database, max_attempts=3).rung == 1
    bell = Bell()
    relay_outbox(house.database, bell)
    assert bell.rung == [house.steps(job_id)["a"].id]
    assert sweep(house.database, max_attempts=3).rung == 0


def test_no_second_ring_is_promised_while_the_first_is_unsent(house: Any) -> None:
    house.submit(house.chain("a"))
    _age_rings(house)
    assert sweep(house.database, max_attempts=3).rung == 0


def test_a_job_that_nothing_drives_any_more_is_ended(house: Any) -> None:
    job_id = house.submit(house.chain("a"))
    with house.database.write() as session:
        session.execute(text("UPDATE steps SET status = 'succeeded'"))
    assert sweep(house.database, max_attempts=3).settled == 1
    assert house.job(job_id).status == "succeeded"


def test_workers_that_were_killed_are_forgotten_after_a_day(house: Any) -> None:
    with house.database.write() as session:
        for name in ("killed", "alive"):
            WorkerRegister(session).seen(name, host="h", queues=[], version="1", step_id=None)
        session.execute(
            text("UPDATE workers SET seen_at = '2020-01-01 00:00:00.000000' WHERE id = 'killed'")
        )
    sweep(house.database, max_attempts=3)
    with house.database.read() as session:
        assert [worker.id for worker in WorkerRegister(session).all()] == ["alive"]


def test_of_some_steps_those_that_are_over_or_deleted_are_told(house: Any) -> None:
    job_id = house.submit(house.chain("a", "b"))
    house.finish(house.claim_named(job_id, "a"))
    ids = {name: step.id for name, step in house.steps(job_id).items()}
    assert over_among(house.database, [*ids.values(), "step_x"]) == {ids["a"], "step_x"}


def ring_for_idle(house: Any, worker: str = "w1", slots: int = 1) -> int:
    return ring_when_idle(house.database, worker, ["gpu", "cpu"], slots=slots, after_seconds=10)


def test_an_idle_worker_rings_for_a_step_whose_message_was_lost(house: Any) -> None:
    job_id = house.submit(house.chain("a"))
    relay_outbox(house.database, Bell())
    assert ring_for_idle(house) == 0  # it was rung for just now
    _age_rings(house)
    assert ring_for_idle(house) == 1
    bell = Bell()
    relay_outbox(house.database, bell)
    assert bell.rung == [house.steps(job_id)["a"].id]


def test_a_worker_that_is_at_work_rings_for_nothing(house: Any) -> None:
    house.claim_named(house.submit(house.chain("a", "b")), "a")
    house.submit(house.chain("c", "d"))
    relay_outbox(house.database, Bell())
    _age_rings(house)
    assert ring_for_idle(house, "w1") == 0
    assert ring_for_idle(house, "w1", slots=2) == 1


def test_an_idle_worker_rings_for_no_more_steps_than_it_has_slots(house: Any) -> None:
    for name in "abcd":
        house.submit(house.chain(name * 2, "end"))
    relay_outbox(house.database, Bell())
    _age_rings(house)
    assert ring_for_idle(house, slots=3) == 3


def test_no_worker_rings_for_what_it_could_not_begin(house: Any) -> None:
    house.claim_named(house.submit(house.chain("a", "b")), "a")
    house.submit(house.chain("a", "b"))  # its twin runs
    house.submit(house.chain("n", "m", code_version=99))  # newer code than here
    later = house.submit(house.chain("l", "k"))
    _age_rings(house)
    with house.database.write() as session:
        session.execute(
            text("UPDATE steps SET available_at = '2999-01-01 00:00:00.000000' WHERE id = :id"),
            {"id": house.steps(later)["l"].id},
        )
    assert ring_for_idle(house, "w2", slots=9) == 0


def test_what_an_idle_worker_has_rung_for_is_not_rung_for_again_at_once(house: Any) -> None:
    house.submit(house.chain("a", "b"))
    relay_outbox(house.database, SilentBell())
    _age_rings(house)
    # The broker is down, and many workers have many rounds meanwhile.
    rung = [ring_for_idle(house, f"w{number}") for number in range(5)]
    assert sum(rung) <= 1


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
@pytest.mark.parametrize("hours", [-1, 1])
def test_leases_go_by_the_databases_clock_and_not_by_the_workers(
    house: Any, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    class Wrong(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return datetime.now(tz) + timedelta(hours=hours)

    job_id = house.submit(house.chain("a", "b"))
    claimed = house.claim_named(job_id, "a")
    monkeypatch.setattr("store.columns.datetime", Wrong)
    assert sweep(house.database, max_attempts=3).requeued == 0
    house.finish(claimed)
    second = house.claim_named(job_id, "b")
    monkeypatch.undo()
    assert sweep(house.database, max_attempts=3).requeued == 0
    assert house.finish(second)


def test_a_worker_is_at_work_for_as_long_as_it_holds_a_step(house: Any) -> None:
    job_id = house.submit(house.chain("a"))
    claimed = house.claim_named(job_id, "a")
    worker_id = house.steps(job_id)["a"].worker_id
    assert is_at_work(house.database, worker_id)
    assert not is_at_work(house.database, "another")
    with house.database.write() as session:
        session.get_one(Step, claimed.id).place = "here"
        for name, host in ((worker_id, "this machine"), ("another", "this machine")):
            WorkerRegister(session).seen(name, host=host, queues=[], version="1", step_id=None)
    assert is_at_work(house.database, "another", place="here")
    assert is_at_work(house.database, "another", host="this machine")
    assert not is_at_work(house.database, "another", place="elsewhere", host="elsewhere")
    assert house.finish(claimed)
    assert not is_at_work(house.database, worker_id)
