"""``python -m worker.measuring``: say what this worker computes with, and how fast that is.

The housekeeper of a worker starts it: once for the device, where only torch can tell, and once to
time what the profiles train, after the worker has had nothing to do for a while. It is a process of
its own, as torch may not be in the Celery parent. When a step comes it is ended at once, and what
was measured until then is kept.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time

import structlog

from gan_core.devices import cpu_facts, may_have_gpu
from gan_core.spec import DeviceFacts
from store.database import Database
from store.logs import configure_logs
from store.settings import Settings, keep_files_private
from store.speeds import SpeedBook
from store.workers import WorkerRegister
from worker.parent_death import die_with_parent

log = structlog.get_logger("worker.measuring")  # also where it is the main module

_IDLE_SECONDS = 30.0
_PAUSE_AFTER_FAILURE = 300.0
_TELLING_STEPS = 3
_SECONDS_A_KIND = 10.0
_STOP_SECONDS = 2.0
_NICENESS = 10


def known_device(settings: Settings) -> DeviceFacts | None:
    """Return what the worker computes with as far as that is plain without torch: a CPU."""
    if settings.device == "cpu" or not may_have_gpu():
        return cpu_facts(settings.threads)
    return None


class MeasuringProcess:
    """At most one such process, of a worker.

    Args:
        settings: The worker's. All but the data directory is in the environment already.
        worker_id: Whose device it is.
        knows_device: Whether that needs no process.
    """

    def __init__(self, settings: Settings, worker_id: str, *, knows_device: bool) -> None:
        self._env = dict(os.environ) | {"GRAFT_DATA_DIR": str(settings.data_dir)}
        self._worker_id = worker_id
        self._knows_device = knows_device
        self._is_to_measure = settings.measure_speeds
        self._process: subprocess.Popen[bytes] | None = None
        self._measures = False
        self._not_before = 0.0
        self._idle_since: float | None = None

    def tend(self, *, is_busy: bool) -> bool:
        """Start it when it is due, unless the worker has something to do or just had.

        Args:
            is_busy: Whether a step is at work, or waits for this worker.

        Returns:
            Whether it was started.
        """
        now = time.monotonic()
        self._idle_since = None if is_busy else (self._idle_since or now)
        if self.is_running() or now < self._not_before:
            return False
        if not self._knows_device:
            self._start("--device-only")
            return True
        is_idle = self._idle_since is not None and now - self._idle_since >= _IDLE_SECONDS
        if self._is_to_measure and is_idle:
            self._start()
            return True
        return False

    def give_way(self, *, is_busy: bool) -> None:
        """End a measurement when a step has come; it is made up for later."""
        if is_busy:
            self._idle_since = None
            if self._measures and self.is_running():
                self.stop()

    def is_running(self) -> bool:
        """Say whether it is at work, and take in how it ended."""
        if self._process is None:
            return False
        code = self._process.poll()
        if code is None:
            return True
        self._process = None
        if code != 0:
            self._not_before = time.monotonic() + _PAUSE_AFTER_FAILURE
        elif self._measures:
            self._is_to_measure = False
        else:
            self._knows_device = True
        return False

    def stop(self) -> None:
        """End it."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(timeout=_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _start(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "worker.measuring", "--die-with-parent"]
        command += [f"--worker={self._worker_id}", *arguments]
        self._measures = not arguments
        self._process = subprocess.Popen(command, env=self._env, stdin=subprocess.DEVNULL)


def measure(
    settings: Settings,
    database: Database,
    worker_id: str,
    *,
    device_only: bool = False,
    seconds: float = _SECONDS_A_KIND,
) -> int:
    """Note what a worker computes with, and what is not known yet of how fast that is.

    Args:
        settings: The worker's.
        database: Where it is noted, each measurement at once.
        worker_id: Whose device it is.
        device_only: Not how fast.
        seconds: For each training.

    Returns:
        How many trainings were measured.

    Raises:
        GraftError: ``no_gpu``.
    """
    from gan_core.devices import facts_of
    from gan_core.measuring import measure_tasks, tasks_of
    from gan_core.steps.context import StepSettings

    given = StepSettings(
        device=settings.device, cache_dir=settings.resolved_cache_dir(), threads=settings.threads
    )
    device = given.torch_device()
    facts = facts_of(device, settings.threads)
    with database.write() as session:
        WorkerRegister(session).describe(worker_id, facts)
    if device_only:
        return 0
    if settings.threads is not None:
        import torch

        torch.set_num_threads(settings.threads)
    tasks = {task.workload: task for task in tasks_of(device)}
    with database.read() as session:
        unknown = SpeedBook(session).unmeasured(facts.name, list(tasks))
    count = 0
    for found in measure_tasks([tasks[name] for name in unknown], device, seconds=seconds):
        if found.steps < _TELLING_STEPS:
            continue
        with database.write() as session:
            book = SpeedBook(session)
            book.note(facts.name, found.workload, seconds=found.seconds, units=found.units)
        count += 1
    return count


def main() -> int:
    """Do so with the settings of the environment; return 0 when all went well."""
    parser = argparse.ArgumentParser(prog="python -m worker.measuring", description=__doc__)
    parser.add_argument("--worker", required=True)
    parser.add_argument("--device-only", action="store_true")
    parser.add_argument("--die-with-parent", action="store_true")
    arguments = parser.parse_args()
    if arguments.die_with_parent:
        die_with_parent()
    keep_files_private()
    os.nice(_NICENESS)
    settings = Settings()
    configure_logs(settings)
    database = Database.from_settings(settings)
    try:
        count = measure(settings, database, arguments.worker, device_only=arguments.device_only)
    except Exception as error:  # noqa: BLE001 - estimates are then what is typical
        log.warning("measuring_failed", reason=f"{type(error).__name__}: {error}")
        return 1
    finally:
        database.dispose()
    if count:
        log.info("measured", trainings=count)
    return 0


if __name__ == "__main__":
    sys.exit(main())
