"""What a browser may do with the answers, and under which names the service answers at all."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import problems
from api.problems import Problem

# An answer that a browser was made to open by itself shows nothing, runs nothing, and stands in
# no one's frame. Pages for people, and files, say what they need.
_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "private, no-cache",
}
# The request line and all headers together. A key, an ETag and a cursor are far below.
MAX_HEAD_BYTES = 32 * 1024
# Probes come by address, not by name.
_PROBES = frozenset({"/livez", "/readyz", "/metrics"})
_ASKED_WITH = [
    "Authorization",
    "Content-Type",
    "Content-Digest",
    "Graft-Workspace",
    "Idempotency-Key",
    "If-None-Match",
    "If-Range",
    "Last-Event-ID",
    "Range",
    "Repr-Digest",
    "X-Request-ID",
]
_SHOWN = [
    "Accept-Ranges",
    "Content-Disposition",
    "Content-Range",
    "ETag",
    "Idempotency-Replayed",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
    "Repr-Digest",
    "Retry-After",
    "WWW-Authenticate",
    "X-Request-ID",
]


class SecurityHeaders:
    """Adds the headers that every answer carries, where it does not say otherwise itself.

    Args:
        app: What answers.
        hsts_seconds: For how long browsers shall ask over https alone (RFC 6797); 0: not said.
    """

    def __init__(self, app: ASGIApp, hsts_seconds: int = 0) -> None:
        self._app = app
        self._always = dict(_ALWAYS)
        if hsts_seconds:
            self._always["Strict-Transport-Security"] = f"max-age={hsts_seconds}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._always.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_guarded)


class TrustedHosts:
    """Answers only under the names that it knows; probes under any.

    Args:
        app: What answers.
        names: Host names; ``*.example.org`` stands for all below it. None: any name will do, for
            no address that the service gives is made of it.
    """

    def __init__(self, app: ASGIApp, names: Sequence[str]) -> None:
        self._app = app
        self._names = [name.lower() for name in names]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "http" and self._names and scope["path"] not in _PROBES:
            host = _without_port(Headers(scope=scope).get("host", ""))
            if not any(_is_named(host, name) for name in self._names):
                await problems.answer(Request(scope), _unknown_host())(scope, receive, send)
                return
        await self._app(scope, receive, send)


class HeadLimit:
    """Refuses a request whose line and headers together are larger than any honest one's.

    The server's own limit holds only for what arrives in pieces. Refuses also one that says in two
    ways where its body ends (RFC 9112, 6.1): a proxy may have read it in the other.
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "http":
            target = len(scope.get("raw_path") or scope["path"]) + len(scope["query_string"])
            size = target + sum(len(name) + len(value) for name, value in scope["headers"])
            headers = Headers(scope=scope)
            if "transfer-encoding" in headers and "content-length" in headers:
                await problems.answer(Request(scope), _length_unclear())(scope, receive, send)
                return
            if size > self._max_bytes:
                await problems.answer(Request(scope), _head_too_large())(scope, receive, send)
                return
        await self._app(scope, receive, send)


def cross_origin(app: ASGIApp, origins: Sequence[str]) -> ASGIApp:
    """Return the app with CORS (Fetch standard) for exactly these origins; none: without it.

    The key is a header that a script sets, so cookies are never asked for.
    """
    if not origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_credentials=False,
        allow_methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=_ASKED_WITH,
        expose_headers=_SHOWN,
        max_age=600,
    )


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    bare = name if colon and port.isdecimal() and not name.endswith(":") else host
    return bare.lower().rstrip(".")


def _is_named(host: str, name: str) -> bool:
    if name.startswith("*."):
        return host.endswith(name[1:]) and len(host) > len(name) - 1
    return host == name


def _head_too_large() -> Problem:
    return Problem(
        431,
        "head_too_large",
        "The request's address and headers are too large.",
        "Send what is long in the body.",
    )


def _length_unclear() -> Problem:
    return Problem(
        400,
        "bad_request",
        "The request has both a Content-Length and a Transfer-Encoding.",
        "Send one of the two.",
        # What follows on this connection may be a part of the body to somebody else.
        headers={"Connection": "close"},
    )


def _unknown_host() -> Problem:
    return Problem(
        421,
        "host_unknown",
        "The service does not answer under this name.",
        "Use the address that its operator gave you; operators: GRAFT_TRUSTED_HOSTS.",
    )
