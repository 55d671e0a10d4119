"""Files that are there in full or not at all, power cuts included."""

from __future__ import annotations

import os
from pathlib import Path


def write_durably(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` so that no reader ever finds half of it.

    Written to a temporary name in the same directory, fsynced, renamed; then the directory is
    fsynced, so that the new name outlives a power cut too.

    Raises:
        OSError: the disk is full, the directory is gone or not writable, ...
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
