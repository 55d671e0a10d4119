"""The Celery app: one task, settings as measured, a graceful stop.

Nothing here relies on Celery for more than a doorbell: no results, no countdowns, no chords. A
message that arrives twice finds the step claimed; one that is lost is rung again by the sweeper.
"""

from __future__ import annotations

import os
from typing import Any

from celery import Celery, signals

from store.database import Database
from store.doorbell import QUEUES, TASK_NAME, Doorbell, transport_options
from store.logs import configure_logs
from store.objects import Objects
from store.settings import Settings
from store.tracing import Tracing, start_tracing
from worker.housekeeping import Housekeeper
from worker.parent_death import die_with_parent
from worker.ready import ReadyChild
from worker.running import StepRunner
from worker.shared import SharedState
from worker.starting import child_environment

_SOFT_SHUTDOWN_SECONDS = 60
_BROKER_SILENCE_SECONDS = 30.0
_LATER_SECONDS = 30.0


def make_app(
    settings: Settings, shared: SharedState | None = None, *, load_after: float | None = None
) -> Celery:
    """Return the Celery app of a worker.

    Args:
        settings: The worker's.
        shared: Made before any fork; a fresh one by default.
        load_after: Seconds after its start in which a step's libraries are loaded, where somebody
            may wait for the first step; null: with the first one that comes.
    """
    shared = shared or SharedState()
    app = Celery("graft", broker=settings.redis_url.get_secret_value(), set_as_current=False)
    app.conf.update(
        task_acks_late=True,
        # A pool process that is killed must not take its message with it.
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        task_ignore_result=True,
        result_backend=None,
        accept_content=["json"],
        task_serializer="json",
        task_default_queue=QUEUES[-1],
        # A broker that is gone without a word is noticed after this long.
        broker_transport_options=transport_options(settings)
        | {"socket_timeout": _BROKER_SILENCE_SECONDS},
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        worker_soft_shutdown_timeout=_SOFT_SHUTDOWN_SECONDS,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
    )
    runners: list[StepRunner] = []
    tracings: list[Tracing] = []
    # Each pool process gets a copy, and starts a process of its own with it.
    ready = ReadyChild(child_environment(os.environ, None)) if settings.ready_child else None

    def run_step(step_id: str) -> None:
        # Made in the pool process: connections do not survive a fork.
        if not runners:
            tracings.append(start_tracing(settings, "graft-worker"))
            runners.append(
                StepRunner(
                    settings,
                    Database.from_settings(settings),
                    Objects.from_settings(settings),
                    Doorbell(settings),
                    shared,
                    ready=ready,
                    tracing=tracings[0],
                )
            )
        runners[0].run(step_id)

    def on_pool_process(**_: Any) -> None:
        if ready is not None and load_after is not None:
            ready.prepare(load_after)

    def on_pool_process_end(**_: Any) -> None:
        for tracing in tracings:
            tracing.close()

    signals.worker_process_init.connect(on_pool_process, weak=False)
    signals.worker_process_shutdown.connect(on_pool_process_end, weak=False)

    # Not shared: Celery would register it with every other app of this process.
    app.task(run_step, name=TASK_NAME, ignore_result=True, shared=False)
    return app


def run_worker(
    settings: Settings, *, queues: list[str], concurrency: int = 1, name: str | None = None
) -> int:
    """Run a Celery worker until it is told to stop; return its exit code.

    SIGTERM and SIGINT stop it warmly: steps at work are checkpointed by their children within
    seconds and handed back, so that Celery has nothing left to wait for. (SIGTERM should not be
    remapped to SIGQUIT: Celery would sleep through the whole soft shutdown before it told us.)
    """
    configure_logs(settings)
    start_tracing(settings, "graft-worker").close()  # to refuse at the start what cannot be had
    shared = SharedState()
    app = make_app(settings, shared, load_after=_load_after(queues))
    housekeeper = Housekeeper(settings, shared, queues, concurrency)

    def on_stop(**_: Any) -> None:
        shared.ask_to_stop()

    def on_ready(**_: Any) -> None:
        housekeeper.start()

    def on_pool_process(**_: Any) -> None:
        # With the pool process goes the step's child, which has the same agreement.
        die_with_parent()

    # Celery keeps these weakly; this function outlives the worker.
    signals.worker_shutting_down.connect(on_stop)
    signals.worker_ready.connect(on_ready)
    signals.worker_process_init.connect(on_pool_process)
    signals.setup_logging.connect(_leave_logging_alone)
    arguments = [
        "worker",
        "--pool=prefork",
        f"--concurrency={concurrency}",
        f"--queues={','.join(queues)}",
        f"--loglevel={settings.log_level}",
        "--without-gossip",
        "--without-mingle",
        "--without-heartbeat",
    ]
    if name is not None:
        arguments.append(f"--hostname={name}@%h")
    try:
        app.worker_main(arguments)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 1
    finally:
        housekeeper.stop()
    return 0


def _load_after(queues: list[str]) -> float | None:
    """Return when to load what a person's first picture needs: theirs alone at once.

    Where several workers start on one machine, those that have other work, too, let it start first.
    """
    if "interactive" not in queues:
        return None
    return 0.0 if queues == ["interactive"] else _LATER_SECONDS


def _leave_logging_alone(**_: Any) -> None:
    """Be there: a receiver of this signal keeps Celery from setting up logging of its own."""
