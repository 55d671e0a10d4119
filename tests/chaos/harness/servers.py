"""The servers that the service stands on: PostgreSQL and Valkey, as real processes."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
from harness.processes import Managed
from redis import Redis
from redis.exceptions import RedisError

from graft.serving.valkey import binary_path

_NOBODY = 65534
_START_SECONDS = 60.0


def postgres_programs() -> Path | None:
    """Return the folder of ``initdb`` and ``postgres``; None when it is not installed."""
    places = [Path(found).parent for found in [shutil.which("initdb")] if found]
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for place in places:
        if (place / "initdb").exists() and (place / "postgres").exists():
            return place
    return None


def why_no_postgres() -> str | None:
    """Say why PostgreSQL cannot be run here; None when it can."""
    if postgres_programs() is None:
        return "PostgreSQL is not installed (no initdb)"
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        return "PostgreSQL does not run as root, and there is no setpriv"
    return None


def make_postgres(folder: Path, port: int, log: Path) -> Managed:
    """Make a cluster; return the server, not yet started.

    It runs as another user when we are root, which PostgreSQL refuses to be.
    """
    programs = postgres_programs()
    assert programs is not None
    is_root = os.geteuid() == 0
    ids = [f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups"]
    as_user = ["setpriv", *ids] if is_root else []
    folder.mkdir(mode=0o700)
    if is_root:
        os.chown(folder, _NOBODY, _NOBODY)
    data = folder / "data"
    subprocess.run(
        [*as_user, programs / "initdb", "-D", data, "-A", "trust", "-U", "graft", "--no-sync"],
        check=True,
        capture_output=True,
        cwd="/",
    )
    command = [
        *(*as_user, str(programs / "postgres"), "-D", str(data), "-p", str(port)),
        *("-k", str(folder), "-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200"),
        # It is killed, not the machine: what it has written stays written.
        *("-c", "fsync=off"),
    ]
    return Managed("postgresql", command, {"PATH": os.environ["PATH"], "LANG": "C"}, log)


def make_valkey(folder: Path, port: int, log: Path) -> Managed:
    """Return a server with an append-only file, not yet started."""
    folder.mkdir(mode=0o700)
    config = folder / "valkey.conf"
    lines = [
        *("bind 127.0.0.1", f"port {port}", f'dir "{folder}"', "daemonize no"),
        *("appendonly yes", "appendfsync everysec", 'save ""', "maxmemory-policy noeviction"),
        "set-proc-title no",
    ]
    config.write_text("\n".join(lines) + "\n")
    env = {"PATH": os.environ["PATH"], "LANG": "C"}
    return Managed("valkey", [str(binary_path()), str(config)], env, log)


def postgres_answers(port: int) -> bool:
    """Say whether the server on a port answers a query."""
    try:
        url = f"postgresql://graft@127.0.0.1:{port}/postgres"
        with psycopg.connect(url, connect_timeout=2) as connection:
            connection.execute("SELECT 1")
    except psycopg.Error:
        return False
    return True


def valkey_answers(port: int) -> bool:
    """Say whether the server on a port answers."""
    try:
        with Redis(port=port, socket_connect_timeout=1.0, socket_timeout=1.0) as client:
            return bool(client.ping())
    except (RedisError, OSError):
        return False


def wait_for(answers: Callable[[], object], what: str, seconds: float = _START_SECONDS) -> None:
    """Wait until a question is answered with yes.

    Raises:
        TimeoutError: It was not, in time.
    """
    until = time.monotonic() + seconds
    while not answers():
        if time.monotonic() > until:
            raise TimeoutError(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.1)
