"""A step's folder on the worker: kept between attempts, so that a retry can go on from there."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from store.objects import Objects
from store.records import ClaimedStep
from store.settings import Settings
from worker.inputs import ObjectCache, materialise

_LOCK_FILE = ".lock"
_LOCK_SECONDS = 30.0


class StepDirBusyError(Exception):
    """A child of an earlier attempt on this machine has not ended yet."""


def work_dir(settings: Settings) -> Path:
    """Return where the folders of steps lie on this machine."""
    return settings.data_dir / "work"


@contextmanager
def locked_step_dir(
    settings: Settings, step_id: str, *, patience: float = _LOCK_SECONDS
) -> Iterator[Path]:
    """Give a step's folder, to one user at a time.

    An attempt that lost its lease may still be ending its child when the step is claimed again
    on the same machine; two children must not write to the same checkpoints.

    Raises:
        StepDirBusyError: It did not become free in time.
    """
    folder = work_dir(settings) / step_id
    until = time.monotonic() + patience
    while True:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            descriptor = os.open(folder / _LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:  # removed since by the one before us
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_still(folder / _LOCK_FILE, descriptor):
                yield folder
                return
        except BlockingIOError:
            if time.monotonic() >= until:
                raise StepDirBusyError(step_id) from None
            time.sleep(0.2)
        finally:
            os.close(descriptor)


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        return path.stat().st_ino == os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False


def describe_step(step: ClaimedStep, settings: Settings) -> dict[str, Any]:
    """Return the content of ``step.json``."""
    weights = settings.realesrgan_weights
    return {
        "name": step.name,
        "kind": step.kind,
        "key": step.key,
        "params": step.params,
        "inputs": {label: f"inputs/{label}" for label in step.inputs},
        "context": {
            "job_id": step.job_id,
            "dataset_id": step.dataset_id,
            "created_at": step.job_created_at.isoformat(),
            "steps": step.step_keys,
            "dataset": None if step.dataset is None else step.dataset.model_dump(mode="json"),
        },
        "settings": {
            "device": settings.device,
            "cache_dir": str(settings.resolved_cache_dir()),
            "threads": settings.threads,
            "realesrgan_weights": None if weights is None else str(weights),
            "checkpoint_seconds": settings.checkpoint_seconds,
            "ingest_max_memory_bytes": settings.ingest_max_memory_bytes,
            "ingest_max_seconds": settings.ingest_max_seconds,
        },
    }


def fill_step_dir(
    folder: Path,
    step: ClaimedStep,
    settings: Settings,
    objects: Objects,
    cache: ObjectCache | None,
    *,
    before_each: Callable[[], None] = lambda: None,
) -> None:
    """Write ``step.json`` and bring the inputs.

    Args:
        folder: The step's, held.
        step: As claimed.
        settings: The worker's.
        objects: Where the inputs lie.
        cache: Of inputs that were brought before.
        before_each: Called before each file; what it raises ends the bringing.

    Raises:
        InputMissingError: An object is gone.
        OSError: The disk or the object store.
    """
    shutil.rmtree(folder / "inputs", ignore_errors=True)
    for label, files in step.inputs.items():
        (folder / "inputs" / label).mkdir(parents=True, exist_ok=True)
        # An upload is read once, and what it holds besides pixels must not linger in a cache.
        kept = None if label == "upload" else cache
        for file in files:
            before_each()
            materialise((file,), folder / "inputs" / label, objects, kept, before_each)
    (folder / "tmp").mkdir(exist_ok=True)
    settings.resolved_cache_dir().mkdir(parents=True, exist_ok=True)
    text = json.dumps(describe_step(step, settings), ensure_ascii=False, indent=1)
    (folder / "step.json").write_text(text, encoding="utf-8")


def empty_step_dir(folder: Path) -> None:
    """Remove the folder of a step that will not be tried again here."""
    shutil.rmtree(folder, ignore_errors=True)


def step_dirs(settings: Settings) -> list[str]:
    """Return the ids of the steps that have a folder on this machine."""
    root = work_dir(settings)
    return sorted(folder.name for folder in root.iterdir()) if root.is_dir() else []


def _last_written(folder: Path) -> float:
    """Return when anything in a step's folder was written last: its checkpoints, above all."""
    return max(path.stat().st_mtime for path in (folder, *folder.rglob("*")))


def remove_forgotten(
    settings: Settings, older_than_seconds: float, over: Collection[str] = ()
) -> int:
    """Remove folders of steps that ended elsewhere, or with their job; return how many.

    A folder that somebody holds is left alone whatever its age.

    Args:
        settings: The worker's.
        older_than_seconds: Age past which nobody will come back for a folder.
        over: Steps whose folders nobody will come back for, whatever their age.
    """
    removed = 0
    for step_id in step_dirs(settings):
        folder = work_dir(settings) / step_id
        try:
            age = time.time() - _last_written(folder)
        except FileNotFoundError:  # removed, or a checkpoint replaced, just now
            continue
        if age < older_than_seconds and step_id not in over:
            continue
        try:
            with locked_step_dir(settings, step_id, patience=0) as held:
                empty_step_dir(held)
                removed += 1
        except StepDirBusyError:
            continue
    return removed
