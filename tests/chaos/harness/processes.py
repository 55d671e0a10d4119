"""Real processes, kept up as a service manager keeps them, and found by what they belong to."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_LOOK_SECONDS = 0.1


def free_port() -> int:
    """Return a loopback port that is free now."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _stat(pid: int) -> tuple[str, int] | None:
    """Return a process's state and its parent's number; None when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return None
    return fields[0], int(fields[1])


def all_pids() -> list[int]:
    """Return the numbers of all processes."""
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def folder_of(pid: int) -> str:
    """Return the working directory of a process: a step's child works in the step's folder."""
    try:
        return str(Path(f"/proc/{pid}/cwd").readlink())
    except OSError:
        return ""


def command_line(pid: int) -> list[str]:
    """Return a process's arguments; empty when it is gone."""
    try:
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return []
    return [part.decode("utf-8", "replace") for part in raw.split(b"\0") if part]


def children_of(pid: int) -> list[int]:
    """Return the living children of a process."""
    found = []
    for other in all_pids():
        stat = _stat(other)
        if stat is not None and stat[1] == pid and stat[0] != "Z":
            found.append(other)
    return sorted(found)


def descendants_of(pid: int) -> list[int]:
    """Return the living children of a process, theirs, and so on."""
    found = []
    for child in children_of(pid):
        found += [child, *descendants_of(child)]
    return found


def processes_of(folder: Path) -> list[int]:
    """Return every living process that has a folder in its command line or environment."""
    found = []
    needle = str(folder).encode()
    for pid in all_pids():
        if pid == os.getpid():
            continue
        with contextlib.suppress(OSError):
            place = Path(f"/proc/{pid}")
            said = (place / "cmdline").read_bytes() + (place / "environ").read_bytes()
            stat = _stat(pid)
            if needle in said and stat is not None and stat[0] != "Z":
                found.append(pid)
    return found


def send(pid: int, number: signal.Signals) -> bool:
    """Send a signal; say whether there was still somebody to get it."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


@dataclass
class Managed:
    """One process that is started again a moment after it ended.

    Attributes:
        name: For people and for its log.
        command: What to start.
        env: Its whole environment.
        log: Where its output goes.
        pause: Seconds between its end and the next start.
    """

    name: str
    command: Sequence[str]
    env: Mapping[str, str]
    log: Path
    pause: float = 0.7
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0
    is_wanted: bool = False
    _ended_at: float | None = field(default=None, repr=False)

    @property
    def pid(self) -> int:
        """The number of the process that was started last."""
        assert self.process is not None
        return self.process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it runs."""
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Start it, in a session of its own."""
        with self.log.open("ab") as file:
            self.process = subprocess.Popen(
                list(self.command),
                env=dict(self.env),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd="/",
            )
        self.starts += 1
        self.is_wanted = True
        self._ended_at = None

    def tend(self) -> None:
        """Start it again when it has been gone for the pause."""
        if not self.is_wanted or self.is_alive:
            return
        now = time.monotonic()
        if self._ended_at is None:
            self._ended_at = now
        elif now - self._ended_at >= self.pause:
            self.start()

    def stop(self, number: signal.Signals = signal.SIGTERM, seconds: float = 60.0) -> int:
        """End it for good; return its exit code (-9 when it had to be killed)."""
        self.is_wanted = False
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            for pid in [*descendants_of(self.process.pid), self.process.pid]:
                send(pid, signal.SIGKILL)
            return self.process.wait(timeout=10)


class Manager:
    """Looks after processes from a thread."""

    def __init__(self) -> None:
        self._managed: list[Managed] = []
        self._lock = threading.RLock()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="manager", daemon=True)
        self._thread.start()

    def add(self, process: Managed) -> Managed:
        """Start a process and keep it up."""
        with self._lock:
            process.start()
            self._managed.append(process)
        return process

    def stop(self, *processes: Managed, seconds: float = 60.0) -> None:
        """End processes for good, all at once."""
        with self._lock:
            for process in processes:
                process.is_wanted = False
                if process.is_alive:
                    send(process.pid, signal.SIGCONT)
                    send(process.pid, signal.SIGTERM)
        until = time.monotonic() + seconds
        for process in processes:
            process.stop(seconds=max(0.1, until - time.monotonic()))

    def close(self) -> None:
        """Start nothing any more."""
        self._ending.set()
        self._thread.join(timeout=10)

    def _keep(self) -> None:
        while not self._ending.wait(_LOOK_SECONDS):
            with self._lock:
                for process in self._managed:
                    process.tend()
