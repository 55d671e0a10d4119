"""Limits of the kernel for a process that reads what a stranger sent.

They hold for the process, not for one parser: whatever a decoder can be talked into, it ends here.
``setrlimit(2)``; the number of processes is not limited, since that limit counts all processes and
threads of the user, other workers' among them.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from gan_core.spec.errors import GraftError

_PR_SET_NO_NEW_PRIVS = 38
# Of a whole process: address space that is only reserved counts, a thread's heap for one.
_ADDRESS_SPACE_FACTOR = 4
_CPU_EXTRA_SECONDS = 60
_GRACE_SECONDS = 30.0

EXIT_OVERTIME = 5
"""Exit code of a process that did not end by itself when its time was over."""


@dataclass(frozen=True, kw_only=True)
class ProcessLimits:
    """What a process may take.

    Attributes:
        memory_bytes: Memory that it may allocate from now on.
        seconds: Processor time, on each core.
        file_bytes: Size of the largest file that it may write.
        open_files: File descriptors.
    """

    memory_bytes: int
    seconds: int
    file_bytes: int
    open_files: int = 256


class Deadline:
    """Ends a process whose time is over: with care where it asks, by force where it does not.

    Args:
        seconds: Time by the clock, from now on.
        error: Raised by ``check`` once it is over.
    """

    def __init__(self, seconds: float, error: GraftError) -> None:
        self._error = error
        self.is_over = False
        signal.signal(signal.SIGALRM, self._ring)
        signal.setitimer(signal.ITIMER_REAL, seconds, _GRACE_SECONDS)

    def _ring(self, _signal: int, _frame: FrameType | None) -> None:
        # Nothing is raised from here: it could come in the middle of a line to the parent.
        if self.is_over:
            os._exit(EXIT_OVERTIME)
        self.is_over = True

    def check(self) -> None:
        """Raise the error if the time is over.

        Raises:
            GraftError: The one that was given.
        """
        if self.is_over:
            signal.setitimer(signal.ITIMER_REAL, _GRACE_SECONDS)
            raise self._error


def apply_limits(limits: ProcessLimits) -> None:
    """Limit this process for good.

    Past the memory, allocations fail (``MemoryError``); past the file size, writes (``EFBIG``);
    past the processor time, SIGXCPU ends the process.
    """
    # Data: private writable pages, as allocators ask for them. What is mapped or reserved besides
    # (libraries, heaps of threads) counts for the address space alone.
    _lower(resource.RLIMIT_DATA, _now("VmData") + limits.memory_bytes)
    _lower(resource.RLIMIT_AS, _now("VmSize") + _ADDRESS_SPACE_FACTOR * limits.memory_bytes)
    _lower(resource.RLIMIT_FSIZE, limits.file_bytes)
    _lower(resource.RLIMIT_NOFILE, limits.open_files)
    # A core would hold the images, and lie where nobody deletes it.
    _lower(resource.RLIMIT_CORE, 0)
    # A decoder that holds the interpreter keeps every handler from being called.
    cpu_seconds = limits.seconds * (os.cpu_count() or 1) + _CPU_EXTRA_SECONDS
    _lower(resource.RLIMIT_CPU, cpu_seconds, hard_extra=_CPU_EXTRA_SECONDS)
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def _lower(what: int, value: int, *, hard_extra: int = 0) -> None:
    """Set a limit, unless a stricter one holds already."""
    _, hard = resource.getrlimit(what)
    top = value + hard_extra
    if hard != resource.RLIM_INFINITY:
        value, top = min(value, hard), min(top, hard)
    resource.setrlimit(what, (value, top))


def _now(name: str) -> int:
    """Return a figure of this process in bytes, as Linux states it; 0 elsewhere."""
    try:
        with Path("/proc/self/status").open(encoding="ascii", errors="replace") as file:
            for line in file:
                if line.startswith(f"{name}:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0
