"""Noticing that this worker no longer hears the doorbell, while it seems to live.

A consumer can go silent for good although its process lives and its connection seems to stand: when
the broker refused an acknowledgement at the wrong moment, for one (Celery issues 8030, 8091, 8384
and 10205 tell of others). Nothing then ever comes of the rings, and with one worker the service
stands still. So a worker that has nothing to do, rings, and hears nothing several times in a row,
ends itself: whoever keeps it running starts it anew.
"""

from __future__ import annotations

from store.database import Database
from store.workers import WorkerRegister
from worker.shared import SharedState

_ROUNDS = 4


class Listening:
    """Whether what is rung for is heard.

    Args:
        shared: Counts the messages that come.
        silent_seconds: After which another worker counts as gone.
    """

    def __init__(self, shared: SharedState, silent_seconds: float) -> None:
        self._shared = shared
        self._silent_seconds = silent_seconds
        self._heard = shared.heard
        self._unheard_rounds = 0

    def note(self, database: Database, rung: int, unsent: int) -> bool:
        """Note a round of housekeeping; say whether this worker must be taken for deaf.

        Args:
            database: Where the other workers are listed.
            rung: For how many steps this worker rang because it had nothing to do.
            unsent: How many rings the broker has not taken: then nobody can have heard.
        """
        heard, self._heard = self._heard != self._shared.heard, self._shared.heard
        if heard or not rung or unsent or self._may_somebody_else_have_heard(database):
            self._unheard_rounds = 0
            return False
        self._unheard_rounds += 1
        return self._unheard_rounds >= _ROUNDS

    def _may_somebody_else_have_heard(self, database: Database) -> bool:
        """Say whether the message may have gone to a worker that begins nothing at the moment."""
        with database.read() as session:
            others = WorkerRegister(session).living(self._silent_seconds)
            return any(
                other.paused is not None for other in others if other.id != self._shared.worker_id
            )
