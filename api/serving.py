"""How uvicorn is to serve the app: limits, and problem documents for what never reaches the app."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from api.guards import MAX_HEAD_BYTES
from api.problems import MEDIA_TYPE

KEEP_ALIVE_SECONDS = 75
HEAD_SECONDS = 60
"""In which a request's line and headers must have come."""
BODY_PAUSE_SECONDS = 120
"""How long nothing may come of a body that has begun."""
_BROKEN = {
    "type": "urn:graft:problem:bad_request",
    "title": "Bad Request",
    "status": 400,
    "detail": "The request is no HTTP/1.1, or its head is too large.",
    "instance": "urn:graft:request:none",
    "code": "bad_request",
    "hint": f"Request line and headers together may have {MAX_HEAD_BYTES} bytes.",
}


class Protocol(H11Protocol):
    """Answers what cannot be read as HTTP as it answers everything else: RFC 9457.

    A connection on which a request has begun, or is expected, and does not go on, is ended: whoever
    opens thousands and says nothing would else keep all others out. Uvicorn ends only those on
    which an answer was sent.
    """

    _patience: asyncio.TimerHandle | None = None
    _awaited: Any = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Expect a request."""
        super().connection_made(transport)
        self._expect()

    def data_received(self, data: bytes) -> None:
        """Read on, and expect what is missing."""
        super().data_received(data)
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing more."""
        self._be_patient()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Expect the rest of a body that came with the request before."""
        super().on_response_complete()
        if self.conn.their_state is h11.SEND_BODY:
            self._expect()

    def _expect(self) -> None:
        state = self.conn.their_state
        # All of a head together has its time; of a body each piece.
        if state is h11.IDLE and self._patience is not None and self._awaited is state:
            return
        self._be_patient()
        if state in (h11.IDLE, h11.SEND_BODY) and not self.transport.is_closing():
            seconds = HEAD_SECONDS if state is h11.IDLE else BODY_PAUSE_SECONDS
            self._awaited = state
            self._patience = self.loop.call_later(seconds, self._lose_patience)

    def _be_patient(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _lose_patience(self) -> None:
        self._patience = None
        if self.flow.read_paused:  # it is we who are slow
            self._expect()
        elif self.conn.their_state is self._awaited:
            self.transport.close()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  # says no more than we do
        """Refuse the request, and end the connection: where the next one begins is not known."""
        body = json.dumps(_BROKEN).encode()
        headers = [
            (b"content-type", MEDIA_TYPE.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
            (b"connection", b"close"),
        ]
        for event in (
            h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
            h11.Data(data=body),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event))
        self.transport.close()


def server_options() -> dict[str, Any]:
    """Return arguments of ``uvicorn.Config`` that hold wherever the API is served."""
    return {
        "http": Protocol,
        "ws": "none",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "h11_max_incomplete_event_size": MAX_HEAD_BYTES,
        # Longer than pollers pause (``Retry-After`` is at most 15 s): each would else have to
        # connect anew every time, and one that writes while we close sees an error.
        "timeout_keep_alive": KEEP_ALIVE_SECONDS,
    }
