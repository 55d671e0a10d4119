"""Whether there is room on the disks that a process writes to."""

from __future__ import annotations

import shutil
from pathlib import Path
from urllib.parse import unquote, urlsplit

from store.settings import Settings


def lack_of_room(settings: Settings) -> str | None:
    """Return why nothing large should be written, in a sentence for a person; null: all is well."""
    places = {
        "the data directory": settings.data_dir,
        "the cache": settings.resolved_cache_dir(),
        "the file storage": local_objects(settings),
    }
    for name, path in places.items():
        free = None if path is None else free_bytes(path)
        if free is not None and free < settings.min_free_bytes:
            return (
                f"disk_full: {free / 2**30:.2f} GiB are free where {name} lies; steps are begun"
                f" again by themselves once there are {settings.min_free_bytes / 2**30:.2f} GiB."
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


def local_objects(settings: Settings) -> Path | None:
    """Return the directory of a local object store, without opening it; null for others."""
    parts = urlsplit(settings.resolved_object_store_url())
    return Path(unquote(parts.path)) if parts.scheme == "file" else None
