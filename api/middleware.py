"""A request's id, its line in the log, its span, and its place in the metrics."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
import uuid

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import problems
from api.metrics import Metrics
from store.tracing import NO_TRACING, Origin, Span, parent_of, set_origin, trace_id_of

# No one hears this; it is for the log and the metrics, where a 500 would raise an alarm.
_CLIENT_WENT_AWAY = 499
# Asked every few seconds: a span of each would bury the others.
_PROBES = ("/livez", "/readyz", "/metrics")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_PART = re.compile(r"/v1/uploads/[^/]+/parts/[^/]+")
_log = structlog.get_logger("api")


class JsonLimit:
    """Refuses a JSON body that says it is too large, before it is read.

    One that does not say is counted by the framework while it is read. Uploads count themselves.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, uploads: str) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._uploads = uploads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "http" and not self._counts_itself(scope["path"]):
            declared = Headers(scope=scope).get("content-length", "")
            if declared.isdecimal() and int(declared) > self._max_bytes:
                refused = problems.answer(Request(scope), problems.too_large())
                await refused(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _counts_itself(self, path: str) -> bool:
        return path == self._uploads or _PART.fullmatch(path) is not None


class RequestLog:
    """Gives each request an id, and writes a line about it when it is over.

    The route's template is logged, never the query or a body: they may hold names. A client's own
    trace (W3C Trace Context) is gone on with.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        request_id = given if _ID.fullmatch(given) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        parent = parent_of(headers.get("traceparent"))
        is_probe = scope["path"] in _PROBES
        tracing = NO_TRACING if is_probe else scope["app"].state.tracing
        with tracing.span(
            _method(scope), kind="server", parent=parent, http_request_method=_method(scope)
        ) as span:
            traceparent = span.traceparent or parent
            set_origin(Origin(request_id, traceparent))
            structlog.contextvars.clear_contextvars()
            structlog.contextvars.bind_contextvars(request_id=request_id)
            if traceparent is not None:
                structlog.contextvars.bind_contextvars(trace_id=trace_id_of(traceparent))
            exchange = _Exchange(receive, send, request_id)
            started = time.perf_counter()
            self._metrics.requests_in_flight.inc()
            try:
                await self._pass_on(scope, exchange)
            finally:
                self._metrics.requests_in_flight.dec()
                self._note(scope, exchange, time.perf_counter() - started, span)

    async def _pass_on(self, scope: Scope, exchange: _Exchange) -> None:
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except ClientDisconnect:
            exchange.status = _CLIENT_WENT_AWAY
        except asyncio.CancelledError:
            # The service is being stopped, and the time for what is still under way is over.
            if not exchange.has_begun:
                with contextlib.suppress(OSError):
                    stopping = problems.answer(Request(scope), problems.stopping())
                    await stopping(scope, exchange.receive, exchange.send)
            raise
        except Exception as error:
            # Here and not in the framework's own last resort, which would answer without an id.
            _log.error("request_failed", exc_info=error)
            if exchange.has_begun:
                raise  # the server then breaks the connection, so that nobody takes it for whole
            failed = problems.answer(Request(scope), problems.internal())
            await failed(scope, exchange.receive, exchange.send)

    def _note(self, scope: Scope, exchange: _Exchange, seconds: float, span: Span) -> None:
        """Log, count and trace a request that is over."""
        # Ids in a label would make a time series for each: only templates.
        route = getattr(scope.get("route"), "path_format", "none")
        metrics, status = self._metrics, exchange.status
        metrics.received_bytes.labels(route).inc(exchange.received_bytes)
        metrics.sent_bytes.labels(route).inc(exchange.sent_bytes)
        metrics.request_seconds.labels(_method(scope), route, str(status)).observe(seconds)
        span.rename(f"{_method(scope)} {route}")
        span.note(http_route=route, http_response_status__code=status)
        if status >= 500:
            span.fail(str(status))
        _log.info(
            "request",
            method=_method(scope),
            route=route,
            status=status,
            seconds=round(seconds, 4),
            received_bytes=exchange.received_bytes,
            sent_bytes=exchange.sent_bytes,
        )


def _method(scope: Scope) -> str:
    """Return the method, of which a client may make up any number; they share one name."""
    method: str = scope["method"]
    return method if method in _METHODS else "other"


class _Exchange:
    """What goes in and out for one request, counted."""

    def __init__(self, receive: Receive, send: Send, request_id: str) -> None:
        self._receive = receive
        self._send = send
        self._request_id = request_id
        self.status = 500
        self.has_begun = False
        self.received_bytes = 0
        self.sent_bytes = 0

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self.received_bytes += len(message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.has_begun = True
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-ID"] = self._request_id
        elif message["type"] == "http.response.body":
            self.sent_bytes += len(message.get("body", b""))
        await self._send(message)
