"""A real PostgreSQL on a free loopback port, and empty databases in it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

import migrations
from store.database import Database, make_engine


def _postgres_programs() -> Path | None:
    places = [Path(p).parent for p in [shutil.which("initdb")] if p]
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for place in places:
        if (place / "initdb").exists() and (place / "postgres").exists():
            return place
    return None


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a database as the server came with it; run as another user when we are root."""
    given = os.environ.get("GRAFT_TEST_POSTGRES_URL")
    if given:
        yield given
        return
    programs = _postgres_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed here (no initdb)")
    is_root = os.geteuid() == 0
    if is_root and shutil.which("setpriv") is None:
        pytest.skip("PostgreSQL refuses to run as root, and there is no setpriv")
    as_user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if is_root else []
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    directory = Path(tempfile.mkdtemp(prefix="graft-postgres-"))
    if is_root:
        os.chown(directory, 65534, 65534)
    data = directory / "data"
    subprocess.run(
        [*as_user, programs / "initdb", "-D", data, "-A", "trust", "-U", "graft", "--no-sync"],
        check=True,
        capture_output=True,
        cwd="/",
    )
    server = subprocess.Popen(
        [
            *(*as_user, programs / "postgres", "-D", data, "-p", str(port), "-k", directory),
            *("-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
    )
    url = f"postgresql://graft@127.0.0.1:{port}/postgres"
    try:
        database = Database(url)
        for _ in range(200):
            if database.is_answering():
                break
            server.poll()
            assert server.returncode is None, "PostgreSQL ended at once"
        database.dispose()
        yield url
    finally:
        server.terminate()
        server.wait(timeout=30)
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_url(postgres_server: str) -> str:
    """The URL of a migrated database, which tests share and empty before they use it."""
    migrations.upgrade(postgres_server)
    return postgres_server


@pytest.fixture
def new_postgres_database(postgres_server: str) -> Iterator[Callable[[], str]]:
    """Makes databases without any tables, which are dropped after the test; gives their URLs."""
    numbers = count(1)
    made: list[str] = []
    engine = make_engine(postgres_server).execution_options(isolation_level="AUTOCOMMIT")

    def make() -> str:
        name = f"graft_test_{os.getpid()}_{next(numbers)}"
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name} TEMPLATE template0"))
        made.append(name)
        url = make_url(postgres_server).set(database=name)
        return url.render_as_string(hide_password=False)

    yield make
    with engine.connect() as connection:
        for name in made:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()
