"""How far a job is, from its steps' own times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from store.columns import utc_now
from store.progress import WAITING, measure
from store.step_tables import Step
from store.steps import StepLedger

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def step(status: str, begun: float | None = None, ended: float | None = None, **more: Any) -> Step:
    """Return a step of 100 estimated seconds; the times are seconds before ``NOW``."""

    def ago(seconds: float | None) -> datetime | None:
        return None if seconds is None else NOW - timedelta(seconds=seconds)

    values = {"position": 0, "fraction": 0.0, "estimate_seconds": 100.0, "kind": "train"} | more
    return Step(status=status, started_at=ago(begun), finished_at=ago(ended), **values)


def test_before_anything_ran_the_plan_is_believed() -> None:
    measured = measure([step("queued"), step("pending")], NOW, has_begun=False)
    assert (measured.eta_seconds, measured.stage) == (200.0, None)


def test_hours_in_the_queue_do_not_count_as_work() -> None:
    steps = [step("succeeded", 90_000, 89_950), step("running", 25, fraction=0.5), step("pending")]
    assert measure(steps, NOW, has_begun=True).eta_seconds == pytest.approx(75.0)


def test_steps_that_run_side_by_side_are_done_sooner() -> None:
    steps = [step("succeeded", 60, 10), step("succeeded", 55, 0), step("queued"), step("queued")]
    assert measure(steps, NOW, has_begun=True).eta_seconds == pytest.approx(60.0)


def test_a_worker_that_went_silent_is_not_taken_for_one_at_work() -> None:
    lapsed = NOW - timedelta(seconds=970)
    steps = [step("running", 1000, fraction=0.5, lease_expires_at=lapsed)]
    assert measure(steps, NOW, has_begun=True).eta_seconds == pytest.approx(30.0)


def test_a_job_of_which_nothing_runs_says_that_it_waits() -> None:
    steps = [step("succeeded", 60, 10), step("queued")]
    assert measure(steps, NOW, has_begun=True).stage == WAITING
    assert measure([step("succeeded", 60, 10)], NOW, has_begun=True).stage is None
    assert measure([step("running", 5)], NOW, has_begun=True).stage == "train"


def test_a_step_that_goes_on_after_a_break_has_run_for_both_its_parts(house: Any) -> None:
    job_id = house.submit(house.chain("a", "b"))
    step_id = house.steps(job_id)["a"].id
    first = house.claim(step_id, "w1")
    with house.database.write() as session:
        begun = utc_now() - timedelta(seconds=100)
        session.execute(update(Step).where(Step.id == step_id).values(started_at=begun))
        StepLedger(session).heartbeat(step_id, first.token, lease_seconds=60, fraction=0.5)
        StepLedger(session).release(step_id, first.token)
    assert house.job(job_id).stage == WAITING
    with house.database.write() as session:
        # A break of an hour: both ends of what ran lie an hour further back.
        row = session.get_one(Step, step_id)
        assert row.started_at is not None
        assert row.finished_at is not None
        row.started_at -= timedelta(hours=1)
        row.finished_at -= timedelta(hours=1)
    assert house.claim(step_id, "w2") is not None
    job = house.job(job_id)
    assert job.stage == "train"
    assert job.eta_seconds == pytest.approx(300.0, abs=20)
    row = house.steps(job_id)["a"]
    assert row.finished_at is None
