"""The connection to SQLite or PostgreSQL, and the two kinds of transaction."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from store.settings import Settings
from store.tallies import write_counted

_BUSY_SECONDS = 30

# Holds a row against other writers, but not against rows that point at it: those take a key-share
# lock on it, and two transactions that both insert such a row and then want the row itself would
# wait for each other for ever under FOR UPDATE. Nothing of this on SQLite, which has one writer.
FOR_NO_KEY_UPDATE = {"key_share": True}


def make_engine(url: str) -> Engine:
    """Return an engine with the settings that the store relies on.

    Args:
        url: ``sqlite:///…`` or ``postgresql://…`` (psycopg 3 is used whatever driver is named).
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        if parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(
            parsed, connect_args={"timeout": _BUSY_SECONDS}, hide_parameters=True
        )
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    parsed = parsed.set(drivername="postgresql+psycopg")
    return create_engine(
        parsed,
        # Errors would quote them, and with them names, into the log.
        hide_parameters=True,
        pool_pre_ping=True,
        pool_size=10,
        max_overflow=20,
        connect_args={
            "connect_timeout": 5,
            "application_name": "graft",
            # A server that is gone without a word must not be waited for: half a minute is enough.
            "keepalives": 1,
            "keepalives_idle": 15,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 30_000,
        },
    )


def _set_up_sqlite(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
    # The driver's own idea of when a transaction begins is switched off: see _begin_sqlite.
    raw: Any = connection
    raw.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={_BUSY_SECONDS * 1000}")
    _write_ahead(cursor)
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _write_ahead(cursor: Any) -> None:
    """Switch to write-ahead logging, which a new file's first two users may try at once.

    Of two that hold a read lock and want the file alone, SQLite sends one away without waiting,
    whatever the timeout: it has to ask again.
    """
    until = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    # A reader that becomes a writer fails at once with "database is locked" when another wrote
    # meanwhile, whatever the timeout. A writer therefore takes the lock at the start, and waits.
    is_reader = connection.get_execution_options().get("graft_read_only", False)
    connection.exec_driver_sql("BEGIN" if is_reader else "BEGIN IMMEDIATE")


class Database:
    """Opens transactions. They are committed here and nowhere else."""

    def __init__(self, url: str) -> None:
        self.engine = make_engine(url)
        # SQLite's own waiting is a lottery, in which one of many writers can lose for seconds.
        is_sqlite = self.engine.dialect.name == "sqlite"
        self._turnstile = threading.Lock() if is_sqlite else None
        self._process = os.getpid()
        self._reader = self.engine.execution_options(graft_read_only=True)

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Return the database that the settings name."""
        return cls(settings.resolved_database_url())

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Open a transaction that is committed on leaving, and rolled back on an exception."""
        with (
            self._turn(),
            Session(self.engine, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session
            write_counted(session)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Have the writers of this process wait in a row, where the database has one writer."""
        if self._turnstile is None:
            yield
            return
        if self._process != os.getpid():
            # Forked, perhaps while a thread held it that is not here.
            self._turnstile, self._process = threading.Lock(), os.getpid()
        turnstile = self._turnstile
        # After that each tries for itself: one that hangs must not keep all others.
        is_next = turnstile.acquire(timeout=_BUSY_SECONDS)
        try:
            yield
        finally:
            if is_next:
                turnstile.release()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open a transaction that is never committed."""
        with Session(self._reader, expire_on_commit=False) as session:
            yield session

    def is_answering(self) -> bool:
        """Say whether a query can be run now."""
        try:
            with self.read() as session:
                session.execute(text("SELECT 1"))
        except Exception:  # noqa: BLE001  # any failure of any driver means the same here
            return False
        return True

    def dispose(self) -> None:
        """Close every connection."""
        self.engine.dispose()
