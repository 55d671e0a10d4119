"""A real server, and what is no proper HTTP."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn

from api import serving
from api.serving import MAX_HEAD_BYTES, server_options


@pytest.fixture
def address(app: Any) -> Iterator[tuple[str, int]]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(app, **server_options()))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield listening.getsockname()
        finally:
            server.should_exit = True
            thread.join()


def _say(address: tuple[str, int], said: bytes) -> tuple[bytes, dict[str, str], bytes]:
    """Status line, headers and body of what a server answers before it ends the connection."""
    with socket.create_connection(address, timeout=20) as connection:
        connection.sendall(said)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.split(b"\r\n")
    pairs = (line.decode().split(": ", 1) for line in lines)
    return status, {name.lower(): value for name, value in pairs}, body


@pytest.mark.parametrize(
    "said",
    [
        b"this is no request\r\n\r\n",
        b"GET /livez\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        (
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"0\r\n\r\nGET /livez HTTP/1.1\r\nHost: a\r\n\r\n"
        ),
    ],
    ids=range(8),
)
def test_what_cannot_be_read_is_answered_with_a_problem(
    address: tuple[str, int], said: bytes
) -> None:
    status, headers, body = _say(address, said)
    assert status == b"HTTP/1.1 400 Bad Request"
    assert headers["content-type"] == "application/problem+json"
    assert headers["connection"] == "close"
    problem = json.loads(body)
    assert (problem["status"], problem["code"]) == (400, "bad_request")
    assert len(body) == int(headers["content-length"])


@pytest.mark.parametrize("where", ["line", "header"])
def test_a_head_that_is_too_large_is_refused(address: tuple[str, int], where: str) -> None:
    long = b"a" * MAX_HEAD_BYTES
    line, header = (long, b"") if where == "line" else (b"", long)
    said = b"GET /" + line + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-A: " + header
    status, headers, body = _say(address, said + b"\r\n\r\n")
    # Before it has arrived whole there is nothing that could be told apart from nonsense.
    assert status.split(b" ")[1] in {b"400", b"431"}
    assert headers["content-type"] == "application/problem+json"
    assert json.loads(body)["code"] in {"bad_request", "head_too_large"}


def test_what_is_whole_is_answered_and_says_nothing_of_the_server(
    address: tuple[str, int],
) -> None:
    status, headers, body = _say(
        address, b"GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    )
    assert status == b"HTTP/1.1 200 OK"
    assert json.loads(body)["status"] == "alive"
    assert "server" not in headers


def test_a_wish_for_a_web_socket_is_answered_as_plain_http(address: tuple[str, int]) -> None:
    status, headers, _ = _say(
        address,
        b"GET /v1/jobs HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
    )
    assert status == b"HTTP/1.1 401 Unauthorized"
    assert headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"GET /livez HTTP/1.1\r\nX-A:",
        (
            b"POST /v1/jobs HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
            b"Content-Length: 10\r\n\r\n{"
        ),
        b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\nGET /livez",
    ],
    ids=["nothing", "half a head", "half a body", "half a second head"],
)
def test_whoever_does_not_go_on_is_not_waited_for(
    address: tuple[str, int], monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    monkeypatch.setattr(serving, "HEAD_SECONDS", 0.5)
    monkeypatch.setattr(serving, "BODY_PAUSE_SECONDS", 0.5)
    began = time.monotonic()
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(said[:-1])
        time.sleep(0.2)
        connection.sendall(said[-1:])  # a letter now and then buys a head no time
        while connection.recv(65536):
            pass
    assert time.monotonic() - began < 5


def test_whoever_goes_on_slowly_is_waited_for(
    address: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "HEAD_SECONDS", 1)
    monkeypatch.setattr(serving, "BODY_PAUSE_SECONDS", 1)
    head = b"POST /v1/jobs HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(head + b"Content-Length: 6\r\n\r\n")
        for _ in range(6):
            time.sleep(0.4)
            connection.sendall(b" ")
        assert connection.recv(65536).startswith(b"HTTP/1.1 4")
        # Between two requests there is more time.
        time.sleep(1.5)
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
