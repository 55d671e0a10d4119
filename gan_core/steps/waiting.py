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
    _rehearse()
    line = sys.stdin.readline()
    if not line:
        return EXIT_STOPPED
    folder = Path(json.loads(line)["dir"])
    os.chdir(folder)
    os.environ["TMPDIR"] = str(folder / "tmp")
    tempfile.tempdir = None  # looked up anew
    return main(folder, parent=None, confines=True)


def _rehearse() -> None:
    """Draw an image of an untrained generator: only then does torch load the rest of itself."""
    import torch

    from gan_core.gans.registry import create
    from gan_core.generating import TrainedGenerator, generate

    with torch.random.fork_rng(devices=[]):  # a step finds the random state of a fresh process
        gan = create("infogan", image_size=32)
    weights = {name: value.clone() for name, value in gan.generator.state_dict().items()}
    generate(TrainedGenerator("infogan", gan.settings_dict(), weights, "raw", 0, 0, ""), [0])
