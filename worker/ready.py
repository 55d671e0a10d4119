"""A child process that is started ahead, so that a step need not wait for its libraries.

To load them takes longer than to make a few images. Each child still carries out one step alone;
only its start is moved to a time when nobody waits.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

import gan_core
from worker.priority import give_way

_PACKAGE = Path(gan_core.__file__).parent


def waiting_command() -> list[str]:
    """Return the command of a child that waits to be told its step's folder."""
    return [sys.executable, "-m", "gan_core", "run", f"--die-with-parent={os.getpid()}", "--wait"]


def code_stamp(package: Path = _PACKAGE) -> str:
    """Return what changes when the code of a package, or a library beside it, is replaced.

    Takes a few milliseconds. Libraries show by their folder, in which an update makes new entries.
    """
    found = [Path(sysconfig.get_path(name)) for name in ("purelib", "platlib")]
    found += sorted(package.rglob("*.py"))
    digest = hashlib.sha256()
    for path in found:
        try:
            status = path.stat()
        except OSError:  # it has gone while we looked: an update is at work
            continue
        digest.update(f"{path} {status.st_mtime_ns} {status.st_size}\n".encode())
    return digest.hexdigest()


class ReadyChild:
    """At most one child that waits. For one thread, which outlives the children.

    Args:
        environment: What of ours a child may see.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)
        self._process: subprocess.Popen[bytes] | None = None
        self._stamp = ""

    def prepare(self) -> None:
        """Start one, unless one waits already. It loads what it needs while we go on."""
        if self._process is not None and self._process.poll() is None:
            return
        self.close()
        # Before it loads anything: what is replaced meanwhile makes it stale, too.
        self._stamp = code_stamp()
        self._process = subprocess.Popen(
            waiting_command(),
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        give_way(self._process.pid)

    def take(self, folder: Path) -> subprocess.Popen[bytes] | None:
        """Have the child that waits carry out a step; None when there is none.

        One that has loaded what was replaced since is ended: a step imports some of its modules
        only when it comes to them, and must not mix two versions.

        Args:
            folder: The step's; becomes its working directory.
        """
        process, self._process = self._process, None
        if process is None or process.stdin is None:
            return None
        if self._stamp != code_stamp():
            _end(process)
            return None
        try:
            process.stdin.write(json.dumps({"dir": str(folder)}).encode() + b"\n")
            process.stdin.close()
        except OSError:  # it has ended: killed for memory, or could not load
            _end(process)
            return None
        return process

    def close(self) -> None:
        """End the child that waits, if there is one."""
        process, self._process = self._process, None
        if process is not None:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            try:
                pipe.close()
            except OSError:  # what was written to it and never read
                continue
