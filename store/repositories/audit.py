"""The append-only trail of one workspace: who did what, each line sealing the one before."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.columns import utc_now
from store.database import FOR_NO_KEY_UPDATE
from store.tables import AuditEvent, Workspace

_BEGINNING = "0" * 64


class AuditTrail:
    """The trail of one workspace."""

    def __init__(self, session: Session, workspace_id: str) -> None:
        self._session = session
        self._workspace_id = workspace_id

    def append(
        self, actor: str, action: str, subject: str, detail: dict[str, Any] | None = None
    ) -> None:
        """Write a line. ``detail`` must hold no key and no file name of an upload."""
        # Two writers must not both follow the same line: the workspace's row is their turnstile.
        self._session.get_one(Workspace, self._workspace_id, with_for_update=FOR_NO_KEY_UPDATE)
        last = self._session.scalar(
            select(AuditEvent)
            .where(AuditEvent.workspace_id == self._workspace_id)
            .order_by(AuditEvent.number.desc())
            .limit(1)
        )
        event = AuditEvent(
            workspace_id=self._workspace_id,
            number=last.number + 1 if last else 1,
            at=utc_now(),
            actor=actor,
            action=action,
            subject=subject,
            detail=detail or {},
            prev_hash=last.hash if last else _BEGINNING,
        )
        event.hash = _seal(event)
        self._session.add(event)
        self._session.flush()

    def first_broken(self) -> int | None:
        """Return the number of the first line that was changed, removed or put in; null: none."""
        expected_hash, expected_number = _BEGINNING, 1
        for event in self._session.scalars(
            select(AuditEvent)
            .where(AuditEvent.workspace_id == self._workspace_id)
            .order_by(AuditEvent.number)
        ):
            is_whole = (
                event.number == expected_number
                and event.prev_hash == expected_hash
                and event.hash == _seal(event)
            )
            if not is_whole:
                return expected_number
            expected_hash, expected_number = event.hash, event.number + 1
        return None


def _seal(event: AuditEvent) -> str:
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
