"""Children of the supervisor: started, watched, started again, ended."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
_HEALTHY_SECONDS = 60.0
_KEPT_LOG_BYTES = 10 * 1024 * 1024
_SHOWN_LOG_BYTES = 2000


def end_with_parent() -> None:
    """In a fresh child: be asked to end when the supervisor is gone, even by SIGKILL (Linux)."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))


@dataclass
class Child:
    """One supervised process.

    Attributes:
        name: For the log's file name and for people.
        command: What to start.
        env: Its whole environment.
        log_path: Where its output goes.
        stop_seconds: How long it may take to end when asked.
        pass_fds: Open files that it inherits.
    """

    name: str
    command: Sequence[str]
    env: Mapping[str, str]
    log_path: Path
    stop_seconds: float = 10.0
    pass_fds: Sequence[int] = ()
    process: subprocess.Popen[bytes] | None = None
    restarts: int = 0
    _started_at: float = 0.0
    _start_again_at: float | None = field(default=None, repr=False)
    _log_offset: int = 0

    def start(self) -> None:
        """Start it, in a session of its own: Ctrl-C must reach the supervisor alone."""
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        if self.log_path.exists() and self.log_path.stat().st_size > _KEPT_LOG_BYTES:
            self.log_path.replace(self.log_path.with_suffix(".log.1"))
        with self.log_path.open("ab") as log:
            self._log_offset = log.tell()
            self.process = subprocess.Popen(
                list(self.command),
                env=dict(self.env),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=tuple(self.pass_fds),
                # The supervisor has no threads, so code between fork and exec is safe.
                preexec_fn=end_with_parent,  # noqa: PLW1509
            )
        self._started_at = time.monotonic()
        self._start_again_at = None

    @property
    def is_alive(self) -> bool:
        """Whether it runs."""
        return self.process is not None and self.process.poll() is None

    def last_words(self) -> str:
        """Return the end of what it has written since it was started."""
        with self.log_path.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(self._log_offset, size - _SHOWN_LOG_BYTES))
            return log.read().decode("utf-8", "replace").strip()

    def tend(self, tell: Callable[[str], None]) -> None:
        """Start it again if it has died, after a pause that doubles with every early death."""
        now = time.monotonic()
        if self.process is None or self.is_alive:
            return
        if self._start_again_at is None:
            if now - self._started_at > _HEALTHY_SECONDS:
                self.restarts = 0
            pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**self.restarts)
            self.restarts += 1
            self._start_again_at = now + pause
            code = self.process.returncode
            tell(f"{self.name} ended (exit code {code}); it is started again in {pause:.1f} s")
        elif now >= self._start_again_at:
            self.start()

    def ask_to_end(self) -> None:
        """Send SIGTERM."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def end(self, *, by: float) -> None:
        """Wait for its end; at the monotonic time ``by`` kill what is left of its group."""
        if self.process is None:
            return
        try:
            self.process.wait(timeout=max(0.0, by - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._kill_group()
            self.process.wait()
        # Descendants that outlived it: the group's number stays taken as long as one is there.
        self._kill_group()
        self.process = None

    def _kill_group(self) -> None:
        assert self.process is not None  # noqa: S101 - checked by the caller
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return
