"""Steps give way: whoever waits for an answer of the API must not wait for a training's arithmetic.

On a machine of their own steps lose nothing by it. Where a worker shares one with the API and the
database, as in the embedded form, a training takes what they leave. Pictures that somebody waits
for are an answer, too: ``worker.starting`` says which steps do not give way.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

NICENESS = 10


def give_way(pid: int) -> None:
    """Lower the priority of a process that was started just now; what it starts inherits it.

    Linux may share the processor among sessions first (``sched_autogroup_enabled``), and nice
    values then count within a session alone: the session has one of its own, see sched(7).
    """
    with suppress(OSError):  # it has ended already
        os.setpriority(os.PRIO_PROCESS, pid, NICENESS)
    with suppress(OSError):  # no such sharing, or not on this system
        Path(f"/proc/{pid}/autogroup").write_text(str(NICENESS), encoding="ascii")
