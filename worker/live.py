"""What a training shows while it runs, on its way to those who look at it through the API.

Every few seconds the child's live files (``gan_core.steps.live``) that have changed are copied to
the object store, below the attempt's own prefix (``store.live``): a worker that has lost the step
writes nothing that its next attempt shows.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from store.live import COURSE, attempt_prefix, live_prefix
from store.objects import Objects
from store.records import ClaimedStep
from worker.courier import Courier

_KINDS = ("pretrain", "train")
_SECONDS = 3.0
_MEDIA_TYPES = {".json": "application/json", ".png": "image/png"}


class LiveCourier(Courier):
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
        self._step = step
        self._has_cleared = False
        super().__init__(
            objects,
            attempt_prefix(step.workspace_id, step.id, step.attempt),
            folder / "live",
            interval_seconds,
            what="live",
            is_needed=step.kind in _KINDS,
        )

    def send(self) -> int:
        """As ``Courier``; once there is a course, what earlier attempts showed goes."""
        # A child that begins again clears the folder first. Until it has something to show, what
        # was copied of the attempt before stays.
        if not (self._folder / COURSE).exists():
            return 0
        sent = super().send()
        if COURSE in self._sent and not self._has_cleared:
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

    def _paths(self) -> Iterable[Path]:
        """Return the files, the course last: no one reads of a sheet that is not there yet."""
        found = [path for path in self._folder.glob("*") if path.suffix in _MEDIA_TYPES]
        shown = (path for path in found if not path.name.startswith("."))
        return sorted(shown, key=lambda path: (path.name == COURSE, path.name))

    def _put(self, name: str, path: Path) -> None:
        self._objects.put_file(self._prefix + name, path, _MEDIA_TYPES[path.suffix])
