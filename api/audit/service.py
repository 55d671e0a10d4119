"""What can be done with the audit trail. Nothing here commits."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from api.context import Context
from store.repositories import AuditTrail, Identity
from store.repositories.audit import AuditFilter, as_line
from store.repositories.paging import Page
from store.tables import AuditEvent


class AuditService:
    """The trail of the workspace that asks."""

    def __init__(self, session: Session, identity: Identity) -> None:
        self._identity = identity
        self._trail = AuditTrail(session, identity.workspace_id)

    def page(
        self, limit: int, cursor: str | None, wanted: AuditFilter, *, newest_first: bool
    ) -> Page[AuditEvent]:
        """Return lines.

        Raises:
            GraftError: ``cursor_unknown``.
        """
        return self._trail.page(limit, cursor, wanted, newest_first=newest_first)

    def begin_export(self) -> tuple[int, str]:
        """Write into the trail that it is taken along; return that line's number and hash."""
        self._trail.append(self._identity.key_id, "audit.export", self._identity.workspace_id)
        return self._trail.head()


async def stream_lines(ctx: Context, who: Identity, up_to: int) -> AsyncIterator[bytes]:
    """Yield the trail from its first line to one, a JSON object a line (application/x-ndjson).

    A thousand at a time, each in a transaction of its own: nobody waits for a slow reader.
    """
    number = 0
    while number < up_to:
        piece, number = await run_in_threadpool(_some_lines, ctx, who, number, up_to)
        if not piece:
            return  # lines are missing at the end: who verifies it will say so
        yield piece


def _some_lines(ctx: Context, who: Identity, after: int, up_to: int) -> tuple[bytes, int]:
    with ctx.database.read() as session:
        rows = AuditTrail(session, who.workspace_id).lines(after=after, up_to=up_to)
    lines = [json.dumps(as_line(row), ensure_ascii=False, separators=(",", ":")) for row in rows]
    text = "".join(f"{line}\n" for line in lines)
    return text.encode(), rows[-1].number if rows else up_to
