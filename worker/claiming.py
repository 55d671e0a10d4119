"""Claiming a step: whose turn it is, and whether this worker should begin anything at all."""

from __future__ import annotations

import time

import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from store.database import Database
from store.fairness import next_steps
from store.objects import Objects
from store.records import ClaimedStep, StepError
from store.room import lack_of_room
from store.settings import Settings
from store.step_tables import OutboxRow, Step
from store.steps import StepLedger
from worker.place import place_of
from worker.shared import SharedState

log = structlog.get_logger(__name__)

_UNFIT_SECONDS = 120.0


class Claimer:
    """Claims steps for one worker.

    Args:
        settings: The worker's.
        database: Opened in this process.
        objects: The object store.
        shared: Says when the worker is asked to stop, and is told what keeps it from beginning.
    """

    def __init__(
        self, settings: Settings, database: Database, objects: Objects, shared: SharedState
    ) -> None:
        self._settings = settings
        self._database = database
        self._objects = objects
        self._shared = shared
        self._place = place_of(settings.data_dir)
        self._unfit = ""
        self._unfit_until = 0.0

    def next_for(self, step_id: str) -> ClaimedStep | None:
        """Claim the step whose turn it is in the queue of the one that was rung for."""
        if self._shared.is_stopping or self._is_paused():
            # Acknowledged and not begun: the housekeeper rings again when there is time or room.
            return None
        with self._database.read() as session:
            queue = session.scalar(select(Step.queue).where(Step.id == step_id))
            candidates = [] if queue is None else next_steps(session, queue)
        for candidate in candidates:
            with self._database.write() as session:
                claimed = StepLedger(session, self._objects).claim(
                    candidate,
                    worker_id=self._shared.worker_id,
                    lease_seconds=self._settings.lease_seconds,
                    max_attempts=self._settings.max_attempts,
                    place=self._place,
                )
            if claimed is not None:
                return claimed
        return None

    def note_unfit(self, error: StepError) -> None:
        """Begin nothing for a while: what is wrong here would be wrong for the next step, too."""
        self._unfit = f"{error.code}: {error.detail} {error.hint}"
        self._unfit_until = time.monotonic() + _UNFIT_SECONDS

    def ring_for_the_next(self, queue: str) -> None:
        """Have somebody look again when there is more to do: its own message may have been lost."""
        try:
            with self._database.read() as session:
                waiting = next_steps(session, queue, limit=1)
            if waiting and not self._shared.is_stopping:
                with self._database.write() as session:
                    session.add(OutboxRow(step_id=waiting[0], queue=queue))
        except SQLAlchemyError as error:  # the step may have been deleted meanwhile, too
            log.warning("next_not_rung", reason=type(error).__name__)

    def _is_paused(self) -> bool:
        """Say whether a step that is begun now would fail for what is wrong here, whichever it is.

        A step that runs out of room takes the room from those beside it; one that cannot fetch its
        inputs uses up its attempts.
        """
        trouble = None
        if time.monotonic() < self._unfit_until:
            trouble = self._unfit
        elif not self._objects.is_answering():
            trouble = (
                "storage_unavailable: the file storage does not answer; steps are begun again by"
                " themselves once it does."
            )
        # The housekeeper looks for room itself.
        self._shared.trouble = trouble
        reason = trouble or lack_of_room(self._settings)
        if reason is not None:
            log.warning("paused", reason=reason)
        return reason is not None
