"""Which version of the schema this code needs, and which one a database has."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

NEEDED_REVISION = "0005"
"""The newest migration; revisions are numbers of four digits, which sort as text."""


def revision_of(session: Session) -> str | None:
    """Return the revision that a database is at; null: it was never migrated."""
    try:
        found: str | None = session.scalar(text("SELECT max(version_num) FROM alembic_version"))
    except DatabaseError:  # there is no such table
        session.rollback()
        return None
    return found


def is_behind(revision: str | None) -> bool:
    """Say whether a database lacks what this code needs; one that is ahead still serves it."""
    return revision is None or revision < NEEDED_REVISION
