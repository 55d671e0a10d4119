"""Checkpoints that travel: a step begun on one machine goes on upon another.

Where the object store is shared (a bucket), a training's checkpoints are copied there as they are
written, and once more when the worker is told to stop; the next worker that claims the step brings
them. Only files are copied that are written whole under their final name and checked when read:
those of trainings and classifiers. What other kinds keep (arrays that fill up) is made again on
another machine, with the same bytes.
"""

from __future__ import annotations

import contextvars
import threading
import time
from pathlib import Path

import structlog

from store.objects import Objects
from store.records import ClaimedStep

log = structlog.get_logger(__name__)

_KINDS = ("pretrain", "train", "evaluate")
# The last says for which key of the step the others were written (gan_core.steps.run).
_SUFFIXES = (".safetensors", ".key")
# Copying may take this share of the time between two copies.
_LARGEST_SHARE = 0.2
_ATTEMPT_FILE = "attempt"


class CheckpointCourier:
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
        self._objects = objects
        self._step = step
        self._folder = folder / "checkpoints"
        self._interval = interval_seconds
        self._sent: dict[str, tuple[int, int]] = {}
        self._ending = threading.Event()
        # With the ids of the step that its log lines carry.
        context = contextvars.copy_context()
        self._thread = threading.Thread(
            target=lambda: context.run(self._keep), name="checkpoints", daemon=True
        )
        self.is_needed = step.kind in _KINDS and objects.local_path("workspaces") is None
        """False for steps that keep none, and where all workers see the same files anyway."""

    @property
    def _root(self) -> str:
        return f"workspaces/{self._step.workspace_id}/checkpoints/{self._step.id}/"

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

    def start(self) -> None:
        """Begin to copy, in a thread."""
        if self.is_needed:
            self._thread.start()

    def stop(self, *, is_to_go_on: bool) -> None:
        """End; for a step that is to go on, perhaps elsewhere, after a last look at what is there.

        A copy that fails takes nothing from the step: whoever goes on begins a little earlier.
        """
        if not self._thread.is_alive():
            return
        self._ending.set()
        self._thread.join()
        if is_to_go_on:
            self._try_to_send()

    def send(self) -> int:
        """Copy what is new, and remove there what is gone here; return how many were copied."""
        prefix = f"{self._root}{self._step.attempt:06d}/"
        present: dict[str, tuple[int, int]] = {}
        sent = 0
        for path in sorted(self._folder.rglob("*")):
            if path.suffix not in _SUFFIXES or path.name.startswith("."):
                continue
            name = path.relative_to(self._folder).as_posix()
            try:
                status = path.stat()
                present[name] = (status.st_mtime_ns, status.st_size)
                if self._sent.get(name) != present[name]:
                    self._objects.put_file(prefix + name, path)
                    sent += 1
            except FileNotFoundError:  # a newer one has taken its place
                present.pop(name, None)
        for name in set(self._sent) - set(present):
            self._objects.delete(prefix + name)
        self._sent = present
        return sent

    def forget(self) -> None:
        """Delete every copy: the step is over."""
        if self.is_needed:
            self._objects.delete_prefix(self._root)

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
            # The next look tries again; without a copy another machine begins earlier, or anew.
            log.warning("checkpoint_not_copied", reason=str(error)[:200])


def _number_in(path: Path) -> int:
    try:
        return int(path.read_text("ascii"))
    except (FileNotFoundError, ValueError):  # none yet, or one that a power cut left empty
        return 0
