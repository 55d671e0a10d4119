"""One child process: started in a group of its own, listened to, ended when it must be."""

from __future__ import annotations

import json
import os
import selectors
import signal
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from store.page_tables import LogLevel
from worker.processes import OwnChild, StepProcess

_POLL_SECONDS = 0.2
_CLOSED_POLL_SECONDS = 0.01
_TAIL_LINES = 60
_LONGEST_LINE = 1 << 20
_LONGEST_NOTICE = 1000

# A child that nobody wants any more needs no time for a checkpoint, only for tidying up.
_SHORT_GRACE_SECONDS = 4.0

OnProgress = Callable[[float, str], None]
OnNotice = Callable[[str, LogLevel], None]


def ignore_notice(_text: str, _level: LogLevel) -> None:
    """An ``on_notice`` for callers that do not want to know."""


class EndReason(Enum):
    """Why we ended a child."""

    CANCELLED = "cancelled"
    LOST = "lost"
    SHUTDOWN = "shutdown"
    SILENT = "silent"


@dataclass
class ChildEnd:
    """What a child left behind.

    Attributes:
        returncode: As ``subprocess`` has it: negative when a signal ended the process.
        asked: Why we asked it to end, if we did.
        outputs: Of its ``done`` line; None when there was none.
        failure: Its ``failed`` line.
        stderr_tail: The last lines it wrote for people who read logs.
    """

    returncode: int = 0
    asked: EndReason | None = None
    outputs: list[dict[str, Any]] | None = None
    failure: dict[str, Any] | None = None
    stderr_tail: deque[str] = field(default_factory=lambda: deque(maxlen=_TAIL_LINES))


class _Lines:
    """Cuts a pipe's bytes into lines; a line without end is thrown away, not gathered."""

    def __init__(self, take: Callable[[str], None]) -> None:
        self._take = take
        self._rest = b""

    def feed(self, data: bytes) -> None:
        *whole, self._rest = (self._rest + data).split(b"\n")
        for line in whole:
            self._take(line.decode("utf-8", "replace"))
        if len(self._rest) > _LONGEST_LINE:
            self._rest = b""

    def finish(self) -> None:
        if self._rest:
            self._take(self._rest.decode("utf-8", "replace"))
            self._rest = b""


def run_child(
    command: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    end_reason: Callable[[], EndReason | None],
    on_progress: OnProgress,
    grace_seconds: float,
    started: StepProcess | None = None,
    gives_way: bool = True,
    on_notice: OnNotice = ignore_notice,
) -> ChildEnd:
    """Run a child to its end.

    Args:
        command: What to start. Call this from a thread that outlives the child: the kernel's
            parent-death signal is bound to the thread that forked.
        cwd: Its working directory.
        env: Its whole environment.
        end_reason: Asked a few times a second; once it gives a reason, the child gets SIGTERM,
            and its whole process group SIGKILL after the grace: none for a lost lease, the full one
            for a shutdown, which waits for a checkpoint.
        on_progress: Called with each progress line's (fraction, detail).
        grace_seconds: How long the child may take to write its checkpoint.
        started: One that has been forked and told its folder (``worker.ready``); then the command
            is not used.
        gives_way: Whether one that is started here leaves the processor to others.
        on_notice: Called with each notice's text and level; must not keep us waiting.
    """
    end = ChildEnd()

    def take_event(line: str) -> None:
        try:
            event = json.loads(line)
            kind = event["event"]
            if kind == "progress":
                on_progress(float(event["fraction"]), str(event["detail"]))
            elif kind == "notice":
                level: LogLevel = "warning" if event.get("level") == "warning" else "info"
                on_notice(str(event["text"])[:_LONGEST_NOTICE], level)
            elif kind == "done":
                end.outputs = list(event["outputs"])
            elif kind == "failed":
                end.failure = dict(event)
        except (ValueError, KeyError, TypeError):
            end.stderr_tail.append(line[:1000])

    process = started or OwnChild(command, cwd, env, gives_way=gives_way)
    try:
        _listen(process, end, take_event, end_reason, grace_seconds)
    finally:
        # Whatever it started itself goes with it. It has not been reaped yet, so that the
        # group's number cannot mean somebody else's processes.
        process.signal_group(signal.SIGKILL)
        process.finish()
    end.returncode = process.returncode or 0
    return end


def _listen(
    process: StepProcess,
    end: ChildEnd,
    take_event: Callable[[str], None],
    end_reason: Callable[[], EndReason | None],
    grace_seconds: float,
) -> None:
    pipes = {
        process.stdout: _Lines(take_event),
        process.stderr: _Lines(lambda line: end.stderr_tail.append(line[:1000])),
    }
    kill_at: float | None = None
    with selectors.DefaultSelector() as selector:
        for pipe, lines in pipes.items():
            os.set_blocking(pipe.fileno(), False)
            selector.register(pipe, selectors.EVENT_READ, lines)
        while True:
            has_ended = process.has_ended()
            if has_ended:
                # Whatever it started goes with it, and can no longer hold its pipes open.
                process.signal_group(signal.SIGKILL)
            # One that has closed its pipes is about to end.
            pause = _POLL_SECONDS if selector.get_map() else _CLOSED_POLL_SECONDS
            ready = selector.select(0 if has_ended else pause)
            for key, _ in ready:
                data = os.read(key.fd, 1 << 16)
                if data:
                    key.data.feed(data)
                else:
                    selector.unregister(key.fileobj)
            if has_ended:
                if not ready:
                    break
                continue
            if end.asked is None and (reason := end_reason()) is not None:
                end.asked = reason
                os.kill(process.pid, signal.SIGTERM)
                kill_at = time.monotonic() + _grace(reason, grace_seconds)
            if kill_at is not None and time.monotonic() >= kill_at:
                process.signal_group(signal.SIGKILL)
    for lines in pipes.values():
        lines.finish()


def _grace(reason: EndReason, for_a_checkpoint: float) -> float:
    if reason is EndReason.LOST:
        return 0.0
    return for_a_checkpoint if reason is EndReason.SHUTDOWN else _SHORT_GRACE_SECONDS
