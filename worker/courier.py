"""Files of a step that travel while it runs: looked at now and then, copied when they change."""

from __future__ import annotations

import contextvars
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path

import structlog

from store.objects import Objects

log = structlog.get_logger(__name__)

# Copying may take this share of the time between two copies.
_LARGEST_SHARE = 0.2


class Courier(ABC):
    """Copies files to the object store while a step runs, from a thread.

    Args:
        objects: Where to.
        prefix: What their keys there begin with.
        folder: Where they lie.
        interval_seconds: From one look at the folder to the next.
        what: For the thread's name and the log: ``checkpoints``.
        is_needed: False for steps that have none to copy; nothing is done then.
    """

    def __init__(
        self,
        objects: Objects,
        prefix: str,
        folder: Path,
        interval_seconds: float,
        *,
        what: str,
        is_needed: bool,
    ) -> None:
        self._objects, self._prefix, self._folder = objects, prefix, folder
        self._interval, self._what = interval_seconds, what
        self.is_needed = is_needed
        self._sent: dict[str, tuple[int, int]] = {}
        self._ending = threading.Event()
        # With the ids of the step that its log lines carry.
        context = contextvars.copy_context()
        self._thread = threading.Thread(
            target=lambda: context.run(self._keep), name=what, daemon=True
        )

    @abstractmethod
    def _paths(self) -> Iterable[Path]:
        """Return what is to be copied, in this order."""

    def start(self) -> None:
        """Begin to copy, in a thread."""
        if self.is_needed:
            self._thread.start()

    def stop(self, *, looks_again: bool) -> None:
        """End; after a last look at what is there, where anyone will have use for it.

        A copy that fails takes nothing from the step.
        """
        if not self._thread.is_alive():
            return
        self._ending.set()
        self._thread.join()
        if looks_again:
            self._try_to_send()

    def send(self) -> int:
        """Copy what is new, and remove there what is gone here; return how many were copied."""
        present: dict[str, tuple[int, int]] = {}
        sent = 0
        for path in self._paths():
            name = path.relative_to(self._folder).as_posix()
            try:
                status = path.stat()
                present[name] = (status.st_mtime_ns, status.st_size)
                if self._sent.get(name) != present[name]:
                    self._put(name, path)
                    sent += 1
            except FileNotFoundError:  # a newer one has taken its place, or it was taken back
                present.pop(name, None)
        for name in set(self._sent) - set(present):
            self._objects.delete(self._prefix + name)
        self._sent = present
        return sent

    def _put(self, name: str, path: Path) -> None:
        self._objects.put_file(self._prefix + name, path)

    def _keep(self) -> None:
        pause = self._interval
        while not self._ending.wait(pause):
            started = time.monotonic()
            self._try_to_send()
            pause = max(self._interval, (time.monotonic() - started) / _LARGEST_SHARE)

    def _try_to_send(self) -> None:
        try:
            self.send()
        except (OSError, ValueError) as error:
            # The next look tries again.
            log.warning("files_not_copied", what=self._what, reason=str(error)[:200])
