"""Numbers that only grow, and since when a step waits."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select, text, update
from sqlalchemy.exc import DBAPIError

from store.columns import utc_now
from store.database import Database
from store.records import StepError
from store.step_tables import OutboxRow, Step
from store.steps import StepLedger
from store.sweeping import sweep
from store.tallies import count, tallies, write_counted

_BROKEN = StepError("diverged", "It diverged.")


def counted(database: Database) -> dict[str, dict[str, int]]:
    with database.read() as session:
        return tallies(session)


def test_what_is_counted_adds_up_over_transactions(database: Database) -> None:
    for by in (1, 41):
        with database.write() as session:
            count(session, "lease_expiries", "lapsed", by)
    assert counted(database) == {"lease_expiries": {"lapsed": 42}}


def test_what_is_rolled_back_was_not_counted(database: Database) -> None:
    def work() -> None:
        with database.write() as session:
            count(session, "lease_expiries", "lapsed")
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        work()
    assert counted(database) == {}


def test_two_who_count_the_same_in_opposite_order_do_not_wait_in_a_circle(
    database: Database,
) -> None:
    failures: list[DBAPIError] = []

    def add(names: list[str]) -> None:
        try:
            for _ in range(20):
                with database.write() as session:
                    for name in names:
                        count(session, name)
        except DBAPIError as error:
            failures.append(error)

    names = [f"n{number}" for number in range(8)]
    threads = [threading.Thread(target=add, args=(order,)) for order in (names, names[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert {tuple(found.items()) for found in counted(database).values()} == {(("", 40),)}


def test_nothing_is_written_twice_for_one_transaction(database: Database) -> None:
    with database.write() as session:
        count(session, "n")
        write_counted(session)
    assert counted(database) == {"n": {"": 1}}


def test_each_outcome_of_a_step_is_counted_by_its_kind(house: Any) -> None:
    job_id = house.submit(house.chain("a", "b", "c"))
    claimed = house.claim_named(job_id, "a")
    with house.database.write() as session:
        assert StepLedger(session).release(claimed.id, claimed.token)
    claimed = house.claim_named(job_id, "a")
    with house.database.write() as session:
        StepLedger(session).fail(claimed.id, claimed.token, _BROKEN, retryable=True, max_attempts=3)
    house.finish(house.claim_named(job_id, "a"))
    house.fail(house.claim_named(job_id, "b"))
    found = counted(house.database)
    assert found["step_outcomes"] == {
        "train handed_back": 1,
        "train retried": 1,
        "train succeeded": 1,
        "train failed": 1,
    }
    assert found["step_runs"] == {"train": 1}
    assert found["step_milliseconds"]["train"] >= 0
    house.submit(house.chain("a", "b"))
    assert counted(house.database)["step_outcomes"]["train reused"] == 1


def test_a_lease_that_is_taken_away_is_counted_once(house: Any) -> None:
    job_id = house.submit(house.chain("a", "b"))
    house.let_lease_lapse(house.claim_named(job_id, "a"))
    for _ in range(2):
        sweep(house.database, max_attempts=3)
    found = counted(house.database)
    assert found["lease_expiries"] == {"lapsed": 1}
    assert found["step_outcomes"] == {"train retried": 1}
    claimed = house.claim_named(job_id, "a")
    with house.database.write() as session:
        StepLedger(session).expire(claimed.id, max_attempts=3, dead_token=claimed.token)
    assert counted(house.database)["lease_expiries"] == {"lapsed": 1, "holder_gone": 1}


def test_a_step_waits_since_it_was_queued_however_often_it_is_rung_for(house: Any) -> None:
    job_id = house.submit(house.chain("a", "b"))
    then = utc_now() - timedelta(hours=1)
    with house.database.write() as session:
        session.execute(update(Step).where(Step.name == "a").values(queued_at=then, rung_at=then))
        session.execute(delete(OutboxRow))
    assert sweep(house.database, max_attempts=3, ring_again_after=0.0).rung == 1
    assert house.steps(job_id)["a"].queued_at == then
    assert house.steps(job_id)["b"].queued_at is None


def test_a_step_that_is_queued_again_waits_anew_and_not_during_its_pause(house: Any) -> None:
    job_id = house.submit(house.chain("a", "b"))
    for _ in range(2):
        with house.database.write() as session:
            session.execute(text("UPDATE steps SET available_at = NULL"))
        claimed = house.claim_named(job_id, "a")
        before = utc_now()
        with house.database.write() as session:
            StepLedger(session).fail(
                *(claimed.id, claimed.token, _BROKEN),
                retryable=True,
                max_attempts=9,
                pause_seconds=100.0,
            )
        with house.database.read() as session:
            queued_at = session.scalar(select(Step.queued_at).where(Step.id == claimed.id))
        assert queued_at is not None
        waits_from = (queued_at - before).total_seconds()
        assert waits_from > -5
    assert waits_from > 95
