"""A process that has loaded a step's libraries ahead, and forks a child for each step.

To load them takes longer than to make a few images. Each child still carries out one step alone;
only what is the same for all of them is done once, at a time when nobody waits.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

import gan_core
from worker.priority import give_way
from worker.processes import ForkedChild

_PACKAGE = Path(gan_core.__file__).parent


def waiting_command() -> list[str]:
    """Return the command of a process that waits to be told folders of steps."""
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
    """At most one process that waits. For one thread, which outlives it, and one step at a time.

    Args:
        environment: What of ours a child may see.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)
        self._process: subprocess.Popen[bytes] | None = None
        self._asked: socket.socket | None = None
        self._child: ForkedChild | None = None
        self._stamp = ""

    def prepare(self) -> None:
        """Start it, unless it is there. It loads what it needs while we go on."""
        if self._is_there():
            return
        self.close()
        # Before it loads anything: what is replaced meanwhile makes it stale, too.
        self._stamp = code_stamp()
        self._asked, its = socket.socketpair()
        with its:
            self._process = subprocess.Popen(
                waiting_command(),
                env=self._environment,
                stdin=its.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )

    def take(self, folder: Path, *, gives_way: bool) -> ForkedChild | None:
        """Have a child carry out a step; None when there is nothing that could fork one.

        A process that has loaded what was replaced since is ended: a step imports some of its
        modules only when it comes to them, and must not mix two versions.

        Args:
            folder: The step's; becomes its working directory.
            gives_way: Whether the step leaves the processor to others. What was forked could not
                be taken back to where the rest is, so that this is decided for each step.
        """
        if self._asked is None:
            return None
        if not self._is_there() or self._stamp != code_stamp():
            self.close()
            return None
        try:
            child = self._child = self._forked(self._asked, folder)
        except OSError:  # it has ended: killed for memory, or could not load
            self.close()
            return None
        if gives_way:
            give_way(child.pid)
        return child

    def _is_there(self) -> bool:
        """Say whether the process lives and answers."""
        if self._child is not None and self._child.is_lost:
            return False
        return self._process is not None and self._process.poll() is None

    @staticmethod
    def _forked(asked: socket.socket, folder: Path) -> ForkedChild:
        (out, its_out), (err, its_err) = os.pipe(), os.pipe()
        try:
            request = json.dumps({"dir": str(folder)}).encode() + b"\n"
            asked.settimeout(None)
            socket.send_fds(asked, [request], [its_out, its_err])
        except OSError:
            os.close(out)
            os.close(err)
            raise
        finally:
            os.close(its_out)
            os.close(its_err)
        return ForkedChild(asked, out, err)

    def close(self) -> None:
        """End the process that waits, if there is one; its child, if there is one, goes with it."""
        process, self._process = self._process, None
        asked, self._asked = self._asked, None
        self._child = None
        if process is not None:
            process.kill()
            process.wait()
        if asked is not None:
            asked.close()
