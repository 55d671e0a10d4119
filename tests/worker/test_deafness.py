"""A worker that no longer hears the doorbell notices it, and one that does not is left alone."""

from __future__ import annotations

from typing import Any

import pytest

from store.workers import WorkerRegister
from worker.deafness import Listening
from worker.shared import SharedState


@pytest.fixture
def shared() -> SharedState:
    return SharedState()


@pytest.fixture
def listening(shared: SharedState) -> Listening:
    return Listening(shared, 60.0)


def rounds(listening: Listening, yard: Any, count: int, **what: int) -> list[bool]:
    how = {"rung": 1, "unsent": 0, **what}
    return [listening.note(yard.database, **how) for _ in range(count)]


def test_rings_that_nobody_hears_again_and_again_are_deafness(
    listening: Listening, yard: Any
) -> None:
    assert rounds(listening, yard, 4) == [False, False, False, True]


def test_one_message_that_comes_begins_the_count_anew(
    listening: Listening, shared: SharedState, yard: Any
) -> None:
    rounds(listening, yard, 3)
    shared.hear()
    assert rounds(listening, yard, 4) == [False, False, False, False]


def test_a_worker_without_anything_to_ring_for_is_not_deaf(listening: Listening, yard: Any) -> None:
    assert not any(rounds(listening, yard, 9, rung=0))


def test_while_the_broker_is_away_nobody_is_deaf(listening: Listening, yard: Any) -> None:
    assert not any(rounds(listening, yard, 9, unsent=3))


def test_what_a_paused_worker_may_have_swallowed_says_nothing_of_this_one(
    listening: Listening, yard: Any
) -> None:
    with yard.database.write() as session:
        WorkerRegister(session).seen(
            "another", host="h", queues=["gpu"], version="0", step_id=None, paused="disk_full: full"
        )
    assert not any(rounds(listening, yard, 9))
