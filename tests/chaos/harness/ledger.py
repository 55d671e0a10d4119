"""Looks into the service's database: read only, in plain SQL, past the proxy."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import NullPool, create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError


@dataclass(frozen=True)
class Held:
    """A step at work.

    Attributes:
        mark: Changes whenever the lease is renewed.
    """

    id: str
    kind: str
    worker_id: str
    token: str
    attempt: int
    fraction: float
    mark: str


class Ledger:
    """Questions to the database."""

    def __init__(self, url: str) -> None:
        parsed = make_url(url)
        if parsed.get_backend_name() == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
            options = {"connect_timeout": 2, "options": "-c default_transaction_read_only=on"}
        else:
            options = {"timeout": 5}
        self._engine = create_engine(parsed, poolclass=NullPool, connect_args=options)

    def close(self) -> None:
        """Close what is open."""
        self._engine.dispose()

    def rows(self, query: str, **values: Any) -> Sequence[Any]:
        """Run a query.

        Raises:
            SQLAlchemyError: The database does not answer.
        """
        with self._engine.connect() as connection:
            return connection.execute(text(query), values).all()

    def try_rows(self, query: str, **values: Any) -> Sequence[Any] | None:
        """Run a query; None when the database does not answer now."""
        try:
            return self.rows(query, **values)
        except SQLAlchemyError:
            return None

    def held(self) -> list[Held]:
        """Return the steps at work; none when the database does not answer now."""
        found = self.try_rows(
            "SELECT id, kind, worker_id, lease_token, attempt, fraction, lease_expires_at"
            " FROM steps WHERE status = 'running' AND lease_token IS NOT NULL ORDER BY id"
        )
        return [Held(*row[:6], str(row[6])) for row in found or []]

    def queued(self) -> set[str]:
        """Return the ids of the steps that wait for a worker."""
        found = self.try_rows("SELECT id FROM steps WHERE status = 'queued'")
        return {row[0] for row in found or []}

    def step(self, step_id: str) -> tuple[str, str | None] | None:
        """Return a step's status and lease; None when the database does not answer now."""
        found = self.try_rows("SELECT status, lease_token FROM steps WHERE id = :id", id=step_id)
        return None if not found else (found[0][0], found[0][1])

    def done(self) -> int:
        """Return how many steps have succeeded; -1 when the database does not answer now."""
        found = self.try_rows("SELECT count(*) FROM steps WHERE status = 'succeeded'")
        return -1 if found is None else int(found[0][0])

    def unfinished_jobs(self) -> int | None:
        """Return how many jobs are not over; None when the database does not answer now."""
        found = self.try_rows(
            "SELECT count(*) FROM jobs WHERE status NOT IN ('succeeded', 'failed', 'cancelled')"
        )
        return None if found is None else int(found[0][0])

    def workers_seen(self) -> set[str]:
        """Return the ids of all workers that ever gave a sign of life."""
        return {row[0] for row in self.try_rows("SELECT id FROM workers") or []}


def as_list(value: Any) -> list[Any]:
    """Return a JSON column's list: text on SQLite, decoded on PostgreSQL."""
    found = json.loads(value) if isinstance(value, str) else value
    return list(found or [])
