"""Forgetting a worker's copies of objects that were deleted: images of patients among them."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import select

from store.database import Database
from store.step_tables import Step
from store.tables import Dataset

_ROWS_AT_ONCE = 200
# A step whose rows were deleted since may be linking one right now.
_YOUNG_SECONDS = 3600.0


def remove_copies(database: Database, cache_dir: Path) -> int:
    """Remove copies of which no step and no data set knows the object any more.

    Args:
        database: Which objects there are.
        cache_dir: The worker's cache (see ``worker.inputs.ObjectCache``), whose files are named by
            the hash of their object's key.

    Returns:
        How many were removed.
    """
    folder = cache_dir / "objects"
    if not folder.is_dir():
        return 0
    until = time.time() - _YOUNG_SECONDS
    unknown = set()
    for path in folder.iterdir():
        try:
            if path.stat().st_mtime < until:
                unknown.add(path.name)
        except FileNotFoundError:  # given up, or arrived under its own name, just now
            continue
    if not unknown:
        return 0
    for key in _known_keys(database):
        unknown.discard(hashlib.sha256(key.encode()).hexdigest())
    for name in unknown:
        (folder / name).unlink(missing_ok=True)
    return len(unknown)


def _known_keys(database: Database) -> Iterator[str]:
    with database.read() as session:
        kept = select(Step.outputs).where(
            Step.status == "succeeded", Step.output_prefix.is_not(None)
        )
        for query in (kept, select(Dataset.files)):
            for files in session.scalars(query.execution_options(yield_per=_ROWS_AT_ONCE)):
                for file in files:
                    yield file["object_key"]
