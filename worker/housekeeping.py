"""What a worker does besides steps: signs of life, sweeping, and rings that were never sent."""

from __future__ import annotations

import os
import signal
import threading
import time

import structlog

from gan_core import __version__
from store.database import Database
from store.doorbell import Doorbell
from store.outbox import relay_outbox, unsent_rings
from store.removals import is_pending
from store.room import lack_of_room
from store.settings import Settings
from store.sweeping import is_at_work, over_among, ring_when_idle, sweep
from store.workers import MISSED_ROUNDS, WorkerRegister
from worker.abandoned import take_abandoned
from worker.cleaning import CleaningProcess
from worker.deafness import Listening
from worker.measuring import MeasuringProcess, known_device
from worker.place import place_of
from worker.shared import SharedState
from worker.step_dir import remove_forgotten, step_dirs
from worker.usage import usage_of

log = structlog.get_logger(__name__)

_HOUR = 3600.0
_HUNG_SECONDS = 180.0
_EXIT_HUNG = 70
_DAY = 24 * _HOUR
_GIVE_WAY_SECONDS = 0.5


class Housekeeper:
    """A thread of the Celery parent.

    The parent forks again whenever a pool process dies. A fork in the middle of a transaction
    would leave the new process with a broken copy of the database's state, so rounds and forks
    exclude each other, and no connection outlives a round.
    """

    def __init__(
        self, settings: Settings, shared: SharedState, queues: list[str], concurrency: int = 1
    ) -> None:
        self._settings = settings
        self._concurrency = concurrency
        self._place = place_of(settings.data_dir)
        self._listening = Listening(shared, settings.sweep_seconds * MISSED_ROUNDS)
        self._shared = shared
        self._queues = queues
        self._round = threading.Lock()
        self._ending = threading.Event()
        self._swept_forgotten_at = -_HOUR
        self._cleaning = CleaningProcess(settings)
        self._device = known_device(settings)
        self._measuring = MeasuringProcess(
            settings, shared.worker_id, knows_device=self._device is not None
        )
        self._thread = threading.Thread(target=self._keep, name="housekeeping", daemon=True)

    def start(self) -> None:
        """Begin; the first round is run at once."""
        os.register_at_fork(
            before=self._round.acquire,
            after_in_parent=self._round.release,
            after_in_child=self._round.release,
        )
        self._thread.start()

    def stop(self) -> None:
        """End, and say goodbye in the register."""
        self._ending.set()
        was_started = self._thread.is_alive()
        if was_started:
            self._thread.join(timeout=5.0)
        self._cleaning.stop()
        self._measuring.stop()
        if not was_started:
            return
        try:
            with self._round:
                database = Database.from_settings(self._settings)
                with database.write() as session:
                    WorkerRegister(session).gone(self._shared.worker_id)
                database.dispose()
        except Exception as error:  # noqa: BLE001 - the row goes stale by itself
            log.warning("goodbye_failed", reason=type(error).__name__)

    def run_once(self) -> None:
        """Run one round."""
        is_hourly = time.monotonic() - self._swept_forgotten_at >= _HOUR
        database = Database.from_settings(self._settings)
        doorbell = Doorbell(self._settings)
        settings = self._settings
        try:
            no_room = lack_of_room(settings)
            # What a step's process found wrong it looks at again with the next message only.
            paused = no_room or self._shared.trouble
            if paused is not None:
                log.warning("paused", reason=paused)
            usage = usage_of(settings, os.environ)
            with database.write() as session:
                WorkerRegister(session).seen(
                    self._shared.worker_id,
                    host=self._shared.host,
                    queues=self._queues,
                    version=__version__,
                    step_id=self._shared.step_id,
                    place=self._place,
                    paused=paused,
                    device=self._device,
                    usage=usage,
                )
            taken = take_abandoned(database, settings, self._place)
            swept = sweep(database, max_attempts=settings.max_attempts)
            rung = 0
            if no_room is None and not self._shared.is_stopping:
                rung = ring_when_idle(
                    database,
                    self._shared.worker_id,
                    self._queues,
                    slots=self._concurrency,
                    after_seconds=settings.sweep_seconds,
                )
            relay_outbox(database, doorbell)
            if self._listening.note(database, rung, unsent_rings(database)):
                self._start_anew()
            over = over_among(database, step_dirs(self._settings)) if is_hourly else frozenset()
            has_removals = is_pending(database)
            # Of several at work at once the shared page knows the last claimed alone.
            # A neighbour at work would be slowed down, and what is measured beside it is too slow.
            is_busy = rung > 0 or is_at_work(
                database, self._shared.worker_id, place=self._place, host=self._shared.host
            )
            if taken or swept.requeued or swept.failed or swept.settled:
                log.info(
                    "swept",
                    taken=taken,
                    requeued=swept.requeued,
                    failed=swept.failed,
                    ended=swept.settled,
                )
        finally:
            doorbell.close()
            database.dispose()
        if is_hourly:
            self._swept_forgotten_at = time.monotonic()
            remove_forgotten(self._settings, self._settings.checkpoint_days * _DAY, over)
        if not self._ending.is_set():
            self._cleaning.tend(has_removals=has_removals, is_hourly=is_hourly)
            is_busy = is_busy or self._shared.step_id is not None or paused is not None
            self._measuring.give_way(is_busy=is_busy)
            self._measuring.tend(is_busy=is_busy or self._shared.is_stopping)

    def _start_anew(self) -> None:
        """End this worker as if it had been told to; it is kept running by somebody else."""
        log.error("deaf", detail="rings are sent and not heard; the worker ends to be started anew")
        os.kill(os.getpid(), signal.SIGTERM)
        watch = threading.Timer(_HUNG_SECONDS, _unheard_of_end)
        watch.daemon = True
        watch.start()

    def _keep(self) -> None:
        while not self._ending.is_set():
            # A database that neither answers nor refuses would keep the worker deaf for ever.
            watch = threading.Timer(_HUNG_SECONDS, _give_up)
            watch.daemon = True
            watch.start()
            try:
                with self._round:
                    self.run_once()
            except Exception as error:  # noqa: BLE001 - the next round may find it mended
                log.warning("housekeeping_failed", reason=f"{type(error).__name__}: {error}")
            finally:
                watch.cancel()
            self._rest()

    def _rest(self) -> None:
        """Wait for the next round; a step that comes meanwhile finds nothing measured beside it."""
        until = time.monotonic() + self._settings.sweep_seconds
        while (left := until - time.monotonic()) > 0:
            is_measuring = self._measuring.is_running()
            if self._ending.wait(min(left, _GIVE_WAY_SECONDS) if is_measuring else left):
                return
            self._measuring.give_way(is_busy=self._shared.step_id is not None)


def _unheard_of_end() -> None:
    log.error("shutdown_hangs")
    os._exit(_EXIT_HUNG)


def _give_up() -> None:
    log.error("housekeeping_hangs", seconds=_HUNG_SECONDS)
    os._exit(_EXIT_HUNG)
