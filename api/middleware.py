"""A request's id, its line in the log, and its place in the metrics."""

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

# No one hears this; it is for the log and the metrics, where a 500 would raise an alarm.
_CLIENT_WENT_AWAY = 499
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

    The route's template is logged, never the query or a body: they may hold names.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _ID.fullmatch(given) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        status = 500
        has_begun = False

        async def send_with_id(message: Message) -> None:
            nonlocal status, has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
            await send(message)

        started = time.perf_counter()
        try:
            await self._app(scope, receive, send_with_id)
        except ClientDisconnect:
            status = _CLIENT_WENT_AWAY
        except asyncio.CancelledError:
            # The service is being stopped, and the time for what is still under way is over.
            if not has_begun:
                with contextlib.suppress(OSError):
                    stopping = problems.answer(Request(scope), problems.stopping())
                    await stopping(scope, receive, send_with_id)
            raise
        except Exception as error:
            # Here and not in the framework's own last resort, which would answer without an id.
            _log.error("request_failed", exc_info=error)
            if has_begun:
                raise  # the server then breaks the connection, so that nobody takes it for whole
            failed = problems.answer(Request(scope), problems.internal())
            await failed(scope, receive, send_with_id)
        finally:
            seconds = time.perf_counter() - started
            # Ids in a label would make a time series for each: only templates.
            route = getattr(scope.get("route"), "path_format", "none")
            self._metrics.request_seconds.labels(scope["method"], route, str(status)).observe(
                seconds
            )
            _log.info(
                "request",
                method=scope["method"],
                route=route,
                status=status,
                seconds=round(seconds, 4),
            )
