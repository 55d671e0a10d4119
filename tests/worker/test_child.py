"""A child process: what is heard of it, and how it is ended."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.process_states import lives
from worker.child import ChildEnd, EndReason, run_child
from worker.priority import NICENESS

_POLITE = """
import signal, sys, time
def stop(*_):
    print("checkpoint written", file=sys.stderr, flush=True)
    sys.exit(4)
signal.signal(signal.SIGTERM, stop)
print('{"event": "progress", "fraction": 0.1, "detail": "begun"}', flush=True)
while True:
    time.sleep(0.05)
"""
_DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print('{"event": "progress", "fraction": 0.1, "detail": "begun"}', flush=True)
while True:
    time.sleep(0.05)
"""


class Heard:
    """Gathers progress, and answers a reason once there was some."""

    def __init__(self, reason: EndReason | None = None) -> None:
        self.progress: list[tuple[float, str]] = []
        self.reason = reason

    def tell(self, fraction: float, detail: str) -> None:
        self.progress.append((fraction, detail))

    def end_reason(self) -> EndReason | None:
        return self.reason if self.progress else None


def run(
    code: str,
    tmp_path: Path,
    heard: Heard,
    grace: float = 10.0,
    end_reason: Callable[[], EndReason | None] | None = None,
) -> ChildEnd:
    return run_child(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]},
        end_reason=end_reason or heard.end_reason,
        on_progress=heard.tell,
        grace_seconds=grace,
    )


def test_progress_and_outputs_are_heard_and_other_lines_go_to_the_log(tmp_path: Path) -> None:
    heard = Heard()
    end = run(
        """
import sys
print("a library says hello")
print('{"event": "progress", "fraction": 0.5, "detail": "half"}')
print('{"event": "done", "outputs": [{"name": "a.txt"}]}')
print("warning: something", file=sys.stderr)
""",
        tmp_path,
        heard,
    )
    assert end.returncode == 0
    assert end.asked is None
    assert heard.progress == [(0.5, "half")]
    assert end.outputs == [{"name": "a.txt"}]
    assert set(end.stderr_tail) == {"a library says hello", "warning: something"}


def test_a_last_line_without_its_end_is_read_too(tmp_path: Path) -> None:
    code = """import sys; sys.stdout.write('{"event": "done", "outputs": []}')"""
    assert run(code, tmp_path, Heard()).outputs == []


def test_much_output_on_both_pipes_neither_blocks_nor_grows(tmp_path: Path) -> None:
    code = """
import sys
for i in range(20000):
    sys.stderr.write(f"line {i}\\n")
    sys.stdout.write("x" * 50 + "\\n")
print('{"event": "done", "outputs": []}')
"""
    end = run(code, tmp_path, Heard())
    assert end.outputs == []
    assert len(end.stderr_tail) <= 60


def test_a_child_that_is_asked_to_stop_may_write_its_checkpoint(tmp_path: Path) -> None:
    end = run(_POLITE, tmp_path, Heard(EndReason.SHUTDOWN))
    assert end.returncode == 4
    assert end.asked is EndReason.SHUTDOWN
    assert list(end.stderr_tail) == ["checkpoint written"]


def test_a_deaf_child_is_killed_after_its_grace(tmp_path: Path) -> None:
    started = time.monotonic()
    end = run(_DEAF, tmp_path, Heard(EndReason.CANCELLED), grace=0.3)
    assert end.returncode == -signal.SIGKILL
    assert end.asked is EndReason.CANCELLED
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("reason", [EndReason.CANCELLED, EndReason.SILENT])
def test_a_deaf_child_that_nobody_wants_any_more_is_given_seconds_not_a_checkpoints_time(
    tmp_path: Path, reason: EndReason
) -> None:
    started = time.monotonic()
    end = run(_DEAF, tmp_path, Heard(reason), grace=60)
    assert (end.returncode, end.asked) == (-signal.SIGKILL, reason)
    assert time.monotonic() - started < 8


def test_a_child_whose_lease_is_lost_has_no_grace(tmp_path: Path) -> None:
    started = time.monotonic()
    end = run(_DEAF, tmp_path, Heard(EndReason.LOST), grace=60)
    assert end.returncode == -signal.SIGKILL
    assert time.monotonic() - started < 5


def test_what_the_child_started_itself_ends_with_it(tmp_path: Path) -> None:
    code = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, file=sys.stderr, flush=True)
"""
    started = time.monotonic()
    end = run(code, tmp_path, Heard())
    # It held the pipes open, and did not hold us up.
    assert time.monotonic() - started < 10
    grandchild = int(end.stderr_tail[0])
    deadline = time.monotonic() + 5
    while lives(grandchild) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not lives(grandchild)


def test_a_child_and_what_it_starts_give_way_to_everybody_else(tmp_path: Path) -> None:
    code = """
import json, os, pathlib, subprocess, sys
own = os.getpriority(os.PRIO_PROCESS, 0)
group = pathlib.Path("/proc/self/autogroup")
shared = int(group.read_text().split()[-1]) if group.exists() else None
out = subprocess.run([sys.executable, "-c", "import os; print(os.getpriority(os.PRIO_PROCESS, 0))"],
    capture_output=True, text=True).stdout
print(json.dumps({"event": "done", "outputs": [{"own": own, "theirs": int(out), "group": shared}]}))
"""
    end = run(f"import time; time.sleep(0.3)\n{code}", tmp_path, Heard())
    assert end.outputs is not None
    (found,) = end.outputs
    assert (found["own"], found["theirs"]) == (NICENESS, NICENESS)
    assert found["group"] in {None, NICENESS}
