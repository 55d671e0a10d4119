"""``graft serve``: brings everything up in order, keeps it up, takes it down in order."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from gan_core import __version__
from gan_core.spec.errors import GraftError
from graft.serving.children import Child
from graft.serving.data_dir import Service, announce, locked, withdraw
from graft.serving.ports import listen, url_of

if TYPE_CHECKING:
    from store.settings import Settings

_API_SECONDS = 60.0
_WATCH_SECONDS = 0.25
# A worker's children write their checkpoints first; the worker itself gives them 40 seconds.
_WORKER_STOP_SECONDS = 60.0
_API_STOP_SECONDS = 10.0

Tell = Callable[[str], None]


class StopRequestedError(Exception):
    """Somebody wants the service to end."""


class _Signals:
    """Turns SIGINT and SIGTERM into a question that can be asked."""

    def __init__(self) -> None:
        self.count = 0

    @contextmanager
    def caught(self) -> Iterator[None]:
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = [signal.signal(number, self._take) for number in numbers]
        try:
            yield
        finally:
            for number, handler in zip(numbers, before, strict=True):
                signal.signal(number, handler)

    def _take(self, _number: int, _frame: FrameType | None) -> None:
        self.count += 1

    def check(self) -> None:
        """Raise StopRequestedError when a signal has come."""
        if self.count:
            raise StopRequestedError


@dataclass
class ServeOptions:
    """What ``graft serve`` was asked for.

    Attributes:
        port: None: the default or the next that is free.
        workers: How many worker processes; 0: none.
        on_ready: Called with the service's address and the file with its key once it answers.
        tell: Called with a line for the person.
    """

    port: int | None = None
    workers: int = 1
    on_ready: Callable[[str, Path], None] = lambda _url, _key: None
    tell: Tell = print


@dataclass
class _House:
    """Everything that runs, in the order in which it was started."""

    children: list[Child] = field(default_factory=list)

    def start(self, child: Child) -> None:
        self.children.append(child)
        child.start()

    def tend(self, tell: Tell) -> None:
        for child in self.children:
            child.tend(tell)

    def end(self, is_urgent: Callable[[], bool]) -> None:
        """End the API and the workers together, and then what they stand on."""
        first = [child for child in self.children if child.name != "valkey"]
        for group in (first, [child for child in self.children if child not in first]):
            for child in group:
                child.ask_to_end()
            asked_at = time.monotonic()
            while not is_urgent() and any(
                c.is_alive and time.monotonic() - asked_at < c.stop_seconds for c in group
            ):
                time.sleep(0.05)
            for child in group:
                child.end(by=time.monotonic())


def serve(settings: Settings, options: ServeOptions) -> None:
    """Serve until SIGINT or SIGTERM. A second signal ends everything without grace.

    Args:
        settings: With the data directory and the host set.
        options: What was asked for.

    Raises:
        GraftError: Something that the person can mend kept it from starting; nothing is left.
    """
    from store.settings import keep_files_private, prepare

    signals = _Signals()
    with signals.caught(), locked(settings.data_dir):
        keep_files_private()
        settings = prepare(settings)
        listening = listen(settings.host, options.port)
        house = _House()
        try:
            _bring_up(settings, options, listening, house, signals)
            while True:
                signals.check()
                house.tend(options.tell)
                time.sleep(_WATCH_SECONDS)
        except StopRequestedError:
            options.tell("stopping; running steps are checkpointed and go on at the next start")
        finally:
            withdraw(settings.data_dir)
            asked = signals.count
            house.end(is_urgent=lambda: signals.count > max(asked, 1))
            listening.close()


def _bring_up(
    settings: Settings,
    options: ServeOptions,
    listening: socket.socket,
    house: _House,
    signals: _Signals,
) -> None:
    from graft.serving import valkey

    logs = settings.data_dir / "logs"
    url = url_of(listening)
    redis_url = settings.redis_url.get_secret_value()
    if "redis_url" not in settings.model_fields_set:
        server = valkey.configure(settings.data_dir, logs)
        house.start(server.child)
        redis_url = server.url
    _prepare_database(settings)
    if "redis_url" not in settings.model_fields_set:
        valkey.wait_until_ready(server, signals.check)
    env = _environment(settings, redis_url, url, options.workers)
    api = Child(
        "api",
        [sys.executable, "-m", "graft.serving.api_process", str(listening.fileno())],
        env,
        logs / "api.log",
        stop_seconds=_API_STOP_SECONDS,
        pass_fds=[listening.fileno()],
    )
    house.start(api)
    for worker in _workers(options.workers, env, logs):
        house.start(worker)
    _wait_for_api(url, api, signals)
    announce(settings.data_dir, Service(url=url, pid=os.getpid(), version=__version__))
    options.on_ready(url, settings.data_dir / "admin.key")


def _workers(number: int, env: dict[str, str], logs: Path) -> Iterator[Child]:
    """Yield the processes that carry out steps: so many for everything, and two beside them."""

    def worker(name: str, *options: str, **variables: str) -> Child:
        command = [sys.executable, "-m", "graft", "worker", "--name", name, *options]
        return Child(name, command, env | variables, logs / f"{name}.log", _WORKER_STOP_SECONDS)

    for one in range(1, number + 1):
        yield worker(f"worker-{one}")
    if number:
        # So that a report does not wait for a training to end.
        yield worker("short-work", "--queues", "cpu")
        # So that a person at the screen waits for neither. It leaves the GPU, whose memory a
        # training may need to the last byte, alone: a few pictures take longer to bring there.
        alone = {"GRAFT_DEVICE": "cpu", "GRAFT_MEASURE_SPEEDS": "false"}
        yield worker("screen", "--queues", "interactive", **alone)


def _prepare_database(settings: Settings) -> None:
    import migrations
    from store.bootstrap import ensure_admin
    from store.database import Database

    migrations.upgrade(settings.resolved_database_url())
    database = Database.from_settings(settings)
    try:
        ensure_admin(database, settings)
    finally:
        database.dispose()


def _environment(settings: Settings, redis_url: str, url: str, workers: int) -> dict[str, str]:
    env = dict(os.environ) | {
        "GRAFT_DATA_DIR": str(settings.data_dir),
        "GRAFT_REDIS_URL": redis_url,
        "GRAFT_HOST": settings.host,
        "GRAFT_PORT": url.rsplit(":", 1)[1],
    }
    if workers > 1 and settings.threads is None:
        # Steps that run side by side share the cores instead of fighting for them.
        env["GRAFT_THREADS"] = str(max(1, (os.cpu_count() or 1) // workers))
    return env


def _wait_for_api(url: str, api: Child, signals: _Signals) -> None:
    import httpx

    until = time.monotonic() + _API_SECONDS
    with httpx.Client(timeout=2.0, trust_env=False) as client:
        while True:
            signals.check()
            try:
                if client.get(f"{url}/livez").is_success:
                    return
            except httpx.TransportError:
                pass
            if not api.is_alive or time.monotonic() > until:
                raise GraftError(
                    "api_failed",
                    f"The API did not start: {api.last_words() or 'it said nothing'}",
                    f"Its log is {api.log_path}.",
                )
            time.sleep(0.05)
