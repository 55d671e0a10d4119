"""One step from claim to record."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError

from gan_core.spec import DatasetFacts
from store.database import Database
from store.objects import Objects
from store.outbox import Rings, relay_outbox
from store.records import ClaimedStep, Ingested, Lease
from store.settings import Settings
from store.steps import StepLedger
from store.tracing import NO_TRACING, Span, Tracing
from worker.child import ChildEnd, EndReason, run_child
from worker.claiming import Claimer
from worker.couriers import CheckpointCourier
from worker.inputs import ObjectCache
from worker.lease import LeaseKeeper
from worker.live import LiveCourier
from worker.outcome import (
    EXIT_STOPPED,
    Done,
    Ended,
    Failed,
    Outcome,
    failure_of,
    outcome_of,
)
from worker.processes import ForkedChild
from worker.ready import ReadyChild
from worker.recording import Recorder
from worker.shared import SharedState
from worker.starting import child_command, child_environment, gives_way
from worker.step_dir import StepDirBusyError, empty_step_dir, fill_step_dir, locked_step_dir
from worker.step_log import StepLog
from worker.telling import last_words, log_context, without_names

log = structlog.get_logger(__name__)

# With the upload of what is there, this has to fit into Celery's soft shutdown of 60 seconds.
_GRACE_SECONDS = 40.0
_SHUTDOWN_LAG = 2.0
_EXIT_HUNG = 70


class _UnwantedError(Exception):
    """Ends the bringing of inputs."""

    def __init__(self, reason: EndReason) -> None:
        super().__init__(reason.value)
        self.reason = reason


class StepRunner:
    """Carries out steps, one at a time.

    Args:
        settings: The worker's.
        database: Opened in this process, never inherited through a fork.
        objects: The object store.
        doorbell: Rung for steps that become ready.
        shared: Says when the worker is asked to stop.
        command: Makes the child's command from its folder; tests give their own.
        ready: Keeps a child that is started ahead; null: none is.
        tracing: Makes spans of steps.
        give_up: Ends this process, whose thread waits for a database that does not answer; another
            takes its place.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        objects: Objects,
        doorbell: Rings,
        shared: SharedState,
        *,
        command: Callable[[Path], Sequence[str]] = child_command,
        ready: ReadyChild | None = None,
        tracing: Tracing = NO_TRACING,
        give_up: Callable[[], None] = lambda: os._exit(_EXIT_HUNG),
    ) -> None:
        self._settings = settings
        self._database = database
        self._objects = objects
        self._doorbell = doorbell
        self._shared = shared
        self._command = command
        self._ready = ready
        self._tracing = tracing
        self._give_up = give_up
        self._claimer = Claimer(settings, database, objects, shared)
        self._recorder = Recorder(database, objects, self._claimer, settings.max_attempts)
        self._cache = ObjectCache(settings.resolved_cache_dir(), settings.cache_max_bytes)

    def run(self, step_id: str) -> str:
        """Carry out a step, if it can be had.

        Returns:
            What became of it, in a word, for the log.
        """
        self._shared.hear()
        try:
            step = self._claimer.next_for(step_id)
            if step is None:
                # The claim may have found a finished twin and let other steps through.
                relay_outbox(self._database, self._doorbell)
                return "not_claimed"
        except (OperationalError, InterfaceError, OSError) as error:
            # The database or the file storage is away. The message is lost with this; an idle
            # worker is rung for again (store.sweeping).
            log.warning("claim_failed", reason=type(error).__name__)
            return "database_away"
        # Everything that is logged about the step carries them, from whichever module.
        with (
            structlog.contextvars.bound_contextvars(**log_context(step)),
            self._tracing.span(
                f"step {step.kind}",
                kind="consumer",
                parent=step.traceparent,
                graft_job_id=step.job_id,
                graft_step_id=step.id,
                graft_step_attempt=step.attempt,
            ) as span,
        ):
            word = self._run_claimed(step, span)
            span.note(graft_step_outcome=word)
            if word in {"failed", "retried", "lost"}:
                span.fail(word)
            return word

    def _run_claimed(self, step: ClaimedStep, span: Span) -> str:
        self._shared.step_id = step.id
        log.info("step_started", kind=step.kind, attempt=step.attempt)
        started = time.monotonic()
        keeper = LeaseKeeper(
            lambda fraction, detail: self._beat(step, fraction, detail),
            lease_seconds=self._settings.lease_seconds,
            heartbeat_seconds=self._settings.heartbeat_seconds,
        )
        try:
            with keeper:
                word = self._hold(step, keeper, span)
        finally:
            self._shared.step_id = None
        if keeper.is_stuck:
            log.error("database_hangs", outcome=word)
            self._give_up()
        self._claimer.ring_for_the_next(step.queue)
        self._relay()
        if self._ready is not None and not self._shared.is_stopping:
            self._ready.prepare()
        log.info("step_ended", outcome=word, seconds=round(time.monotonic() - started, 1))
        return word

    def _remove_unpublished(self, step: ClaimedStep) -> None:
        """Delete what an attempt uploaded that came to nothing; the next one uploads anew.

        "Lost" may also mean that the record was made and only the database's answer got lost.
        """
        try:
            if not self._objects.list(step.output_prefix):
                return
            with self._database.write() as session:
                if StepLedger(session).is_published(step.id, step.output_prefix):
                    return
            self._objects.delete_prefix(step.output_prefix)
        except (OSError, OperationalError, InterfaceError) as error:
            log.warning("outputs_not_removed", reason=type(error).__name__)

    def _remove_earlier_attempts(self, step: ClaimedStep) -> None:
        """Delete what killed workers had uploaded of the step, now that it is over."""
        if step.attempt < 2:
            return
        home = f"workspaces/{step.workspace_id}/steps/{step.id}/"
        try:
            for key in self._objects.list(home):
                if not key.startswith(step.output_prefix):
                    self._objects.delete(key)
        except OSError as error:  # the sweep for orphans finds them
            log.warning("earlier_attempts_not_removed", reason=type(error).__name__)

    def _relay(self) -> None:
        try:
            relay_outbox(self._database, self._doorbell)
        except (OperationalError, InterfaceError) as error:  # the next sweep sends them
            log.warning("relay_failed", reason=type(error).__name__)

    def _beat(self, step: ClaimedStep, fraction: float | None, detail: str | None) -> Lease:
        with self._database.write() as session:
            return StepLedger(session).heartbeat(
                step.id,
                step.token,
                lease_seconds=self._settings.lease_seconds,
                fraction=fraction,
                detail=detail,
            )

    def _hold(self, step: ClaimedStep, keeper: LeaseKeeper, span: Span) -> str:
        try:
            with locked_step_dir(self._settings, step.id) as folder:
                with StepLog(self._database, step) as told:
                    outcome, ingested = self._carry_out(step, folder, keeper, span, told)
                word = self._recorder.record(step, outcome, ingested, keeper)
                if word != "done":
                    self._remove_unpublished(step)
                if word in {"done", "failed", "cancelled"}:
                    self._remove_earlier_attempts(step)
                if word not in {"released", "handed_back", "retried", "lost"}:
                    empty_step_dir(folder)
                    self._forget_copies(step, folder, is_done=word == "done")
                return word
        except StepDirBusyError:
            log.warning("step_dir_busy")
            return self._recorder.record(step, Ended(EndReason.SHUTDOWN), None, keeper)

    def _carry_out(
        self, step: ClaimedStep, folder: Path, keeper: LeaseKeeper, span: Span, told: StepLog
    ) -> tuple[Outcome, Ingested | None]:
        courier = self._courier(step, folder)
        shows = LiveCourier(self._objects, step, folder)
        try:
            with self._tracing.span("inputs", parent=span.traceparent):
                fill_step_dir(
                    folder,
                    step,
                    self._settings,
                    self._objects,
                    self._cache,
                    before_each=lambda: self._go_on(keeper),
                )
                courier.bring()
            courier.start()
            shows.start()
            keeper.begin()
            end: ChildEnd | None = None
            try:
                with self._tracing.span("child", parent=span.traceparent) as child:
                    end = run_child(
                        self._command(folder),
                        cwd=folder,
                        env=child_environment(os.environ, folder),
                        end_reason=lambda: self._end_reason(keeper),
                        on_progress=keeper.tell,
                        grace_seconds=_GRACE_SECONDS,
                        started=self._waiting_child(step, folder),
                        gives_way=gives_way(step),
                        on_notice=told.notice,
                    )
                    child.note(graft_child_returncode=end.returncode)
                self._notice_shutdown(end)
            finally:
                # A worker whose lease is lost must write nothing more.
                is_released = end is not None and end.asked is EndReason.SHUTDOWN
                courier.stop(looks_again=is_released and not keeper.is_lost)
                shows.stop(looks_again=not keeper.is_lost)
            outcome = outcome_of(end)
            if isinstance(outcome, Failed):
                # What it said stays in the log: it may hold paths of this machine.
                log.error(
                    "child_failed",
                    code=outcome.error.code,
                    returncode=end.returncode,
                    stderr=without_names(end.stderr_tail, step),
                )
                if said := last_words(end.stderr_tail, step):
                    told.tell(said, "warning")
            if not isinstance(outcome, Done):
                return outcome, None
            ingested = _read_index(folder) if step.kind == "ingest" else None
            with self._tracing.span("outputs", parent=span.traceparent):
                for output in outcome.outputs:
                    if keeper.is_lost or keeper.is_cancelled:
                        is_lost = keeper.is_lost
                        return Ended(EndReason.LOST if is_lost else EndReason.CANCELLED), None
                    self._objects.put_file(
                        f"{step.output_prefix}{output.name}",
                        folder / "outputs" / output.name,
                        output.media_type,
                    )
        except _UnwantedError as ended:
            return Ended(ended.reason), None
        except Exception as error:
            log.exception("step_error")
            return failure_of(error), None
        return outcome, ingested

    def _waiting_child(self, step: ClaimedStep, folder: Path) -> ForkedChild | None:
        # What a stranger sent is read where as little as possible was loaded before.
        if self._ready is None or step.kind == "ingest":
            return None
        return self._ready.take(folder, gives_way=gives_way(step))

    def _go_on(self, keeper: LeaseKeeper) -> None:
        """Raise when the step is not wanted any more, while its inputs are being brought."""
        keeper.begin()
        if (reason := self._end_reason(keeper)) is not None:
            raise _UnwantedError(reason)

    def _courier(self, step: ClaimedStep, folder: Path) -> CheckpointCourier:
        return CheckpointCourier(self._objects, step, folder, self._settings.checkpoint_seconds)

    def _forget_copies(self, step: ClaimedStep, folder: Path, *, is_done: bool) -> None:
        try:
            self._courier(step, folder).forget()
            # Of a step that failed, whoever asked for it may want to see how it went.
            if is_done:
                LiveCourier(self._objects, step, folder).forget()
        except OSError as error:  # the sweep for orphans finds them
            log.warning("copies_not_removed", reason=type(error).__name__)

    def _end_reason(self, keeper: LeaseKeeper) -> EndReason | None:
        if keeper.is_lost:
            return EndReason.LOST
        if keeper.is_cancelled:
            return EndReason.CANCELLED
        if self._shared.is_stopping:
            return EndReason.SHUTDOWN
        silence = time.monotonic() - keeper.told_at
        return EndReason.SILENT if silence > self._settings.silence_seconds else None

    def _notice_shutdown(self, end: ChildEnd) -> None:
        """Understand a child that stopped because the whole process group was told to.

        A service manager may send SIGTERM to every process at once; then the child can be gone
        before the Celery parent has told us.
        """
        if end.asked is not None or end.returncode != EXIT_STOPPED:
            return
        until = time.monotonic() + _SHUTDOWN_LAG
        while time.monotonic() < until:
            if self._shared.is_stopping:
                end.asked = EndReason.SHUTDOWN
                return
            time.sleep(0.1)


def _read_index(folder: Path) -> Ingested:
    index = json.loads((folder / "outputs" / "index.json").read_text(encoding="utf-8"))
    facts = DatasetFacts(
        digest=index["digest"], image_size=index["image_size"], classes=index["counts"]
    )
    return Ingested(facts=facts, problems=list(index.get("problems", [])))
