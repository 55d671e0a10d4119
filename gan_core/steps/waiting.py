"""A process that has loaded the libraries, and forks for each step a child that has them, too.

A worker starts it ahead and keeps it. It never carries out a step itself, so that each step finds a
process as fresh as one that was started for it alone, a hundredth of a second after it was asked
for; whoever drags a slider asks for the next picture the moment they have the one before.

What it may not do follows from that: a thread of its own would be missing in its children, with
whatever lock it held, and so would a CUDA context. So it imports, and computes nothing. (OpenBLAS
has threads from its first import on, and ends them itself before a fork.)

Over the socket that is its standard input come requests ``{"dir": ...}``, each with two descriptors
for the child's standard output and error, and it answers ``{"pid": ...}``, and ``{"ended": true}``
once the child has. That one stays a zombie, whose process group's number cannot become somebody
else's, until ``{"reap": true}``, which is answered with its ``{"status": ...}``. Each is a line.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import tempfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from gan_core.steps.protocol import EXIT_STOPPED, die_with_parent, main

# What takes the longest to load, and most kinds of step need. The last is what torch itself loads
# with the first image that is drawn.
_AHEAD = (
    "gan_core.steps.draw",
    "gan_core.steps.upscale",
    "gan_core.upscaling.lanczos",
    "gan_core.gans.registry",
    "torch._dynamo",
)
_LONGEST = 1 << 16
_CRASHED = 1

RunStep = Callable[[Path], int]


def wait_and_fork(*, parent: int | None) -> int:
    """Load, then serve the socket on standard input until its other end is closed.

    Returns:
        The exit code of a stop; at once where children could not use a GPU.
    """
    if parent is not None:
        die_with_parent(parent)
    # Whoever asks whether there is a GPU must not begin CUDA here: so it asks the driver's library.
    os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
    for name in _AHEAD:
        import_module(name)
    if not can_begin_cuda_in_a_fork():
        return EXIT_STOPPED
    with socket.socket(fileno=os.dup(0)) as asked:
        serve(asked, lambda folder: main(folder, parent=None, confines=True))
    return EXIT_STOPPED


def can_begin_cuda_in_a_fork() -> bool:
    """Say whether a child could use a GPU: not where something here has begun CUDA already."""
    import torch

    is_poisoned = getattr(torch.cuda, "_is_in_bad_fork", lambda: False)
    pid = os.fork()
    if pid == 0:
        os._exit(int(is_poisoned()))
    return os.waitpid(pid, 0)[1] == 0


def serve(asked: socket.socket, run: RunStep) -> None:
    """Fork a child for each request, one at a time.

    Args:
        asked: Where requests come from, each when the one before is done with.
        run: Carries out the step in a folder, in the child; returns its exit code.
    """
    while True:
        message, descriptors, *_ = socket.recv_fds(asked, _LONGEST, 2)
        if not message:
            return
        folder = Path(json.loads(message)["dir"])
        pid = _forked(folder, descriptors, asked, run)
        for descriptor in descriptors:
            os.close(descriptor)
        _say(asked, pid=pid)
        # Without reaping it.
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        _say(asked, ended=True)
        if not asked.recv(_LONGEST):
            return
        _, status = os.waitpid(pid, 0)
        _say(asked, status=os.waitstatus_to_exitcode(status))


def _say(asked: socket.socket, **what: Any) -> None:
    asked.sendall(json.dumps(what).encode() + b"\n")


def _forked(folder: Path, descriptors: list[int], asked: socket.socket, run: RunStep) -> int:
    """Start a child; return its id once it has a process group of its own."""
    mine, its = os.pipe()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        code = _CRASHED
        try:
            os.setsid()
            die_with_parent(parent)
            asked.close()
            for descriptor, place in zip(descriptors, (1, 2), strict=True):
                os.dup2(descriptor, place)
            with Path(os.devnull).open("rb") as nothing:
                os.dup2(nothing.fileno(), 0)
            for descriptor in (mine, its, *descriptors):
                os.close(descriptor)
            code = _carry_out(folder, run)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else _CRASHED
        except BaseException:  # noqa: BLE001  # nothing may get back into the loop of the parent
            _tell_traceback()
        finally:
            # A request to stop that comes now must not turn done work into a killed process.
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            _leave(code)
    os.close(its)
    os.read(mine, 1)  # its end of the pipe is closed: it leads a group now
    os.close(mine)
    return pid


def _carry_out(folder: Path, run: RunStep) -> int:
    import numpy as np

    os.chdir(folder)
    os.environ["TMPDIR"] = str(folder / "tmp")
    tempfile.tempdir = None  # looked up anew
    # Python renews its own random state in a fork. All children would have this one in common.
    np.random.seed()  # it is the state of libraries that have no better one
    return run(folder)


def _tell_traceback() -> None:
    import traceback

    traceback.print_exc()


def _leave(code: int) -> None:
    """End without what the parent had meant for its own end."""
    import sys

    for stream in (sys.__stdout__, sys.__stderr__):
        try:
            if stream is not None:
                stream.flush()
        except OSError:  # nobody reads it any more
            continue
    os._exit(code)
