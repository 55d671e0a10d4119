"""When a lease has lapsed, and how often a step may be tried, on both databases."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from store.columns import utc_now
from store.leases import has_lapsed, may_try_again
from store.outbox import relay_outbox
from store.records import ClaimedStep, StepError
from store.step_tables import Step
from store.steps import StepLedger
from store.sweeping import Swept, sweep

CRASHED = StepError("crashed", "The step's process ended.", "Look at its log.")


class Bell:
    def __init__(self) -> None:
        self.rung: list[str] = []

    def ring(self, queue: str, step_id: str) -> None:  # noqa: ARG002
        self.rung.append(step_id)


def get_to(house: Any, claimed: ClaimedStep, fraction: float) -> None:
    with house.database.write() as session:
        assert (
            StepLedger(session)
            .heartbeat(claimed.id, claimed.token, lease_seconds=60, fraction=fraction)
            .held
        )


def crash(house: Any, claimed: ClaimedStep, **changes: Any) -> str | None:
    how: dict[str, Any] = {"retryable": True, "max_attempts": 3, **changes}
    with house.database.write() as session:
        return StepLedger(session).fail(claimed.id, claimed.token, CRASHED, **how)


def set_lease(house: Any, claimed: ClaimedStep, seconds_from_now: float) -> None:
    with house.database.write() as session:
        ends = utc_now() + timedelta(seconds=seconds_from_now)
        session.execute(update(Step).where(Step.id == claimed.id).values(lease_expires_at=ends))


def test_a_step_that_gets_on_may_lose_its_worker_as_often_as_it_likes(house: Any) -> None:
    job_id = house.submit(house.chain("a"))
    for attempt in range(1, 9):
        claimed = house.claim_named(job_id, "a")
        assert claimed.attempt == attempt
        get_to(house, claimed, attempt / 10)
        house.let_lease_lapse(claimed)
        assert sweep(house.database, max_attempts=3).requeued == 1
    assert house.finish(house.claim_named(job_id, "a"))
    assert house.job(job_id).status == "succeeded"


def test_a_step_that_gets_on_may_crash_as_often_as_it_likes(house: Any) -> None:
    job_id = house.submit(house.chain("a"))
    for attempt in range(1, 7):
        claimed = house.claim_named(job_id, "a")
        get_to(house, claimed, attempt / 10)
        assert crash(house, claimed) == "retried"


def test_a_step_that_always_ends_at_the_same_place_fails_after_its_attempts(house: Any) -> None:
    job_id = house.submit(house.chain("a"))
    words = []
    for _ in range(4):
        claimed = house.claim_named(job_id, "a")
        get_to(house, claimed, 0.9)
        words.append(crash(house, claimed))
    # The first got somewhere; three more did not get further.
    assert words == ["retried", "retried", "retried", "failed"]
    assert house.job(job_id).error["code"] == "crashed"


def test_an_attempt_that_shows_nothing_does_not_pass_for_the_one_before_it(house: Any) -> None:
    job_id = house.submit(house.chain("a"))
    claimed = house.claim_named(job_id, "a")
    get_to(house, claimed, 0.5)
    words = [crash(house, claimed)]
    # These end before they have told anything: what the row still shows is not theirs.
    words += [crash(house, house.claim_named(job_id, "a")) for _ in range(3)]
    assert words == ["retried", "retried", "retried", "failed"]


def test_progress_after_two_bad_attempts_gives_it_new_ones(house: Any) -> None:
    job_id = house.submit(house.chain("a"))
    for _ in range(2):
        assert crash(house, house.claim_named(job_id, "a")) == "retried"
    claimed = house.claim_named(job_id, "a")
    get_to(house, claimed, 0.2)
    assert crash(house, claimed) == "retried"
    for _ in range(2):
        assert crash(house, house.claim_named(job_id, "a")) == "retried"
    assert crash(house, house.claim_named(job_id, "a")) == "failed"


def test_a_hairs_breadth_is_no_progress() -> None:
    step = Step(fraction=0.5, best_fraction=0.4995, strikes=2)
    assert not may_try_again(step, 3)
    assert step.best_fraction == 0.4995
    step = Step(fraction=0.51, best_fraction=0.5, strikes=2)
    assert may_try_again(step, 3)


def test_a_worker_that_is_lost_again_and_again_fails_the_step_with_a_reason(house: Any) -> None:
    job_id = house.submit(house.chain("a", "b"))
    swept = []
    for _ in range(3):
        house.let_lease_lapse(house.claim_named(job_id, "a"))
        found = sweep(house.database, max_attempts=3)
        swept.append((found.requeued, found.failed))
    assert swept == [(1, 0), (1, 0), (0, 1)]
    error = house.steps(job_id)["a"].error
    assert error["code"] == "worker_lost"
    assert error["hint"]
    assert house.job(job_id).status == "failed"


def test_a_handed_back_step_has_no_mark_against_it(house: Any) -> None:
    job_id = house.submit(house.chain("a"))
    for _ in range(5):
        claimed = house.claim_named(job_id, "a")
        with house.database.write() as session:
            assert StepLedger(session).release(claimed.id, claimed.token)
    assert house.steps(job_id)["a"].strikes == 0


def test_the_pause_before_another_try_grows_with_every_one_that_got_no_further(house: Any) -> None:
    job_id = house.submit(house.chain("a"))
    pauses = []
    for _ in range(4):
        claimed = house.claim_named(job_id, "a")
        assert crash(house, claimed, max_attempts=10, pause_seconds=10.0) == "retried"
        step = house.steps(job_id)["a"]
        pause = 0.0
        if step.available_at is not None:
            pause = (step.available_at - step.rung_at).total_seconds()
            assert house.claim(step.id) is None
        pauses.append(pause)
        with house.database.write() as session:
            session.execute(update(Step).values(available_at=None))
    assert pauses == [0.0, 10.0, 30.0, 70.0]


def test_the_pause_has_an_end(house: Any) -> None:
    job_id = house.submit(house.chain("a"))
    with house.database.write() as session:
        session.execute(update(Step).values(strikes=40))
    crash(house, house.claim_named(job_id, "a"), max_attempts=100, pause_seconds=15.0)
    step = house.steps(job_id)["a"]
    assert (step.available_at - step.rung_at).total_seconds() == 600


def test_a_step_that_waits_for_another_try_is_rung_for_when_its_time_has_come(house: Any) -> None:
    job_id = house.submit(house.chain("a"))
    for _ in range(2):
        claimed = house.claim_named(job_id, "a")
        crash(house, claimed, max_attempts=9, pause_seconds=20.0)
    relay_outbox(house.database, Bell())
    assert sweep(house.database, max_attempts=9).rung == 0
    with house.database.write() as session:
        session.execute(update(Step).values(available_at=utc_now() - timedelta(seconds=1)))
    assert sweep(house.database, max_attempts=9).rung == 1
    bell = Bell()
    relay_outbox(house.database, bell)
    assert bell.rung == [claimed.id]
    assert sweep(house.database, max_attempts=9).rung == 0


def test_a_lease_far_in_the_future_was_written_by_a_clock_that_was_set_back(house: Any) -> None:
    job_id = house.submit(house.chain("a"))
    claimed = house.claim_named(job_id, "a")
    set_lease(house, claimed, 2 * 24 * 3600)
    assert sweep(house.database, max_attempts=3) == Swept(1, 0, 0, 0)
    assert house.statuses(job_id) == {"a": "queued"}


def test_a_lease_far_in_the_future_can_be_claimed_as_a_lapsed_one_can(house: Any) -> None:
    job_id = house.submit(house.chain("a"))
    old = house.claim_named(job_id, "a")
    set_lease(house, old, 2 * 24 * 3600)
    new = house.claim(old.id, "w2")
    assert new is not None
    assert new.token != old.token


@pytest.mark.parametrize("left", [20, 60, 3600])
def test_a_lease_as_long_as_leases_can_be_holds(house: Any, left: float) -> None:
    job_id = house.submit(house.chain("a"))
    claimed = house.claim_named(job_id, "a")
    set_lease(house, claimed, left)
    assert not has_lapsed(utc_now() + timedelta(seconds=left), utc_now())
    assert sweep(house.database, max_attempts=3).requeued == 0
    assert house.claim(claimed.id, "w2") is None


def test_the_lease_of_a_worker_that_was_given_longer_ones_is_left_alone(house: Any) -> None:
    # GRAFT_LEASE_SECONDS is being raised, and some workers have been started anew already.
    house.lease_seconds = 300.0
    job_id = house.submit(house.chain("a"))
    claimed = house.claim_named(job_id, "a")
    assert sweep(house.database, max_attempts=3).requeued == 0
    assert house.finish(claimed)


def test_a_lease_whose_holder_is_known_to_be_gone_need_not_have_lapsed(house: Any) -> None:
    job_id = house.submit(house.chain("a"))
    claimed = house.claim_named(job_id, "a")
    with house.database.write() as session:
        ledger = StepLedger(session)
        assert ledger.expire(claimed.id, max_attempts=3, dead_token="another's") is None
        assert ledger.expire(claimed.id, max_attempts=3, dead_token=claimed.token) == "requeued"
    assert house.statuses(job_id) == {"a": "queued"}
