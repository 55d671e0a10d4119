"""Pages of a list, the newest first."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import Select
from sqlalchemy.orm import InstrumentedAttribute, Session

from gan_core.spec.errors import GraftError

RowT = TypeVar("RowT")


@dataclass(frozen=True)
class Period:
    """When something was made: later than, and earlier than; null: at any time."""

    after: datetime | None = None
    before: datetime | None = None

    def within(self, query: Select[RowT], moment: InstrumentedAttribute[datetime]) -> Select[RowT]:
        """Return a query for those rows alone whose moment lies in it."""
        if self.after is not None:
            query = query.where(moment > self.after)
        if self.before is not None:
            query = query.where(moment < self.before)
        return query


ALWAYS = Period()


@dataclass(frozen=True)
class Page(Generic[RowT]):
    """Some rows, and where the next ones begin (null: there are none)."""

    items: Sequence[RowT]
    next_cursor: str | None


def page_of(
    session: Session,
    query: Select[RowT],
    id_column: InstrumentedAttribute[str],
    limit: int,
    cursor: str | None,
) -> Page[RowT]:
    """Return a page of a query by descending id, which is by descending time.

    Raises:
        GraftError: ``cursor_unknown``.
    """
    if cursor is not None:
        query = query.where(id_column < _id_in(cursor))
    rows: list[Any] = list(session.scalars(query.order_by(id_column.desc()).limit(limit + 1)))
    has_more = len(rows) > limit
    items = rows[:limit]
    last = items[-1].id if has_more else None
    return Page(items, None if last is None else _cursor_for(last))


def cursor_for_number(number: int, what: str) -> str:
    """Return a cursor for a list that is numbered.

    Args:
        number: Of the last item that was shown.
        what: The list and its order; a word.
    """
    return _encoded(f"{what} {number}")


def number_in_cursor(cursor: str, what: str) -> int:
    """Return the number in a cursor of the same list and order.

    Raises:
        GraftError: ``cursor_unknown``.
    """
    found = re.fullmatch(rf"{re.escape(what)} (\d{{1,15}})", _decoded(cursor), re.ASCII)
    if found is None:
        raise _unknown()
    return int(found[1])


def _cursor_for(last_id: str) -> str:
    return _encoded(last_id)


def _id_in(cursor: str) -> str:
    found = _decoded(cursor)
    if not re.fullmatch(r"[a-z]+_[0-9a-z]{26}", found):
        raise _unknown()
    return found


def _encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decoded(cursor: str) -> str:
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        return text.decode("ascii")
    except (binascii.Error, ValueError):
        return ""


def _unknown() -> GraftError:
    return GraftError(
        "cursor_unknown",
        "The cursor is not one that this service gave.",
        "Pass the `next_cursor` of the page before, or none for the first page.",
    )
