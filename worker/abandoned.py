"""Steps whose worker is known to be gone: taken at once, without waiting for their lease to lapse.

A worker holds a lock on the folder of the step that it carries out, from the claim until the
outcome is recorded, and the kernel drops the lock with the process. So a step of this place whose
folder nobody holds, and whose lease nobody has renewed for some seconds, has nobody.
"""

from __future__ import annotations

from datetime import timedelta

import structlog
from sqlalchemy import select

from store.clock import now_of
from store.database import Database
from store.settings import Settings
from store.step_tables import Step
from store.steps import StepLedger
from worker.step_dir import StepDirBusyError, locked_step_dir

log = structlog.get_logger(__name__)

_SILENT_SECONDS = 8.0
"""Of a lease that is renewed every two seconds; longer where it is renewed less often."""


def take_abandoned(database: Database, settings: Settings, place: str) -> int:
    """Take the steps from workers of this place that were killed; return how many."""
    taken = 0
    for step_id, token in _silent(database, settings, place):
        try:
            with locked_step_dir(settings, step_id, patience=0), database.write() as session:
                outcome = StepLedger(session).expire(
                    step_id, max_attempts=settings.max_attempts, dead_token=token
                )
        except StepDirBusyError:
            continue
        except OSError as error:  # no room for a folder, say; its lease lapses all the same
            log.warning("step_dir_unusable", step_id=step_id, reason=type(error).__name__)
            continue
        taken += outcome is not None
    return taken


def _silent(database: Database, settings: Settings, place: str) -> list[tuple[str, str]]:
    with database.read() as session:
        lasts = timedelta(seconds=settings.lease_seconds - _silence(settings))
        renewed_by = now_of(session) + lasts
        rows = session.execute(
            select(Step.id, Step.lease_token).where(
                Step.status == "running",
                Step.place == place,
                Step.lease_expires_at < renewed_by,
                Step.lease_token.is_not(None),
            )
        ).all()
    return [(step_id, token) for step_id, token in rows if token is not None]


def _silence(settings: Settings) -> float:
    return min(max(_SILENT_SECONDS, 4 * settings.heartbeat_seconds), settings.lease_seconds / 2)
