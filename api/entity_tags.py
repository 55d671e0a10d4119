"""Entity tags for every JSON document that is looked at, so that what has not changed costs a 304.

An endpoint that knows a cheaper tag (a row's version, a file's digest) sets its own.
"""

from __future__ import annotations

import hashlib

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http_rules import has_tag

# What describes a body that is not sent (RFC 9110, 15.4.5).
_OF_THE_BODY = ("content-length", "content-type")


class EntityTags:
    """Tags JSON answers to GET with the SHA-256 of their bytes (RFC 9110, 8.8.3 and 13.1.2)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and look at what is answered."""
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        asked = Headers(scope=scope).get("if-none-match")
        held: Message | None = None

        async def send_tagged(message: Message) -> None:
            nonlocal held
            if message["type"] == "http.response.start" and _is_taggable(message):
                held = message
                return
            if held is not None:
                start, held = held, None
                # What comes in pieces is a stream, whose whole nobody has yet.
                if message["type"] == "http.response.body" and not message.get("more_body"):
                    message = _tag(start, message, asked)
                await send(start)
            await send(message)

        await self._app(scope, receive, send_tagged)


def _is_taggable(start: Message) -> bool:
    headers = Headers(raw=start["headers"])
    is_json = headers.get("content-type", "").partition(";")[0].strip() == "application/json"
    return is_json and start["status"] == 200 and "etag" not in headers


def _tag(start: Message, body: Message, asked: str | None) -> Message:
    """Put the tag into the head of an answer, and return the body that goes with it."""
    tag = f'"{hashlib.sha256(body.get("body", b"")).hexdigest()[:32]}"'
    headers = MutableHeaders(scope=start)
    headers["ETag"] = tag
    if not has_tag(asked, tag):
        return body
    start["status"] = 304
    for name in _OF_THE_BODY:
        del headers[name]
    return {"type": "http.response.body", "body": b""}
