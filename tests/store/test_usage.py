"""The ledger: what a step's attempts took, booked once, to whom asked for the job."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from store import steps as steps_module
from store.records import StepError
from store.repositories import UsageLedger
from store.steps import StepLedger
from store.sweeping import sweep
from store.tables import Job
from store.usage import by_day, next_month

_BROKEN = StepError("broken", "It broke.")
Clock = Callable[[float], None]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock that only goes on when it is told to: noon, and so many seconds later."""
    moment = [datetime(2026, 11, 28, 12, tzinfo=UTC)]

    def now(_session: Any) -> datetime:
        return moment[0]

    for name in ("graph", "steps", "settling", "sweeping", "fairness"):
        monkeypatch.setattr(f"store.{name}.now_of", now)
    assert steps_module.now_of is now

    def wait(seconds: float) -> None:
        moment[0] += timedelta(seconds=seconds)

    return wait


def submit(house: Any, actor: str | None, *names: str, **changes: Any) -> str:
    job_id: str = house.submit(house.chain(*(names or ("train", "report")), **changes))
    with house.database.write() as session:
        session.get_one(Job, job_id).created_by = actor
    return job_id


def booked(house: Any, *, by_actor: bool = False) -> dict[Any, float]:
    with house.database.read() as session:
        rows = UsageLedger(session, house.workspace_id).between(
            "2026-01-01", "2027-12-31", by_actor=by_actor
        )
        if by_actor:
            return {(row.day, row.kind, row.actor): round(row.amount, 3) for row in rows}
        return {(row.day, row.kind): round(row.amount, 3) for row in rows}


def test_a_finished_step_is_booked_to_whom_asked_for_the_job_and_on_its_queue(
    house: Any, clock: Clock
) -> None:
    job_id = submit(house, "key_a")
    claimed = house.claim_named(job_id, "train")
    clock(30)
    assert house.finish(claimed)
    report = house.claim_named(job_id, "report")
    clock(2)
    assert house.finish(report)
    assert booked(house, by_actor=True) == {
        ("2026-11-28", "gpu_seconds", "key_a"): 30.0,
        ("2026-11-28", "cpu_seconds", "key_a"): 2.0,
    }


def test_each_attempt_is_booked_once_and_the_breaks_between_them_are_not(
    house: Any, clock: Clock
) -> None:
    job_id = submit(house, "key_a")
    step_id = house.steps(job_id)["train"].id
    first = house.claim(step_id)
    clock(10)
    with house.database.write() as session:
        outcome = StepLedger(session).fail(
            step_id, first.token, _BROKEN, retryable=True, max_attempts=3
        )
        assert outcome == "retried"
    assert booked(house) == {("2026-11-28", "gpu_seconds"): 10.0}
    clock(1000)
    second = house.claim(step_id)
    clock(5)
    with house.database.write() as session:
        assert StepLedger(session).release(step_id, second.token)
    clock(1000)
    third = house.claim(step_id)
    clock(7)
    assert house.finish(third)
    # A worker that comes back late books nothing more.
    clock(50)
    assert not house.finish(second)
    assert booked(house) == {("2026-11-28", "gpu_seconds"): 22.0}


def test_failed_and_cancelled_steps_are_booked_too(house: Any, clock: Clock) -> None:
    failing = submit(house, "key_a", "train-a", "report-a")
    claimed = house.claim_named(failing, "train-a")
    clock(3)
    with house.database.write() as session:
        StepLedger(session).fail(
            claimed.id, claimed.token, _BROKEN, retryable=False, max_attempts=3
        )
    cancelled = submit(house, "key_b", "train-b", "report-b")
    claimed = house.claim_named(cancelled, "train-b")
    clock(4)
    with house.database.write() as session:
        assert StepLedger(session).cancelled(claimed.id, claimed.token)
    assert booked(house, by_actor=True) == {
        ("2026-11-28", "gpu_seconds", "key_a"): 3.0,
        ("2026-11-28", "gpu_seconds", "key_b"): 4.0,
    }


def test_of_a_worker_that_fell_silent_its_lease_is_booked_and_no_more(
    house: Any, clock: Clock
) -> None:
    job_id = submit(house, None)
    for expected in (60.0, 120.0, 180.0):
        house.claim_named(job_id, "train")
        clock(500)
        sweep(house.database, max_attempts=3)
        assert booked(house, by_actor=True) == {("2026-11-28", "gpu_seconds", "system"): expected}
    assert house.job(job_id).status == "failed"


def test_what_was_reused_took_no_time(house: Any, clock: Clock) -> None:
    first = submit(house, "key_a")
    for name in ("train", "report"):
        claimed = house.claim_named(first, name)
        clock(8)
        assert house.finish(claimed)
    before = booked(house)
    clock(8)
    assert house.job(submit(house, "key_b")).status == "succeeded"
    assert booked(house) == before


def test_a_step_that_runs_over_midnight_is_booked_on_both_days(house: Any, clock: Clock) -> None:
    claimed = house.claim_named(submit(house, "key_a"), "train")
    clock(12 * 3600 + 60)
    assert house.finish(claimed)
    assert booked(house) == {
        ("2026-11-28", "gpu_seconds"): 12 * 3600.0,
        ("2026-11-29", "gpu_seconds"): 60.0,
    }


def test_a_clock_that_was_set_back_books_nothing(house: Any, clock: Clock) -> None:
    claimed = house.claim_named(submit(house, "key_a"), "train")
    clock(-100)
    assert house.finish(claimed)
    assert booked(house) == {}


def test_steps_at_work_are_known_before_they_are_booked(house: Any, clock: Clock) -> None:
    noon = datetime(2026, 11, 28, 12, tzinfo=UTC)
    claimed = house.claim_named(submit(house, "key_a"), "train")
    clock(10)
    with house.database.write() as session:
        StepLedger(session).release(claimed.id, claimed.token)
    clock(10)
    house.claim(claimed.id)
    with house.database.read() as session:
        ledger = UsageLedger(session, house.workspace_id)
        later = noon + timedelta(seconds=50)
        assert ledger.gpu_seconds_at_work(later, since=noon) == pytest.approx(30)
        since = noon + timedelta(seconds=45)
        assert ledger.gpu_seconds_at_work(later, since=since) == pytest.approx(5)
        assert ledger.gpu_seconds_at_work(later, since=noon, actor="key_b") == 0
        elsewhere = UsageLedger(session, "ws_other")
        assert elsewhere.gpu_seconds_at_work(later, since=noon) == 0
        assert (elsewhere.unfinished_jobs(), elsewhere.used("gpu_seconds", since="")) == (0, 0.0)


def test_usage_stays_when_its_job_is_deleted(house: Any, clock: Clock) -> None:
    from store.repositories import JobRepository

    job_id = submit(house, "key_a")
    for name in ("train", "report"):
        claimed = house.claim_named(job_id, name)
        clock(8)
        assert house.finish(claimed)
    before = booked(house)
    with house.database.write() as session:
        jobs = JobRepository(session, house.workspace_id)
        jobs.delete(jobs.hold(job_id))
    assert booked(house) == before != {}


def test_nothing_is_lost_when_many_book_at_once(house: Any) -> None:
    def work() -> None:
        for _ in range(10):
            with house.database.write() as session:
                UsageLedger(session, house.workspace_id).book(
                    "upload_bytes", "key_a", 7, day="2026-11-28"
                )

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert booked(house) == {("2026-11-28", "upload_bytes"): 420.0}


def test_a_span_of_time_is_cut_at_each_midnight_of_utc() -> None:
    zone = datetime.fromisoformat("2026-11-28T23:30:00-05:00")  # 04:30 on the 29th in UTC
    assert dict(by_day(zone, zone + timedelta(days=2))) == {
        "2026-11-29": 19.5 * 3600,
        "2026-11-30": 86400.0,
        "2026-12-01": 4.5 * 3600,
    }
    assert next_month(datetime(2026, 12, 31, 23, tzinfo=UTC)) == datetime(2027, 1, 1, tzinfo=UTC)
