"""The child process that runs one step: JSON lines on stdout, an exit code, a way to be stopped.

A worker starts it with ``--die-with-parent``: when the worker is killed, the kernel ends the child
too (prctl(2), PR_SET_PDEATHSIG), so that no step ever runs without somebody who renews its lease.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

from gan_core.progress import Notice, Progress, Stopped
from gan_core.spec.errors import GraftError
from gan_core.steps.run import load_step, run_step

EXIT_DONE = 0
EXIT_FAILED = 3
EXIT_STOPPED = 4

_PR_SET_PDEATHSIG = 1
_PROGRESS_SECONDS = 0.5


class _Events:
    """Writes events to the parent; progress at most twice a second."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.last_progress = -1.0

    def write(self, event: str, **fields: Any) -> None:
        self.stream.write(json.dumps({"event": event, **fields}, ensure_ascii=False) + "\n")
        self.stream.flush()

    def progress(self, progress: Progress) -> None:
        now = time.monotonic()
        if now - self.last_progress >= _PROGRESS_SECONDS:
            self.last_progress = now
            self.write("progress", fraction=round(progress.fraction, 4), detail=progress.detail)

    def notice(self, notice: Notice) -> None:
        self.write("notice", level=notice.level, text=notice.text)


class StopRequest:
    """Turns SIGTERM and SIGINT into an answer to ``should_stop()``."""

    def __init__(self) -> None:
        self.asked = False
        signal.signal(signal.SIGTERM, self._ask)
        signal.signal(signal.SIGINT, self._ask)

    def _ask(self, _signal: int, _frame: FrameType | None) -> None:
        self.asked = True

    def __call__(self) -> bool:
        """Return whether a signal has asked for an end."""
        return self.asked


def die_with_parent(parent: int) -> None:
    """Ask the kernel to kill this process when its parent ends (Linux; elsewhere nothing).

    Args:
        parent: Process id of who started it, who may be gone before this is reached.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the kernel had been asked
        os._exit(EXIT_STOPPED)


def main(step_dir: Path, *, parent: int | None, confines: bool = False) -> int:
    """Run the step in ``step_dir`` and return the process's exit code.

    Args:
        step_dir: The step's folder.
        parent: With whose end to end; None: with nobody's.
        confines: Whether a step that reads what strangers sent limits the process first.

    0: done. 3: failed in a way that another try would repeat. 4: stopped when asked, can go on.
    5: the time was over (``gan_core.steps.limits``). Anything else is a crash, whose traceback is
    on stderr.
    """
    if parent is not None:
        die_with_parent(parent)
    # What libraries print must not be taken for an event.
    events = _Events(sys.stdout)
    sys.stdout = sys.stderr
    should_stop = StopRequest()
    try:
        context = load_step(
            step_dir,
            on_progress=events.progress,
            should_stop=should_stop,
            on_notice=events.notice,
        )
        if confines and context.kind == "ingest":
            from gan_core.steps.ingest import confined

            context = confined(context)
        outputs = run_step(context)
    except Stopped:
        return EXIT_STOPPED
    except GraftError as error:
        evidence = {"evidence": error.evidence} if error.evidence else {}
        events.write("failed", code=error.code, detail=error.detail, hint=error.hint, **evidence)
        return EXIT_FAILED
    events.write("done", outputs=outputs)
    return EXIT_DONE
