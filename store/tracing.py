"""Which request is at work, and traces of it (OpenTelemetry, behind the extra ``otel``).

A trace is carried from the API to the workers by the job's row, not by the doorbell's message: that
only says that there is something to do, and whose turn it is may have changed (``store.fairness``).
Where no endpoint is set nothing of OpenTelemetry is imported, and no span is made; a client's own
trace id is written into the logs all the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal

from gan_core.spec.errors import GraftError
from store.settings import Settings

SpanKind = Literal["server", "consumer", "internal"]
Attribute = str | int | float | bool

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?")


@dataclass(frozen=True)
class Origin:
    """The request that asks for what is being done."""

    request_id: str | None = None
    traceparent: str | None = None


_NOBODY = Origin()
_origin: ContextVar[Origin] = ContextVar("graft_origin", default=_NOBODY)


def set_origin(origin: Origin) -> None:
    """Say which request is at work in this context."""
    _origin.set(origin)


def origin() -> Origin:
    """Return which request is at work in this context."""
    return _origin.get()


def parent_of(header: str | None) -> str | None:
    """Return a ``traceparent`` header as version 00 has it, or null where it is not valid.

    W3C Trace Context, section 3.2: of later versions the fields of this one are read.
    """
    found = None if header is None else _TRACEPARENT.fullmatch(header.strip()[:200])
    if found is None:
        return None
    version, trace, span, rest = found.groups()
    is_valid = version != "ff" and (version != "00" or rest is None)
    if not is_valid or not trace.strip("0") or not span.strip("0"):
        return None
    return f"00-{trace}-{span}-{found[0][53:55]}"


def trace_id_of(traceparent: str | None) -> str | None:
    """Return the trace's id: 32 hexadecimal digits."""
    return None if traceparent is None else traceparent.split("-")[1]


class Span:
    """A piece of work in a trace; this one is not recorded."""

    traceparent: str | None = None
    """To be handed on to what belongs below it; null: nothing is recorded."""

    def note(self, **attributes: Attribute) -> None:
        """Add attributes. Underscores in their names stand for dots."""

    def rename(self, name: str) -> None:
        """Give the final name, where it was not known at the start."""

    def fail(self, reason: str) -> None:
        """Mark it as failed, with a code and never what an error said."""


class Tracing:
    """Makes spans; this one makes none."""

    @contextmanager
    def span(
        self,
        name: str,  # noqa: ARG002
        *,
        kind: SpanKind = "internal",  # noqa: ARG002
        parent: str | None = None,  # noqa: ARG002
        **attributes: Attribute,  # noqa: ARG002
    ) -> Iterator[Span]:
        """Record what is done inside.

        Args:
            name: Of few different ones.
            kind: What it is to others.
            parent: The ``traceparent`` below which it belongs; null: it begins a trace.
            attributes: Ids and states; no names of people's. See ``Span.note``.
        """
        yield Span()

    def close(self) -> None:
        """Send what is left."""


NO_TRACING = Tracing()


def start_tracing(settings: Settings, service: str) -> Tracing:
    """Return what makes spans in this process.

    Args:
        settings: With ``otel_endpoint``, or without.
        service: The name of this part: ``graft-api`` or ``graft-worker``.

    Raises:
        GraftError: ``otel_missing``.
    """
    if settings.otel_endpoint is None:
        return NO_TRACING
    try:
        from store.otel import OtelTracing  # noqa: PLC0415
    except ImportError as error:
        raise GraftError(
            "otel_missing",
            "GRAFT_OTEL_ENDPOINT is set, but OpenTelemetry is not installed.",
            "Install the extra graft-gan[otel], or unset the variable.",
        ) from error
    return OtelTracing(settings.otel_endpoint, service)
