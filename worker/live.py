"""What a training shows while it runs, on its way to those who look at it through the API.

Every few seconds the child's live files (``gan_core.steps.live``) that have changed are copied to
the object store, below the attempt's own prefix (``store.live``): a worker that has lost the step
writes nothing that its next attempt shows.
"""

from __future__ import annotations

import contextvars
import threading
import time
from pathlib import Path

import structlog

from store.live import COURSE, attempt_prefix, live_prefix
from store.objects import Objects
from store.records import ClaimedStep

log = structlog.get_logger(__name__)

_KINDS = ("pretrain", "train")
_SECONDS = 3.0
# Copying may take this share of the time between two copies.
_LARGEST_SHARE = 0.2
_MEDIA_TYPES = {".json": "application/json", ".png": "image/png"}


class LiveCourier:
    """Copies one step's live files to the object store while it runs.

    Args:
        objects: Where to.
        step: As claimed.
        folder: The step's.
        interval_seconds: From one look at the folder to the next.
    """

    def __init__(
        self,
        objects: Objects,
        step: ClaimedStep,
        folder: Path,
        interval_seconds: float = _SECONDS,
    ) -> None:
        self._objects = objects
        self._step = step
        self._folder = folder / "live"
        self._interval = interval_seconds
        self._prefix = attempt_prefix(step.workspace_id, step.id, step.attempt)
        self._sent: dict[str, tuple[int, int]] = {}
        self._has_cleared = False
        self._ending = threading.Event()
        # With the ids of the step that its log lines carry.
        context = contextvars.copy_context()
        self._thread = threading.Thread(
            target=lambda: context.run(self._keep), name="live", daemon=True
        )
        self.is_needed = step.kind in _KINDS
        """False for steps that show nothing."""

    def start(self) -> None:
        """Begin to copy, in a thread."""
        if self.is_needed:
            self._thread.start()

    def stop(self, *, is_ours: bool) -> None:
        """End; after a last look at what is there, if the step is still this worker's."""
        if not self._thread.is_alive():
            return
        self._ending.set()
        self._thread.join()
        if is_ours:
            self._try_to_send()

    def send(self) -> int:
        """Copy what is new, and remove there what is gone here; return how many were copied.

        The course goes last: no one reads in it of a sheet that is not there yet.
        """
        present: dict[str, tuple[int, int]] = {}
        sent = 0
        paths = [p for p in self._folder.glob("*") if p.suffix in _MEDIA_TYPES]
        for path in sorted(paths, key=lambda p: (p.name == COURSE, p.name)):
            if path.name.startswith("."):
                continue
            try:
                status = path.stat()
                present[path.name] = (status.st_mtime_ns, status.st_size)
                if self._sent.get(path.name) != present[path.name]:
                    media_type = _MEDIA_TYPES[path.suffix]
                    self._objects.put_file(self._prefix + path.name, path, media_type)
                    sent += 1
            except FileNotFoundError:  # it was taken back this moment
                present.pop(path.name, None)
        for name in set(self._sent) - set(present):
            self._objects.delete(self._prefix + name)
        self._sent = present
        if COURSE in present and not self._has_cleared:
            self._forget_earlier_attempts()
        return sent

    def forget(self) -> None:
        """Delete what all attempts have shown: the same is among the step's outputs now."""
        if self.is_needed:
            self._objects.delete_prefix(live_prefix(self._step.workspace_id, self._step.id))

    def _forget_earlier_attempts(self) -> None:
        home = live_prefix(self._step.workspace_id, self._step.id)
        earlier = [key for key in self._objects.list(home) if key < self._prefix]
        self._objects.delete_all(earlier)
        self._has_cleared = True

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
            # The next look tries again; without a copy nothing but the looking is lost.
            log.warning("live_files_not_copied", reason=str(error)[:200])
