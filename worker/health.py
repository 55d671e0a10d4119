"""``python -m worker.health``: does the worker on this host still show signs of life?

A worker's process may live on without hearing a thing. So the container's health check asks for
the row that the worker itself writes in every round of housekeeping.
"""

from __future__ import annotations

import socket
import sys

from sqlalchemy.exc import SQLAlchemyError

from store.clock import now_of
from store.database import Database
from store.settings import Settings
from store.workers import MISSED_ROUNDS, WorkerRegister


def silent_seconds(database: Database, host: str) -> float | None:
    """Return for how long the workers of this host have been silent; None when there is none."""
    with database.read() as session:
        now = now_of(session)
        seen = [row.seen_at for row in WorkerRegister(session).all() if row.host == host]
    return (now - max(seen)).total_seconds() if seen else None


def main() -> int:
    """Print what is known; return 0 when the worker is well."""
    settings = Settings()
    host = socket.gethostname()
    database = Database.from_settings(settings)
    try:
        silence = silent_seconds(database, host)
    except SQLAlchemyError as error:
        sys.stdout.write(f"the database does not answer: {type(error).__name__}\n")
        return 1
    finally:
        database.dispose()
    if silence is None:
        sys.stdout.write(f"no worker on {host}\n")
        return 1
    sys.stdout.write(f"the worker on {host} was seen {silence:.0f} s ago\n")
    return 0 if silence < settings.sweep_seconds * MISSED_ROUNDS else 1


if __name__ == "__main__":
    sys.exit(main())
