"""Lines of a step's child in the job's log: written from a thread, bounded, without names."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from store.columns import utc_now
from store.deleting import delete_job, hold_jobs
from store.page_tables import LogLine
from store.records import ClaimedStep
from store.steps import StepLedger
from store.tables import Job
from worker import step_log
from worker.step_log import StepLog


@pytest.fixture
def claimed(yard: Any) -> ClaimedStep:
    step_id = yard.submit()
    with yard.database.write() as session:
        found = StepLedger(session).claim(step_id, worker_id="w", lease_seconds=60, max_attempts=3)
    assert found is not None
    return found


def lines(yard: Any) -> list[LogLine]:
    with yard.database.read() as session:
        rows = session.scalars(select(LogLine).order_by(LogLine.id)).all()
        return [row for row in rows if not row.text.startswith("Started")]


def test_lines_are_written_in_order_while_the_step_runs_and_at_its_end(
    yard: Any, claimed: ClaimedStep
) -> None:
    with StepLog(yard.database, claimed) as told:
        told.tell("one")
        told.tell("two", "warning")
        until = time.monotonic() + 20
        while len(lines(yard)) < 2 and time.monotonic() < until:
            time.sleep(0.02)
        assert [line.text for line in lines(yard)] == ["one", "two"]
        told.tell("three")
    found = lines(yard)
    assert [(line.text, line.level) for line in found] == [
        ("one", "info"),
        ("two", "warning"),
        ("three", "info"),
    ]
    assert {(line.attempt, line.step_name) for line in found} == {(1, "train")}
    assert all(utc_now() - line.created_at < timedelta(seconds=60) for line in found)


def test_names_of_classes_are_left_out(yard: Any, claimed: ClaimedStep) -> None:
    facts = claimed.dataset
    assert facts is not None
    facts.classes["Kim Min-su"] = {"train": 1}
    with StepLog(yard.database, claimed) as told:
        told.notice("There was no more of Kim Min-su.", "warning")
    assert [line.text for line in lines(yard)] == ["There was no more of <class>."]


def test_a_child_that_tells_without_end_is_heard_up_to_a_point(
    yard: Any, claimed: ClaimedStep, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step_log, "MOST_LINES", 4)
    with StepLog(yard.database, claimed) as told:
        for number in range(50):
            told.tell(str(number))
    assert [line.text for line in lines(yard)] == [
        "0",
        "1",
        "2",
        "There was more to tell of this attempt than is kept.",
    ]


def test_a_database_that_is_away_keeps_nobody_and_loses_nothing_once_it_is_back(
    yard: Any, claimed: ClaimedStep, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step_log, "_RETRY_SECONDS", 0.05)
    monkeypatch.setattr(step_log, "_BATCH_SECONDS", 0.05)
    write, is_away = yard.database.write, [True]
    tried: list[float] = []

    def flaky() -> AbstractContextManager[Any]:
        tried.append(time.monotonic())
        if is_away[0]:
            raise OperationalError("INSERT", {}, Exception("away"))
        return write()  # type: ignore[no-any-return]

    monkeypatch.setattr(yard.database, "write", flaky)
    began = time.monotonic()
    with StepLog(yard.database, claimed) as told:
        told.tell("said meanwhile")
        assert time.monotonic() - began < 0.5
        while len(tried) < 3:
            time.sleep(0.02)
        is_away[0] = False
    assert [line.text for line in lines(yard)] == ["said meanwhile"]
    is_away[0] = True
    with StepLog(yard.database, claimed) as told:
        told.tell("never")
    assert len(lines(yard)) == 1


def test_of_a_job_that_is_gone_nothing_is_told(yard: Any, claimed: ClaimedStep) -> None:
    with yard.database.write() as session:
        (job,) = hold_jobs(session, Job.id == claimed.job_id)
        delete_job(session, job)
    with StepLog(yard.database, claimed) as told:
        told.tell("to nobody")
    assert lines(yard) == []
