"""Where a worker is: two that share a place see each other's processes and files.

Only such a worker can know, and not merely suspect, that the holder of a lease is gone.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path


def place_of(data_dir: Path) -> str:
    """Return a name for this machine since its last start, this container and this data directory.

    Host names will not do: two containers can have the same, and one machine can get another's.
    """
    facts = [_read("/proc/sys/kernel/random/boot_id"), _namespace(), _directory(data_dir)]
    return hashlib.sha256("\0".join(facts).encode()).hexdigest()[:32]


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii").strip()
    except OSError:
        # Not Linux: nobody else must be taken for a neighbour.
        return f"unknown-{os.getpid()}"


def _directory(path: Path) -> str:
    """Name a directory by what it is: containers can have different ones under the same path."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = path.stat()
    return f"{status.st_dev} {status.st_ino}"


def _namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").stat().st_ino)
    except OSError:
        return ""
