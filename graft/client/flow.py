"""Calls as generators: they yield what is to be done and are sent what came of it.

A flow does no input or output of its own, so the same flow serves both clients. It is driven by
``graft.client.synchronous`` or ``graft.client.asynchronous``.
"""

from __future__ import annotations

import base64
import itertools
import random
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, TypeVar

import httpx

from graft.client.errors import from_reply, unreachable

T = TypeVar("T")

OnBytes = Callable[[int, int], None]
"""Called with (bytes so far, bytes in all)."""

RETRIED_STATUSES = frozenset({429, 502, 503, 504})
_UNDER_WAY = "request_under_way"
_LONGEST_WAIT = 60.0


@dataclass(frozen=True)
class Reply:
    """An answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Send:
    """Send a request, answer with a ``Reply``."""

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    file: Path | None = None
    """Streamed as the body."""
    start: int = 0
    """Byte of the file with which the body begins."""
    length: int | None = None
    """Bytes of the body; None: to the file's end."""
    on_bytes: OnBytes | None = None
    is_repeatable: bool = True
    """Whether sending it twice has the effect of sending it once."""


@dataclass(frozen=True)
class Fetch:
    """Download into ``part``, after what it holds already; answer with a ``Reply`` (no body)."""

    path: str
    part: Path
    size: int
    on_bytes: OnBytes | None = None


@dataclass(frozen=True)
class FileDigests:
    """SHA-256 of a file and of its parts, hex."""

    whole: str
    parts: list[str]

    def header(self, number: int) -> str:
        """Return ``Repr-Digest`` (RFC 9530) of a part, counted from 1."""
        return f"sha-256=:{base64.b64encode(bytes.fromhex(self.parts[number - 1])).decode()}:"


@dataclass(frozen=True)
class Digests:
    """Read a file for its checksums, answer with ``FileDigests``."""

    path: Path
    part_size: int
    on_bytes: OnBytes | None = None


@dataclass(frozen=True)
class Sleep:
    """Wait."""

    seconds: float


Effect = Send | Fetch | Digests | Sleep
Flow = Generator[Effect, Any, T]


@dataclass(frozen=True)
class Patience:
    """How often and how long to try again."""

    retries: int = 5
    first_wait: float = 0.5
    """Seconds before the first new try; doubled from try to try, with jitter."""


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a ``Retry-After`` header asks for (RFC 9110, 10.2.3), or None."""
    value = headers.get("retry-after")
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def reliably(effect: Send | Fetch, patience: Patience, base_url: str) -> Flow[Reply]:
    """Carry out a request, trying again where that is safe and may help.

    Tried again: no connection, and 429, 502, 503, 504, after the seconds that the service asks
    for, else after a doubling wait; a 429 that asks for more than a minute is told at once; and 409
    while another try of the same request, whose answer was lost, is still under way. A connection
    that broke in the middle is tried again only for requests that may be repeated. A DELETE that
    then finds nothing has done its work before.

    Raises:
        ApiError: The service refused, or did not answer in the end.
    """
    may_have_arrived = False
    for attempt in itertools.count():
        wait = min(_LONGEST_WAIT, patience.first_wait * 2**attempt) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
        try:
            reply: Reply = yield effect
        except httpx.TransportError as error:
            is_safe = isinstance(effect, Fetch) or effect.is_repeatable
            never_arrived = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
            if attempt >= patience.retries or not (is_safe or never_arrived):
                raise unreachable(base_url, str(error) or type(error).__name__) from error
            may_have_arrived = may_have_arrived or not never_arrived
        else:
            is_delete = isinstance(effect, Send) and effect.method == "DELETE"
            if reply.status < 400 or (reply.status == 404 and is_delete and may_have_arrived):
                return reply
            # A gateway does not know whether the service behind it did what it was asked.
            may_have_arrived = may_have_arrived or reply.status in {502, 504}
            asked = retry_after(reply.headers)
            # A quota of the day is not waited for: that is for the person to decide.
            is_long = reply.status == 429 and asked is not None and asked > _LONGEST_WAIT
            is_retried = reply.status in RETRIED_STATUSES or _is_under_way(reply)
            if not is_retried or is_long or attempt >= patience.retries:
                raise from_reply(reply.status, reply.body)
            wait = wait if asked is None else min(asked, _LONGEST_WAIT)
        yield Sleep(wait)
    raise AssertionError("unreachable")  # pragma: no cover - count() does not end


def _is_under_way(reply: Reply) -> bool:
    return reply.status == 409 and from_reply(reply.status, reply.body).code == _UNDER_WAY
