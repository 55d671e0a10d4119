"""Whether a worker should begin anything now. What is wrong here is wrong for every step."""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path

from sqlalchemy import func, select

from store.columns import utc_now
from store.database import Database
from store.objects import Objects
from store.settings import Settings


def reason_to_pause(settings: Settings, objects_root: Path | None) -> str | None:
    """Return why nothing should be begun, in a sentence for a person; null: all is well.

    A step that runs out of room loses what it has done since its last checkpoint, and takes the
    room from those beside it. So none is begun until there is some again.

    Args:
        settings: The worker's.
        objects_root: The directory of a local object store; null for others.
    """
    places = {
        "the data directory": settings.data_dir,
        "the cache": settings.resolved_cache_dir(),
        "the file storage": objects_root,
    }
    for name, path in places.items():
        if path is None:
            continue
        free = free_bytes(path)
        if free is not None and free < settings.min_free_bytes:
            return (
                f"disk_full: {free / 2**30:.2f} GiB are free where {name} lies, and at least"
                f" {settings.min_free_bytes / 2**30:.2f} GiB are needed to begin a step."
            )
    return None


def free_bytes(path: Path) -> int | None:
    """Return what an ordinary user can still write where a path lies; null: it cannot be told."""
    while not path.exists() and path != path.parent:
        path = path.parent
    try:
        return shutil.disk_usage(path).free
    except OSError:
        return None


def skewed_clock(database: Database, lease_seconds: float) -> str | None:
    """Return how far this machine's clock is from the database's; null: near enough for leases.

    Leases are written and read by the clocks of different machines. One that runs ahead by a
    lease's length takes every step from everybody.
    """
    if database.engine.dialect.name == "sqlite":
        return None
    with database.read() as session:
        theirs: datetime = session.execute(select(func.now())).scalar_one()
        ours = utc_now()
    skew = (ours - theirs).total_seconds()
    if abs(skew) <= lease_seconds / 2:
        return None
    return (
        f"clock_skew: this machine's clock is {abs(skew):.0f} s"
        f" {'ahead of' if skew > 0 else 'behind'} the database's; let both keep time by NTP."
    )


def objects_root(objects: Objects) -> Path | None:
    """Return the directory of a local object store; null for others."""
    return objects.local_path("workspaces")
