"""Signs of life that workers leave."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from gan_core.spec import DeviceFacts
from store.clock import now_of
from store.tables import WorkerSeen

_LIVING_SECONDS = 300.0
MISSED_ROUNDS = 6
"""Of housekeeping (``sweep_seconds`` each), after which a silent worker counts as gone. One can be
long while the database is busy."""


def _device(row: WorkerSeen) -> DeviceFacts | None:
    # A newer worker may tell more than this code knows of; a null is an older one's.
    return None if row.device is None else DeviceFacts.model_validate(row.device)


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
        device: DeviceFacts | None = None,
        usage: dict[str, int] | None = None,
    ) -> None:
        """Note that a worker lives, what it works on and takes of its machine.

        And why it begins nothing, if it does not.
        What it computes with may have been noted before (``describe``): null leaves it.
        """
        now = now_of(self._session)
        row = self._session.get(WorkerSeen, worker_id)
        if row is None:
            row = WorkerSeen(id=worker_id, started_at=now)
            self._session.add(row)
        row.host, row.queues, row.version, row.step_id = host, list(queues), version, step_id
        row.seen_at, row.is_gone = now, False
        row.place, row.paused = place, paused
        row.usage = None if usage is None else dict(usage)
        if device is not None:
            row.device = device.model_dump(mode="json")

    def describe(self, worker_id: str, device: DeviceFacts) -> bool:
        """Note what a worker computes with; return whether there is such a worker."""
        row = self._session.get(WorkerSeen, worker_id)
        if row is None:
            return False
        row.device = device.model_dump(mode="json")
        return True

    def device_of(self, worker_id: str | None) -> DeviceFacts | None:
        """Return what a worker computes with; null: not known."""
        row = None if worker_id is None else self._session.get(WorkerSeen, worker_id)
        return None if row is None else _device(row)

    def devices(self) -> dict[str, DeviceFacts]:
        """Return for each queue the best device of the workers that listen to it.

        Of workers that live, or where none does, of those that were there last.
        """
        rows = self.living(_LIVING_SECONDS) or self.all()
        found: dict[str, DeviceFacts] = {}
        for row in rows:
            device = _device(row)
            if device is None:
                continue
            for queue in row.queues:
                if queue not in found or device.is_better_than(found[queue]):
                    found[queue] = device
        return found

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
