"""Recording what became of a step, as long as the lease may still be ours."""

from __future__ import annotations

import time

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError

from store.database import Database
from store.objects import Objects
from store.records import ClaimedStep, Ingested
from store.steps import StepLedger
from worker.child import EndReason
from worker.claiming import Claimer
from worker.lease import LeaseKeeper
from worker.outcome import CRASHED, Done, Ended, Failed, Outcome, Unfit

log = structlog.get_logger(__name__)

_RECORD_PAUSE = 1.0
_UNFIT_PAUSE = 5.0
_UNRECORDABLE = Failed(CRASHED, is_retryable=True)


class Recorder:
    """Records outcomes of one worker's steps.

    Args:
        database: Opened in this process.
        objects: Where the outputs lie.
        claimer: Is told of a worker that is not fit for steps.
        max_attempts: How often in a row a step may end badly.
    """

    def __init__(
        self, database: Database, objects: Objects, claimer: Claimer, max_attempts: int
    ) -> None:
        self._database = database
        self._objects = objects
        self._claimer = claimer
        self._max_attempts = max_attempts

    def record(
        self,
        step: ClaimedStep,
        outcome: Outcome,
        ingested: Ingested | None,
        keeper: LeaseKeeper,
    ) -> str:
        """Record the outcome; try again while the lease may still be ours.

        Args:
            step: As claimed.
            outcome: What became of it.
            ingested: What the reading of an upload has found; null for other steps.
            keeper: Of its lease.

        Returns:
            What became of it, in a word, for the log.
        """
        while not keeper.is_lost:
            try:
                return self.record_once(step, outcome, ingested)
            except (OperationalError, InterfaceError) as error:  # the database is away, or busy
                log.warning("record_failed", reason=type(error).__name__)
                time.sleep(_RECORD_PAUSE)
            except Exception:
                # It would be refused for ever, and the step held for as long.
                log.exception("record_refused")
                if outcome == _UNRECORDABLE:
                    break
                outcome, ingested = _UNRECORDABLE, None
        return "lost"

    def record_once(self, step: ClaimedStep, outcome: Outcome, ingested: Ingested | None) -> str:
        """Record the outcome, in one transaction; arguments and answer as ``record``."""
        with self._database.write() as session:
            ledger = StepLedger(session, self._objects)
            match outcome:
                case Done(outputs):
                    is_ours = ledger.complete(step.id, step.token, outputs, ingested=ingested)
                    word = "done"
                case Failed(error, is_retryable, pause_seconds):
                    became = ledger.fail(
                        step.id,
                        step.token,
                        error,
                        retryable=is_retryable,
                        max_attempts=self._max_attempts,
                        pause_seconds=pause_seconds,
                    )
                    return became or "lost"
                case Unfit(error):
                    self._claimer.note_unfit(error)
                    is_ours = ledger.release(step.id, step.token, pause_seconds=_UNFIT_PAUSE)
                    word = "handed_back"
                case Ended(EndReason.CANCELLED):
                    is_ours = ledger.cancelled(step.id, step.token)
                    word = "cancelled"
                case Ended(EndReason.LOST):
                    return "lost"
                case Ended():
                    is_ours = ledger.release(step.id, step.token)
                    word = "released"
        return word if is_ours else "lost"
