"""The process that carries out a step: one that we started, or one that was forked for us."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Protocol

from worker.priority import give_way

# A busy machine may take half a minute to load what has to be there before the first fork.
_ANSWER_SECONDS = 120.0
_LONGEST = 1 << 12


class StepProcess(Protocol):
    """What listening to a step's process needs of it.

    Attributes:
        pid: Its id, and that of its process group.
        stdout: Its events.
        stderr: What it says for people who read logs.
        returncode: As ``subprocess`` has it; None until ``finish``.
    """

    pid: int
    stdout: IO[bytes]
    stderr: IO[bytes]
    returncode: int | None

    def has_ended(self) -> bool:
        """Say whether it has ended. It is not reaped by that, so that its id stays its own."""

    def signal_group(self, number: signal.Signals) -> None:
        """Send a signal to it and whatever it has started; nothing after ``finish``."""

    def finish(self) -> None:
        """Wait for its end, reap it and close its pipes."""


class OwnChild:
    """A process that is started for the step."""

    def __init__(
        self, command: Sequence[str], cwd: Path, env: Mapping[str, str], *, gives_way: bool
    ) -> None:
        self._process = subprocess.Popen(
            command,
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self.pid = self._process.pid
        if gives_way:
            give_way(self.pid)
        assert self._process.stdout is not None  # noqa: S101 - both pipes were asked for
        assert self._process.stderr is not None  # noqa: S101
        self.stdout, self.stderr = self._process.stdout, self._process.stderr
        self.returncode: int | None = None

    def has_ended(self) -> bool:
        """As ``StepProcess``."""
        try:
            found = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)
        except ChildProcessError:
            return True
        return found is not None

    def signal_group(self, number: signal.Signals) -> None:
        """As ``StepProcess``."""
        if self.returncode is None:
            _signal_group(self.pid, number)

    def finish(self) -> None:
        """As ``StepProcess``."""
        with self._process:
            pass
        self.returncode = self._process.returncode


class ForkedChild:
    """A process that ``gan_core.steps.waiting`` has forked for the step.

    Should that one die, the kernel ends this one with it.

    Args:
        asked: Our end of the socket, over which the folder was sent.
        stdout: Our end of the pipe that the child writes events to.
        stderr: The same for what it says.

    Raises:
        OSError: No child came of it.
    """

    def __init__(self, asked: socket.socket, stdout: int, stderr: int) -> None:
        self._asked = asked
        self._rest = b""
        self.is_lost = False
        """Whether the process that forked it is gone, or does not answer."""
        self.stdout: IO[bytes] = os.fdopen(stdout, "rb", buffering=0)
        self.stderr: IO[bytes] = os.fdopen(stderr, "rb", buffering=0)
        self.returncode: int | None = None
        self._has_ended = False
        asked.settimeout(_ANSWER_SECONDS)
        answer = self._answer()
        if "pid" not in answer:
            self._close()
            raise ChildProcessError("nothing was forked")
        self.pid = int(answer["pid"])

    def has_ended(self) -> bool:
        """As ``StepProcess``."""
        if not self._has_ended:
            self._asked.setblocking(False)
            try:
                self._has_ended = "ended" in self._answer() or self.is_lost
            except BlockingIOError:
                return False
        return self._has_ended

    def signal_group(self, number: signal.Signals) -> None:
        """As ``StepProcess``; without its parent it may be reaped, and the number another's."""
        if self.returncode is None and not self.is_lost:
            _signal_group(self.pid, number)

    def finish(self) -> None:
        """As ``StepProcess``; a process whose parent is lost counts as killed."""
        self._asked.settimeout(_ANSWER_SECONDS)
        while not (self._has_ended or self.is_lost):
            self._has_ended = "ended" in self._answer()
        status = -signal.SIGKILL
        if not self.is_lost:
            try:
                self._asked.sendall(b'{"reap": true}\n')
                status = int(self._answer().get("status", status))
            except OSError:
                self.is_lost = True
        self.returncode = status
        self._close()

    def _answer(self) -> dict[str, Any]:
        """Return the next answer; empty when there will be none any more."""
        while b"\n" not in self._rest:
            try:
                data = self._asked.recv(_LONGEST)
            except BlockingIOError:
                raise
            except OSError:  # it hangs, or is gone
                data = b""
            if not data:
                self.is_lost = True
                return {}
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _close(self) -> None:
        self.stdout.close()
        self.stderr.close()


def _signal_group(pid: int, number: signal.Signals) -> None:
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        return
