"""Reservations of requests, on both databases, and what is kept sealed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import update

from store.access_tables import IdempotentRequest
from store.columns import new_id, utc_now
from store.repositories.idempotency import IdempotentRequests, Reservation
from store.sealing import Seal
from store.tables import Workspace

ASKED = "a" * 64


def _reserve(house: Any, token: str, fingerprint: str = ASKED) -> Reservation:
    with house.database.write() as session:
        return IdempotentRequests(session, house.workspace_id).reserve("k", fingerprint, token, 60)


def _answer(house: Any, token: str) -> bool:
    with house.database.write() as session:
        return IdempotentRequests(session, house.workspace_id).answer(
            "k", token, status_code=202, headers={"Location": "/x"}, body="{}"
        )


def _release(house: Any, token: str) -> bool:
    with house.database.write() as session:
        return IdempotentRequests(session, house.workspace_id).release("k", token)


def _lock_until(house: Any, moment: Any) -> None:
    with house.database.write() as session:
        session.execute(update(IdempotentRequest).values(locked_until=moment))


def _at_once(times: int, call: Callable[[int], None]) -> None:
    threads = [threading.Thread(target=call, args=(number,)) for number in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_of_many_at_once_one_is_let_in(house: Any) -> None:
    states: list[str] = []
    _at_once(6, lambda number: states.append(_reserve(house, f"t{number}").state))
    assert sorted(states) == ["granted"] + ["under_way"] * 5


def test_of_many_that_find_a_dead_attempt_one_takes_it_over(house: Any) -> None:
    assert _reserve(house, "dead").state == "granted"
    _lock_until(house, utc_now() - timedelta(seconds=1))
    states: list[str] = []
    _at_once(6, lambda number: states.append(_reserve(house, f"t{number}").state))
    assert sorted(states) == ["granted"] + ["under_way"] * 5
    # The dead one, which was only slow, can neither answer nor free the key any more.
    assert not _answer(house, "dead")
    assert not _release(house, "dead")


def test_an_answer_is_kept_and_stays(house: Any) -> None:
    assert _reserve(house, "t").state == "granted"
    assert _reserve(house, "u").state == "under_way"
    assert 0 < _reserve(house, "u").seconds_left <= 60
    assert _answer(house, "t")
    assert not _release(house, "t")
    found = _reserve(house, "u")
    assert found.state == "answered"
    assert found.row is not None
    assert (found.row.status_code, found.row.headers, found.row.body) == (
        202,
        {"Location": "/x"},
        "{}",
    )
    assert _reserve(house, "u", "b" * 64).state == "reused"


def test_a_key_that_was_freed_is_anyones(house: Any) -> None:
    assert _reserve(house, "t").state == "granted"
    assert _reserve(house, "u", "b" * 64).state == "reused"
    assert _release(house, "t")
    assert _reserve(house, "u", "b" * 64).state == "granted"


def test_a_clock_that_was_set_back_locks_no_key_for_ever(house: Any) -> None:
    assert _reserve(house, "t").state == "granted"
    _lock_until(house, utc_now() + timedelta(days=1))
    assert _reserve(house, "u").state == "granted"


def test_another_workspace_has_keys_of_its_own(house: Any) -> None:
    assert _reserve(house, "t").state == "granted"
    with house.database.write() as session:
        other = Workspace(id=new_id("ws"), name="another")
        session.add(other)
        session.flush()
        found = IdempotentRequests(session, other.id).reserve("k", "b" * 64, "u", 60)
        assert found.state == "granted"


def test_a_seal_opens_for_its_own_secret_and_purpose_alone() -> None:
    seal = Seal("s" * 32, "letters")
    closed = seal.close("a secret")
    assert "secret" not in closed
    assert closed != seal.close("a secret")
    assert seal.open(closed) == "a secret"
    assert Seal("s" * 32, "parcels").open(closed) is None
    assert Seal("t" * 32, "letters").open(closed) is None
    assert seal.open(closed[:-2] + "xx") is None
