"""Small rules of HTTP that several endpoints share: entity tags, ranges, pages, waiting."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Generic, Literal, TypeVar

from fastapi import Path, Query
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator

ItemT = TypeVar("ItemT")

Limit = Annotated[int, Query(ge=1, le=200, description="At most this many items.")]
Cursor = Annotated[
    str | None, Query(max_length=100, description="`next_cursor` of the page before.")
]
Id = Annotated[str, Path(min_length=1, max_length=64, description="An opaque id.")]


def in_utc(moment: datetime) -> datetime:
    """Return a moment in UTC.

    Raises:
        ValueError: It has no place there.
    """
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("lies beyond the years that can be stored") from None


def _written_out(text: object) -> object:
    """Refuse the bare numbers that would be taken for seconds since 1970."""
    if isinstance(text, str) and not re.match(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d", text, re.ASCII):
        raise ValueError("is not a moment such as 2026-11-28T09:30:00Z (RFC 3339)")
    return text


Moment = Annotated[AwareDatetime, AfterValidator(in_utc), BeforeValidator(_written_out)]
"""A moment in a query (RFC 3339, with a time zone), in UTC."""
CreatedAfter = Annotated[
    Moment | None,
    Query(description="Only what was made later than this moment (RFC 3339, with a time zone)."),
]
CreatedBefore = Annotated[
    Moment | None,
    Query(description="Only what was made earlier than this moment (RFC 3339, with a time zone)."),
]


class PageOf(BaseModel, Generic[ItemT]):
    """Some items, the newest first, and where the next ones begin."""

    items: list[ItemT]
    next_cursor: str | None = None


def has_tag(header: str | None, etag: str) -> bool:
    """Say whether an ``If-None-Match`` (RFC 9110, 13.1.2; weak comparison) names an entity tag."""
    if header is None:
        return False
    tags = [tag.strip().removeprefix("W/") for tag in header.split(",")]
    return "*" in tags or etag.removeprefix("W/") in tags


def wanted_range(header: str | None, size: int) -> tuple[int, int] | Literal["none", "bad"]:
    """Read a ``Range`` header (RFC 9110, 14.2) for a representation of ``size`` bytes.

    Returns:
        Start and end (not included); ``none`` for the whole, also where the header asks for
        several ranges or cannot be read, as the RFC allows; ``bad`` where it cannot be satisfied.
    """
    match = re.fullmatch(r"bytes=\s*(\d*)-(\d*)\s*", header or "", flags=re.ASCII)
    if match is None or not any(match.groups()):
        return "none"
    first, last = (_position(digits) if digits else None for digits in match.groups())
    if first is None:
        length = min(last or 0, size)
        return (size - length, size) if length else "bad"
    if last is not None and last < first:
        return "none"
    if first >= size:
        return "bad"
    return first, size if last is None else min(last + 1, size)


def _position(digits: str) -> int:
    """Read a position; one beyond any file's end is as good as every other."""
    # Python itself refuses to read numbers of thousands of digits.
    digits = digits.lstrip("0") or "0"
    return int(digits) if len(digits) < 19 else 10**18


def retry_after(eta_seconds: float | None) -> str:
    """Return how many seconds a poller should wait: often when it will soon be done."""
    return str(round(min(15.0, max(1.0, (eta_seconds or 0.0) / 20))))
