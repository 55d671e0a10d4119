"""A machine's clock is set back while steps wait: they must not wait until it has caught up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from store.outbox import relay_outbox
from store.records import StepError
from store.steps import StepLedger
from store.sweeping import ring_when_idle, sweep
from tests.store.machine.clock import FakeClock, fake_clock

A_DAY = 24 * 3600.0


class Deaf:
    """A broker that takes every message and forgets it."""

    def __init__(self) -> None:
        self.forgotten: list[tuple[str, str]] = []

    def ring(self, queue: str, step_id: str) -> None:
        self.forgotten.append((queue, step_id))


@pytest.fixture
def clock() -> Iterator[FakeClock]:
    with fake_clock() as clock:
        yield clock


def test_a_step_whose_message_was_lost_is_rung_for_after_the_clock_was_set_back(
    clock: FakeClock, house: Any
) -> None:
    house.submit(house.chain("a"))
    assert relay_outbox(house.database, Deaf()) == 1
    clock.move(-A_DAY)
    for _ in range(10):
        clock.move(60.0)
        sweep(house.database, max_attempts=3)
    assert relay_outbox(house.database, Deaf()) > 0


def test_an_idle_worker_rings_for_such_a_step(clock: FakeClock, house: Any) -> None:
    house.submit(house.chain("a"))
    relay_outbox(house.database, Deaf())
    clock.move(-A_DAY)
    clock.move(600.0)
    assert ring_when_idle(house.database, "w1", ["cpu"], slots=1, after_seconds=10.0) == 1


def test_a_pause_before_another_try_does_not_grow_by_what_the_clock_was_set_back(
    clock: FakeClock, house: Any
) -> None:
    job_id = house.submit(house.chain("a"))
    for _ in range(2):
        claimed = house.claim_named(job_id, "a")
        with house.database.write() as session:
            StepLedger(session).fail(
                claimed.id,
                claimed.token,
                StepError("crashed", "It crashed."),
                retryable=True,
                max_attempts=3,
                pause_seconds=30.0,
            )
    clock.move(-A_DAY)
    for _ in range(20):
        clock.move(60.0)
        sweep(house.database, max_attempts=3)
    assert house.claim(house.steps(job_id)["a"].id) is not None


def test_a_lease_lapses_although_the_clock_was_set_back(clock: FakeClock, house: Any) -> None:
    job_id = house.submit(house.chain("a"))
    house.claim_named(job_id, "a")
    clock.move(-A_DAY)
    assert sweep(house.database, max_attempts=3).requeued == 1
    assert house.statuses(job_id) == {"a": "queued"}
