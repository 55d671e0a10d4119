"""Whether there is room on the disks that a process writes to."""

from __future__ import annotations

import shutil
from pathlib import Path
from urllib.parse import unquote, urlsplit

from store.settings import Settings

_NAMES = {
    "data": "the data directory",
    "cache": "the cache",
    "objects": "the file storage",
}


def lack_of_room(settings: Settings) -> str | None:
    """Return why nothing large should be written, in a sentence for a person; null: all is well."""
    for place, free in free_by_place(settings).items():
        if free < settings.min_free_bytes:
            return (
                f"disk_full: {free / 2**30:.2f} GiB are free where {_NAMES[place]} lies; steps are"
                f" begun again by themselves once there are"
                f" {settings.min_free_bytes / 2**30:.2f} GiB."
            )
    return None


def lack_of_reserve(settings: Settings) -> str | None:
    """Return on which disk room will soon be wanting, in a sentence; null: all is well."""
    for place, free in free_by_place(settings).items():
        if free < settings.low_free_bytes:
            return f"{free / 2**30:.2f} GiB are left where {_NAMES[place]} lies."
    return None


def free_by_place(settings: Settings) -> dict[str, int]:
    """Return the bytes that are free on each disk that a process writes to, by what lies there.

    ``data``, ``cache`` and, where they are in a directory, ``objects``.
    """
    places = {
        "data": settings.data_dir,
        "cache": settings.resolved_cache_dir(),
        "objects": local_objects(settings),
    }
    found = {name: None if path is None else free_bytes(path) for name, path in places.items()}
    return {name: free for name, free in found.items() if free is not None}


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
