"""Lines of jobs' logs, of one workspace."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.page_tables import LogLine


class LogRepository:
    """Lines of jobs' logs, of one workspace."""

    def __init__(self, session: Session, workspace_id: str) -> None:
        self._session = session
        self._workspace_id = workspace_id

    def lines(
        self, job_id: str, limit: int, *, after: int | None, before: int | None
    ) -> Sequence[LogLine]:
        """Return lines of a job.

        Args:
            job_id: The job.
            limit: At most so many.
            after: With ids above this one, the oldest first; null: see ``before``.
            before: With ids below this one, the newest first; null with ``after`` null: of all.
        """
        query = select(LogLine).where(
            LogLine.job_id == job_id, LogLine.workspace_id == self._workspace_id
        )
        if after is not None:
            query = query.where(LogLine.id > after).order_by(LogLine.id)
        else:
            if before is not None:
                query = query.where(LogLine.id < before)
            query = query.order_by(LogLine.id.desc())
        return self._session.scalars(query.limit(limit)).all()
