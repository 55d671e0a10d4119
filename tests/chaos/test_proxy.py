"""The proxy that stands before the servers."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest
from harness.proxy import Line, Proxy


@pytest.fixture
def echo_port() -> Iterator[int]:
    """A server that sends back what it is sent."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve_one(connection: socket.socket) -> None:
        with connection:
            try:
                while data := connection.recv(1024):
                    connection.sendall(data)
            except OSError:
                return

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=serve_one, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listening.getsockname()[1]
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    thread.join(timeout=5)


@pytest.fixture
def proxy(echo_port: int) -> Iterator[Proxy]:
    made = Proxy(echo_port, delay_seconds=0.2)
    yield made
    made.close()


def connect(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=5)


def test_what_is_sent_arrives_and_comes_back(proxy: Proxy) -> None:
    with connect(proxy) as line:
        line.sendall(b"hello")
        assert line.recv(10) == b"hello"


def test_a_slow_line_is_slow_both_ways(proxy: Proxy) -> None:
    proxy.set(Line.DELAY)
    with connect(proxy) as line:
        begin = time.monotonic()
        line.sendall(b"hello")
        assert line.recv(10) == b"hello"
        assert time.monotonic() - begin >= 0.4


def test_a_hole_swallows_everything_tells_nobody_and_ends_in_a_reset(proxy: Proxy) -> None:
    with connect(proxy) as before:
        before.sendall(b"hello")
        assert before.recv(10) == b"hello"
        proxy.set(Line.HOLE)
        with connect(proxy) as during:
            for line in (before, during):
                line.sendall(b"is anybody there?")
                line.settimeout(0.3)
                with pytest.raises(TimeoutError):
                    line.recv(10)
            proxy.set(Line.PASS)
            for line in (before, during):
                line.settimeout(5)
                with pytest.raises(ConnectionResetError):
                    line.recv(10)
    with connect(proxy) as after:
        after.sendall(b"hello")
        assert after.recv(10) == b"hello"


def test_a_closed_line_resets_and_refuses_until_it_is_good_again(proxy: Proxy) -> None:
    with connect(proxy) as before:
        before.sendall(b"hello")
        assert before.recv(10) == b"hello"
        proxy.set(Line.REFUSE)
        with pytest.raises(ConnectionResetError):
            before.recv(10)
    with pytest.raises(ConnectionRefusedError):
        connect(proxy)
    proxy.set(Line.PASS)
    with connect(proxy) as after:
        after.sendall(b"hello")
        assert after.recv(10) == b"hello"
