"""The append-only trail of one workspace: who did what, each line sealing the one before."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from store.columns import utc_now
from store.database import FOR_NO_KEY_UPDATE
from store.repositories.paging import Page, cursor_for_number, number_in_cursor
from store.tables import AuditEvent, Workspace

BEGINNING = "0" * 64
"""What stands for the hash of the line before the first."""
_AT_ONCE = 1000


@dataclass(frozen=True)
class AuditFilter:
    """Which lines are wanted. Null: whatever they have there.

    Attributes:
        action: ``artifact.download``, or all that begin with ``artifact.*``.
        actor: Id of a key or person, or ``system``.
        subject: Id of what something was done with.
        since: At this moment or later.
        before: Earlier than this moment.
    """

    action: str | None = None
    actor: str | None = None
    subject: str | None = None
    since: datetime | None = None
    before: datetime | None = None


class AuditTrail:
    """The trail of one workspace."""

    def __init__(self, session: Session, workspace_id: str) -> None:
        self._session = session
        self._workspace_id = workspace_id

    def append(
        self, actor: str, action: str, subject: str, detail: dict[str, Any] | None = None
    ) -> int:
        """Write a line, and return its number.

        Until the transaction ends every other line of the workspace waits: what takes long in a
        transaction comes before this.

        Args:
            actor: Id of the key or person, or ``system``.
            action: ``thing.verb``.
            subject: Id of what it was done with.
            detail: No key and no file name of an upload; no fractions, of which each database has
                an own way to write them, and so the hash would be another.
        """
        _refuse_fractions(detail)
        # Two writers must not both follow the same line: the workspace's row is their turnstile.
        self._session.execute(
            select(Workspace.id)
            .where(Workspace.id == self._workspace_id)
            .with_for_update(key_share=FOR_NO_KEY_UPDATE["key_share"])
        ).one()
        number, last_hash = self.head()
        event = AuditEvent(
            workspace_id=self._workspace_id,
            number=number + 1,
            at=utc_now(),
            actor=actor,
            action=action,
            subject=subject,
            detail=detail or {},
            prev_hash=last_hash,
        )
        event.hash = _seal(event)
        self._session.add(event)
        self._session.flush()
        return event.number

    def head(self) -> tuple[int, str]:
        """Return number and hash of the last line; of an empty trail 0 and ``BEGINNING``."""
        last = self._session.execute(
            select(AuditEvent.number, AuditEvent.hash)
            .where(AuditEvent.workspace_id == self._workspace_id)
            .order_by(AuditEvent.number.desc())
            .limit(1)
        ).first()
        return (0, BEGINNING) if last is None else (last.number, last.hash)

    def page(
        self, limit: int, cursor: str | None, wanted: AuditFilter, *, newest_first: bool
    ) -> Page[AuditEvent]:
        """Return lines in one order or the other.

        Raises:
            GraftError: ``cursor_unknown``.
        """
        query = select(AuditEvent).where(AuditEvent.workspace_id == self._workspace_id)
        if wanted.action is not None and wanted.action.endswith(".*"):
            query = query.where(AuditEvent.action.startswith(wanted.action[:-1], autoescape=True))
        elif wanted.action is not None:
            query = query.where(AuditEvent.action == wanted.action)
        if wanted.actor is not None:
            query = query.where(AuditEvent.actor == wanted.actor)
        if wanted.subject is not None:
            query = query.where(AuditEvent.subject == wanted.subject)
        if wanted.since is not None:
            query = query.where(AuditEvent.at >= wanted.since)
        if wanted.before is not None:
            query = query.where(AuditEvent.at < wanted.before)
        number = AuditEvent.number
        if cursor is not None:
            seen = number_in_cursor(cursor, "line")
            query = query.where(number < seen if newest_first else number > seen)
        query = query.order_by(number.desc() if newest_first else number)
        rows = list(self._session.scalars(query.limit(limit + 1)))
        items = rows[:limit]
        return Page(
            items, cursor_for_number(items[-1].number, "line") if len(rows) > limit else None
        )

    def lines(self, *, after: int, up_to: int) -> Sequence[Row[Any]]:
        """Return some lines in their order, as rows without an identity: many can be read."""
        return self._session.execute(
            _columns()
            .where(
                AuditEvent.workspace_id == self._workspace_id,
                AuditEvent.number > after,
                AuditEvent.number <= up_to,
            )
            .order_by(AuditEvent.number)
            .limit(_AT_ONCE)
        ).all()

    def first_broken(self) -> int | None:
        """Return the number of the first line that was changed, removed or put in; null: none."""
        expected_hash, expected_number = BEGINNING, 1
        for line in self.all_lines():
            is_whole = (
                line.number == expected_number
                and line.prev_hash == expected_hash
                and line.hash == _seal(line)
            )
            if not is_whole:
                return expected_number
            expected_hash, expected_number = line.hash, line.number + 1
        return None

    def all_lines(self) -> Iterator[Row[Any]]:
        """Yield every line that there is now, in order; few are in memory at a time."""
        number = 0
        up_to = self.head()[0]
        while lines := self.lines(after=number, up_to=up_to):
            yield from lines
            number = lines[-1].number


def as_line(event: AuditEvent | Row[Any]) -> dict[str, Any]:
    """Return a line as it is answered and exported: from it alone its hash can be computed."""
    return {
        "workspace_id": event.workspace_id,
        "number": event.number,
        "at": event.at.isoformat(timespec="microseconds"),
        "actor": event.actor,
        "action": event.action,
        "subject": event.subject,
        "detail": event.detail,
        "prev_hash": event.prev_hash,
        "hash": event.hash,
    }


def _columns() -> Any:
    return select(
        AuditEvent.workspace_id,
        AuditEvent.number,
        AuditEvent.at,
        AuditEvent.actor,
        AuditEvent.action,
        AuditEvent.subject,
        AuditEvent.detail,
        AuditEvent.prev_hash,
        AuditEvent.hash,
    )


def _seal(event: AuditEvent | Row[Any]) -> str:
    """Return a line's hash. The recipe is published (docs/audit.md): it can never be another."""
    line = [
        event.prev_hash,
        event.workspace_id,
        event.number,
        event.at.isoformat(timespec="microseconds"),
        event.actor,
        event.action,
        event.subject,
        event.detail,
    ]
    return hashlib.sha256(json.dumps(line, sort_keys=True).encode()).hexdigest()


def _refuse_fractions(value: Any) -> None:
    if isinstance(value, float):
        raise TypeError("a line of the trail holds no fractions")
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for part in value:
            _refuse_fractions(part)
