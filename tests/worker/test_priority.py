"""Which steps leave the processor to others."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from worker.priority import NICENESS, give_way
from worker.processes import OwnChild


@pytest.mark.parametrize(("gives_way", "niceness"), [(True, NICENESS), (False, 0)])
def test_a_started_child_gives_way_when_it_should(
    gives_way: bool, niceness: int, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    child = OwnChild(command, tmp_path, os.environ, gives_way=gives_way)
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert os.getpriority(os.PRIO_PROCESS, child.pid) == max(own, niceness)
    assert not child.has_ended()
    child.signal_group(signal.SIGKILL)
    child.finish()
    assert child.returncode == -signal.SIGKILL


def test_a_process_that_has_ended_needs_not_give_way() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    give_way(ended.pid)
