"""What a training shows while it runs, as files that whoever looks on can read at any moment.

``course.json`` has the curves and says which snapshots there are; ``snapshot-000003.png`` is a
sheet of the fourth one's samples. Each appears whole or not at all. They are no outputs: nothing
is made from them, and a training does without them where they cannot be written. When it is done,
the same files are among its outputs.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from gan_core import __version__
from gan_core.packaging.sheet import GAP, laid_out, sheet_png
from gan_core.steps.context import Output, StepContext
from gan_core.training.course import Course
from gan_core.training.run import SampleGrid

COURSE = "course.json"
_SECONDS = 2.0


def snapshot_name(number: int) -> str:
    """Return the name of the file with a snapshot's sheet."""
    return f"snapshot-{number:06d}.png"


class CourseWriter:
    """Writes a training's course while it runs, and among its outputs in the end.

    Args:
        context: Of the step; one without a folder for it gets nothing but the outputs.
        label: What is trained ("infogan, 50 real"), for the label in each sheet.
    """

    def __init__(self, context: StepContext, label: str) -> None:
        self._live, self._outputs, self._label = context.live, context.outputs, label
        self._written_at = -math.inf
        self._points = 0
        self._sheets: dict[int, bytes] = {}
        self._digests: dict[int, str] = {}
        self._course: Course | None = None
        if self._live is not None:
            for path in self._live.iterdir():
                path.unlink()

    def __call__(self, course: Course) -> None:
        """Show a training so far; curves at most every two seconds, snapshots at once."""
        self._course = course
        went_back = len(course.history) < self._points
        has_changed = self._draw(course) or went_back
        self._points = len(course.history)
        now = time.monotonic()
        if self._live is None or not (has_changed or now - self._written_at >= _SECONDS):
            return
        # What can only be looked at must not end what takes hours; a full disk shows soon enough.
        with suppress(OSError):
            self._show(self._live, course)
        self._written_at = time.monotonic()

    def finish(self, ended: str | None) -> list[Output]:
        """Write the files among the outputs.

        Args:
            ended: Why the training ended before its last epoch, if it did.
        """
        if self._course is None:
            raise ValueError("there has been no course to show")
        for number, sheet in self._sheets.items():
            (self._outputs / snapshot_name(number)).write_bytes(sheet)
        described = _described(self._course) | {"ended_early": ended}
        (self._outputs / COURSE).write_bytes(_as_json(described))
        sheets = [Output(snapshot_name(n), media_type="image/png") for n in sorted(self._sheets)]
        return [Output(COURSE, media_type="application/json"), *sheets]

    def _draw(self, course: Course) -> bool:
        """Make the sheets that are new, or others since a rollback; return whether any is."""
        digests = {n: _digest(grid) for n, grid in enumerate(course.grids)}
        changed = [n for n, digest in digests.items() if self._digests.get(n) != digest]
        for number in changed:
            self._sheets[number] = self._sheet(course.grids[number])
            self._put_sheet(number)
        gone = self._sheets.keys() - digests.keys()
        for number in gone:
            del self._sheets[number]
        self._digests = digests
        return bool(changed or gone)

    def _sheet(self, grid: SampleGrid) -> bytes:
        source = f"{self._label}, snapshot of epoch {grid.epoch}, seeds 0 to {len(grid.images) - 1}"
        return sheet_png(list(grid.images), source=source, software=f"Graft {__version__}")

    def _put_sheet(self, number: int) -> None:
        if self._live is not None:
            with suppress(OSError):
                _put(self._live / snapshot_name(number), self._sheets[number])

    def _show(self, live: Path, course: Course) -> None:
        # After the sheets that it speaks of, and before those go that it does not.
        _put(live / COURSE, _as_json(_described(course)))
        kept = {snapshot_name(number) for number in self._sheets}
        for path in live.glob("snapshot-*.png"):
            if path.name not in kept:
                path.unlink()


def _digest(grid: SampleGrid) -> str:
    return hashlib.sha256(f"{grid.epoch} {grid.step} ".encode() + grid.images.tobytes()).hexdigest()


def _described(course: Course) -> dict[str, Any]:
    return {
        "epochs": course.epochs,
        "points": list(course.history),
        "judgements": [found.as_dict() for found in course.judgements],
        "chosen_epoch": course.chosen_epoch,
        "notices": list(course.notices),
        "ended_early": None,
        "snapshots": [_snapshot(n, grid) for n, grid in enumerate(course.grids)],
    }


def _snapshot(number: int, grid: SampleGrid) -> dict[str, int]:
    columns, rows = laid_out(len(grid.images))
    return {
        "number": number,
        "epoch": grid.epoch,
        "step": grid.step,
        "columns": columns,
        "rows": rows,
        "size": grid.images.shape[1],
        "gap": GAP,
    }


def _as_json(value: Mapping[str, Any]) -> bytes:
    text = json.dumps(_finite(value), allow_nan=False, separators=(",", ":"), sort_keys=True)
    return text.encode() + b"\n"


def _finite(value: Any) -> Any:
    """Return a value in which null stands for what is no number: JSON has no name for that."""
    if isinstance(value, dict):
        return {name: _finite(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _put(path: Path, content: bytes) -> None:
    """Write a file that appears whole; it need not survive a power cut."""
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(content)
    part.replace(path)
