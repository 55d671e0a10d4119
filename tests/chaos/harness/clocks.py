"""Clocks of single processes that can be moved, by a small preloaded library of our own."""

from __future__ import annotations

import shutil
import struct
import subprocess
import sys
from pathlib import Path

_SOURCE = Path(__file__).with_name("clock.c")


def why_no_clocks() -> str | None:
    """Say why clocks cannot be moved here; None when they can."""
    if sys.platform != "linux":
        return "a library can be preloaded so on Linux only"
    return None if shutil.which("cc") else "there is no C compiler (cc)"


def build(folder: Path) -> Path:
    """Compile the library into a folder; return it."""
    library = folder / "clock.so"
    command = ["cc", "-shared", "-fPIC", "-O2", "-o", str(library), str(_SOURCE), "-ldl"]
    subprocess.run(command, check=True, capture_output=True)
    return library


class Clock:
    """The wall clock of a process and its children. The monotonic clock is left alone."""

    def __init__(self, path: Path, library: Path) -> None:
        self._path = path
        self._library = library
        path.write_bytes(struct.pack("q", 0))

    def move(self, seconds: int) -> None:
        """Put it ahead of the true time, or behind; it holds at once."""
        # In place: the processes have the file mapped.
        with self._path.open("r+b") as file:
            file.write(struct.pack("q", seconds))

    def environment(self) -> dict[str, str]:
        """Return what the process has to be started with."""
        return {"LD_PRELOAD": str(self._library), "CHAOS_CLOCK": str(self._path)}
