"""A child process that loads its libraries first, and is told its step's folder afterwards.

A worker starts it ahead of the next step. Until it is told, a signal ends it as it would any other
process: there is nothing yet to be stopped with care.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from importlib import import_module
from pathlib import Path

from gan_core.steps.protocol import EXIT_STOPPED, die_with_parent, main

# What takes the longest to load, and most kinds of step need.
_AHEAD = ("gan_core.steps.draw", "gan_core.steps.upscale", "gan_core.upscaling.lanczos")


def wait_and_run(*, parent: int | None) -> int:
    """Load, wait for a line ``{"dir": ...}`` on standard input, and run the step there.

    Returns:
        The exit code, as ``protocol.main`` has it; that of a stop when the input ends before.
    """
    if parent is not None:
        die_with_parent(parent)
    for name in _AHEAD:
        import_module(name)
    line = sys.stdin.readline()
    if not line:
        return EXIT_STOPPED
    folder = Path(json.loads(line)["dir"])
    os.chdir(folder)
    os.environ["TMPDIR"] = str(folder / "tmp")
    tempfile.tempdir = None  # looked up anew
    return main(folder, parent=None)
