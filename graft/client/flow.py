"""Calls as generators: they yield what is to be done and are sent what came of it.

A flow does no input or output of its own, so the same flow serves both clients. It is driven by
``graft.client.synchronous`` or ``graft.client.asynchronous``.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import httpx

from graft.client.errors import from_reply, retry_after, unreachable

T = TypeVar("T")

OnBytes = Callable[[int, int], None]
"""Called with (bytes so far, bytes in all)."""

IDEMPOTENCY_KEY = "Idempotency-Key"
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
    is_harmless: bool = False
    """Whether a POST has no effect the second time even without a key: a dry run, a cancel."""

    @property
    def is_repeatable(self) -> bool:
        """Whether sending it twice has the effect of sending it once."""
        return self.method != "POST" or self.is_harmless or IDEMPOTENCY_KEY in self.headers


@dataclass(frozen=True)
class Fetch:
    """Download into ``part``, after what it holds already; answer with a ``Reply`` (no body)."""

    path: str
    part: Path
    size: int | None
    """Bytes; None: not known, so that it can only be fetched whole."""
    on_bytes: OnBytes | None = None

    def fetched(self) -> int:
        """Return how many bytes are there."""
        return self.part.stat().st_size if self.part.exists() else 0


@dataclass(frozen=True)
class Blocking:
    """Do what would hold up an event loop, answer with what it returns."""

    do: Callable[[], Any]


@dataclass(frozen=True)
class Sleep:
    """Wait."""

    seconds: float


Effect = Send | Fetch | Blocking | Sleep
Flow = Generator[Effect, Any, T]


@dataclass(frozen=True)
class Patience:
    """How often and how long to try again.

    Attributes:
        retries: New tries. Of a download, those in a row that bring nothing new.
        first_wait: Seconds before the first of them; doubled from try to try, with jitter.
        longest_wait: Seconds that it is doubled up to.
    """

    retries: int = 5
    first_wait: float = 0.5
    longest_wait: float = _LONGEST_WAIT

    def wait(self, attempt: int) -> float:
        """Return the seconds to wait after an attempt, counted from 0."""
        longest = min(self.longest_wait, self.first_wait * 2.0**attempt)
        return longest * random.uniform(0.5, 1.0)  # noqa: S311 - jitter

    def for_long(self) -> Patience:
        """Return the patience of someone who waits for hours anyway: a restart passes."""
        return replace(self, retries=2 * self.retries)


def reliably(effect: Send | Fetch, patience: Patience, base_url: str) -> Flow[Reply]:
    """Carry out a request, trying again where that is safe and may help.

    Tried again: no connection, and 429, 502, 503, 504, after the seconds that the service asks
    for, else after a doubling wait; a 429 that asks for more than a minute is told at once; and 409
    while another try of the same request, whose answer was lost, is still under way. A connection
    that broke in the middle, or an answer that was cut short, is tried again only for requests that
    may be repeated. A DELETE that then finds nothing has done its work before.

    Raises:
        ApiError: The service refused, or did not answer in the end.
    """
    may_have_arrived = False
    furthest = effect.fetched() if isinstance(effect, Fetch) else 0
    attempt = 0
    while True:
        wait = patience.wait(attempt)
        try:
            reply: Reply = yield effect
        except httpx.TransportError as error:
            if isinstance(effect, Fetch) and effect.fetched() > furthest:
                furthest, attempt = effect.fetched(), 0  # it gets on
                wait = patience.wait(attempt)
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
            is_over = attempt >= patience.retries
            if is_over or not is_worth_another_try(effect, reply):
                raise from_reply(reply.status, reply.body, reply.headers)
            asked = retry_after(reply.headers)
            wait = wait if asked is None else min(asked, _LONGEST_WAIT)
        attempt += 1
        yield Sleep(wait)


def is_worth_another_try(effect: Send | Fetch, reply: Reply) -> bool:
    """Say whether a refusal may be another answer next time, and asking again is safe."""
    asked = retry_after(reply.headers)
    # A quota of the day is not waited for: that is for the person to decide.
    if reply.status == 429:
        return asked is None or asked <= _LONGEST_WAIT
    if reply.status in {502, 504}:
        return isinstance(effect, Fetch) or effect.is_repeatable
    if reply.status == 409:
        return from_reply(409, reply.body, reply.headers).code == _UNDER_WAY
    return reply.status == 503
