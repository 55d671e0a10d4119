"""Looking at the pictures of a data set, as the audit trail knows it."""

from __future__ import annotations

import threading

from api.limits.gate import Memory
from store.database import Database
from store.repositories import AuditTrail, Identity

SAME_LOOK_SECONDS = 600.0


class Looks:
    """Who has looked at which data set of late. May be used from several threads.

    A look is many pictures, asked for at the same time, and one line in the trail.

    Args:
        seconds: For how long this process writes no other line of the same key or person and data
            set.
    """

    def __init__(self, seconds: float = SAME_LOOK_SECONDS) -> None:
        self._noted: Memory[bool] = Memory(seconds)
        self._lock = threading.Lock()

    def note(self, database: Database, who: Identity, dataset_id: str) -> None:
        """Write a line unless there is one of the same look. It is committed when this returns."""
        look = f"{who.workspace_id} {who.key_id} {dataset_id}"
        if self._noted.get(look):
            return
        # The other pictures of the same look wait for its line.
        with self._lock:
            if self._noted.get(look):
                return
            with database.write() as session:
                trail = AuditTrail(session, who.workspace_id)
                trail.append(who.key_id, "dataset.preview", dataset_id)
            self._noted.keep(look, True)
