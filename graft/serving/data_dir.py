"""Who serves a data directory, and where: a lock, and a file that says the address."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from gan_core.spec.errors import GraftError

LOCK_FILE = "serve.lock"
SERVICE_FILE = "service.json"


@dataclass(frozen=True)
class Service:
    """A service that runs on this machine."""

    url: str
    pid: int
    version: str


@contextmanager
def locked(data_dir: Path) -> Iterator[None]:
    """Hold a data directory; the kernel lets go of it whatever happens to the process.

    Raises:
        GraftError: ``already_serving``, or ``data_dir_unusable``.
    """
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(data_dir / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise GraftError(
            "data_dir_unusable",
            f"The data directory {str(data_dir)!r} cannot be used: {error.strerror}.",
            "Choose another with --data-dir or GRAFT_DATA_DIR.",
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            running = _read(data_dir)
            where = "" if running is None else f" at {running.url} (process {running.pid})"
            raise GraftError(
                "already_serving",
                f"A service already runs on this data directory{where}.",
                "Use that one, stop it, or choose another directory with --data-dir.",
            ) from None
        yield
    finally:
        os.close(descriptor)


def announce(data_dir: Path, service: Service) -> None:
    """Write where the service is, for commands on the same machine."""
    part = data_dir / f".{SERVICE_FILE}.part"
    part.write_text(json.dumps(asdict(service)) + "\n", encoding="utf-8")
    part.replace(data_dir / SERVICE_FILE)


def withdraw(data_dir: Path) -> None:
    """Remove what ``announce`` wrote."""
    (data_dir / SERVICE_FILE).unlink(missing_ok=True)


def running_service(data_dir: Path) -> Service | None:
    """Return the service that serves a data directory now, or None.

    The file that a killed service left behind is told by the lock, which nobody holds then.
    """
    try:
        descriptor = os.open(data_dir / LOCK_FILE, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read(data_dir)
    else:
        return None
    finally:
        os.close(descriptor)


def _read(data_dir: Path) -> Service | None:
    try:
        return Service(**json.loads((data_dir / SERVICE_FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
