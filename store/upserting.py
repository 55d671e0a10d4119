"""INSERT with ON CONFLICT, which SQLAlchemy spells by dialect though both databases have it."""

from __future__ import annotations

from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session


def insert_into(session: Session, table: type[Any]) -> Any:
    """Return an INSERT into a mapped table that knows ``on_conflict_do_update`` and ``_nothing``.

    Typed loosely: the two dialects' statements have these methods, and no common class with them.
    """
    is_postgres = session.get_bind().dialect.name == "postgresql"
    return postgresql.insert(table) if is_postgres else sqlite.insert(table)
