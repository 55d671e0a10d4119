"""Signs of life that workers leave."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.clock import now_of
from store.tables import WorkerSeen


class WorkerRegister:
    """Which workers there are."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def seen(
        self,
        worker_id: str,
        *,
        host: str,
        queues: list[str],
        version: str,
        step_id: str | None,
        place: str | None = None,
        paused: str | None = None,
    ) -> None:
        """Note that a worker lives, what it works on, and why it begins nothing, if it does not."""
        now = now_of(self._session)
        row = self._session.get(WorkerSeen, worker_id)
        if row is None:
            row = WorkerSeen(id=worker_id, started_at=now)
            self._session.add(row)
        row.host, row.queues, row.version, row.step_id = host, list(queues), version, step_id
        row.seen_at, row.is_gone = now, False
        row.place, row.paused = place, paused

    def gone(self, worker_id: str) -> None:
        """Note that a worker said goodbye."""
        row = self._session.get(WorkerSeen, worker_id)
        if row is not None:
            row.is_gone = True
            row.step_id = None

    def all(self) -> Sequence[WorkerSeen]:
        """Return every worker that has not said goodbye, the latest seen first."""
        return self._session.scalars(
            select(WorkerSeen).where(~WorkerSeen.is_gone).order_by(WorkerSeen.seen_at.desc())
        ).all()

    def living(self, silent_seconds: float) -> Sequence[WorkerSeen]:
        """Return the workers that gave a sign of life in the last so many seconds."""
        since = now_of(self._session) - timedelta(seconds=silent_seconds)
        return [row for row in self.all() if row.seen_at >= since]
