"""How uvicorn is to serve the app: limits, and problem documents for what never reaches the app."""

from __future__ import annotations

import json
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from api.guards import MAX_HEAD_BYTES
from api.problems import MEDIA_TYPE

KEEP_ALIVE_SECONDS = 75
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
    """Answers what cannot be read as HTTP as it answers everything else: RFC 9457."""

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
