"""Why the service is not ready, or jobs do not get on, each with a code for machines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from pydantic import BaseModel, ConfigDict
from sqlalchemy.orm import Session

from api.context import Context
from api.patience import Patience, Silent
from store.clock import now_of
from store.columns import utc_now
from store.figures import waits
from store.room import lack_of_reserve, lack_of_room
from store.schema import NEEDED_REVISION, is_behind, revision_of
from store.tables import WorkerSeen
from store.workers import MISSED_ROUNDS, WorkerRegister

_MOST_SKEW_SECONDS = 5.0
_PATIENCE_SECONDS = 3.0
_SILENT = {
    "database": ("database_silent", "The database does not answer."),
    "objects": ("objects_silent", "The file storage does not answer."),
    "broker": ("broker_silent", "The broker does not answer."),
}


class Reason(BaseModel):
    """Why the service is not ready, or why jobs do not get on."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    code: str
    """Stable and machine-readable: ``no_worker``, ``disk_full``, …; docs/watching.md lists all."""
    detail: str
    """A sentence. It names no worker, machine or tenant."""

    def __str__(self) -> str:
        """Return both as one line."""
        return f"{self.code}: {self.detail}"


class Probes:
    """Asks what the service stands on whether it answers.

    Made once: something that hangs is not asked anew as long as it does.
    """

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        asked: dict[str, Callable[[], bool]] = {
            "database": ctx.database.is_answering,
            "objects": ctx.objects.is_answering,
            "broker": ctx.doorbell.is_answering,
        }
        self._probes = {name: Patience(ask, _PATIENCE_SECONDS) for name, ask in asked.items()}
        self._looks = Patience(self._look, _PATIENCE_SECONDS)

    def checks(self) -> dict[str, bool]:
        """Return what answers."""
        return {name: _answers(probe) for name, probe in self._probes.items()}

    @staticmethod
    def silent(checks: dict[str, bool]) -> list[Reason]:
        """Return a reason for each that does not."""
        return [
            Reason(code=_SILENT[name][0], detail=_SILENT[name][1])
            for name, is_answering in checks.items()
            if not is_answering
        ]

    def look(self) -> tuple[list[Reason], list[Reason]]:
        """Return why requests will fail, and why jobs may stand still all the same."""
        try:
            return self._looks()
        except Silent:
            return [Reason(code="database_silent", detail=_SILENT["database"][1])], []

    def _look(self) -> tuple[list[Reason], list[Reason]]:
        ctx = self._ctx
        with ctx.database.read() as session:
            revision = revision_of(session)
            if is_behind(revision):
                detail = (
                    f"The database is at version {revision or 'none'} of the schema, and this code"
                    f" needs {NEEDED_REVISION}: run `python -m migrations upgrade`."
                )
                return [Reason(code="migrations_behind", detail=detail)], []
            reasons = [*_of_the_disk(ctx), *_of_the_clock(session), *_of_the_workers(ctx, session)]
        return [], list({str(reason): reason for reason in reasons}.values())


def _answers(probe: Patience[bool]) -> bool:
    try:
        return probe()
    except Silent:
        return False


def _split(sentence: str) -> Reason:
    code, _, detail = sentence.partition(": ")
    return Reason(code=code, detail=detail or code)


def _of_the_disk(ctx: Context) -> Iterator[Reason]:
    if (full := lack_of_room(ctx.settings)) is not None:
        yield _split(full)
    elif (low := lack_of_reserve(ctx.settings)) is not None:
        yield Reason(code="disk_low", detail=low)


def _of_the_clock(session: Session) -> Iterator[Reason]:
    skew = (now_of(session) - utc_now()).total_seconds()
    if abs(skew) > _MOST_SKEW_SECONDS:
        detail = (
            f"The clocks of the API and of the database differ by {abs(skew):.0f} s: keep time by"
            " NTP on both machines."
        )
        yield Reason(code="clock_skew", detail=detail)


def _of_the_workers(ctx: Context, session: Session) -> Iterator[Reason]:
    workers = WorkerRegister(session).living(ctx.settings.sweep_seconds * MISSED_ROUNDS)
    queues = waits(session)
    if not workers:
        detail = "No worker has given a sign of life; jobs wait until one does."
        yield Reason(code="no_worker", detail=detail)
    else:
        served = {queue for worker in workers for queue in worker.queues}
        for name, queue in sorted(queues.items()):
            if queue.waiting and name not in served:
                detail = f"Steps wait in the queue {name}, on which no living worker works."
                yield Reason(code="no_worker", detail=detail)
    for name, queue in sorted(queues.items()):
        if queue.oldest_wait > ctx.settings.longest_wait_seconds:
            detail = f"A step has waited in the queue {name} for {queue.oldest_wait / 3600:.1f} h."
            yield Reason(code="queue_old", detail=detail)
    yield from _of_the_paused(workers)


def _of_the_paused(workers: Sequence[WorkerSeen]) -> Iterator[Reason]:
    for reason in sorted({worker.paused for worker in workers if worker.paused}):
        yield _split(reason)
