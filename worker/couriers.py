"""Checkpoints that travel: a step begun on one machine goes on upon another.

Where the object store is shared (a bucket), a training's checkpoints are copied there as they are
written, and once more when the worker is told to stop; the next worker that claims the step brings
them. Only files are copied that are written whole under their final name and checked when read:
those of trainings and classifiers. What other kinds keep (arrays that fill up) is made again on
another machine, with the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from store.objects import Objects
from store.records import ClaimedStep
from worker.courier import Courier

_KINDS = ("pretrain", "train", "evaluate")
# The last says for which key of the step the others were written (gan_core.steps.run).
_SUFFIXES = (".safetensors", ".key")
_ATTEMPT_FILE = "attempt"


class CheckpointCourier(Courier):
    """Copies one step's checkpoints to the object store while it runs.

    Args:
        objects: Where to.
        step: As claimed.
        folder: The step's.
        interval_seconds: From one look at the folder to the next.
    """

    def __init__(
        self, objects: Objects, step: ClaimedStep, folder: Path, interval_seconds: float
    ) -> None:
        self._step = step
        self._root = f"workspaces/{step.workspace_id}/checkpoints/{step.id}/"
        super().__init__(
            objects,
            f"{self._root}{step.attempt:06d}/",
            folder / "checkpoints",
            interval_seconds,
            what="checkpoints",
            # Where all workers see the same files nothing has to travel.
            is_needed=step.kind in _KINDS and objects.local_path("workspaces") is None,
        )

    def bring(self) -> int:
        """Fetch what another machine left, unless this one was the last; return how many files."""
        if not self.is_needed:
            return 0
        latest = self._latest_elsewhere()
        here = self._folder.parent / _ATTEMPT_FILE
        last_here = _number_in(here)
        fetched = 0
        if latest is not None and latest[0] > last_here:
            for key in latest[1]:
                target = self._folder / key.removeprefix(f"{self._root}{latest[0]:06d}/")
                target.parent.mkdir(parents=True, exist_ok=True)
                self._objects.get_to_file(key, target)
                fetched += 1
        self._folder.mkdir(parents=True, exist_ok=True)
        part = here.with_suffix(".part")
        part.write_text(str(self._step.attempt), "ascii")
        part.replace(here)
        return fetched

    def _latest_elsewhere(self) -> tuple[int, list[str]] | None:
        found: dict[int, list[str]] = {}
        for key in self._objects.list(self._root):
            attempt = key.removeprefix(self._root).split("/", 1)[0]
            if attempt.isdigit():
                found.setdefault(int(attempt), []).append(key)
        return max(found.items()) if found else None

    def _paths(self) -> Iterable[Path]:
        for path in sorted(self._folder.rglob("*")):
            if path.suffix in _SUFFIXES and not path.name.startswith("."):
                yield path

    def forget(self) -> None:
        """Delete every copy: the step is over."""
        if self.is_needed:
            self._objects.delete_prefix(self._root)


def _number_in(path: Path) -> int:
    try:
        return int(path.read_text("ascii"))
    except (FileNotFoundError, ValueError):  # none yet, or one that a power cut left empty
        return 0
