"""Run by Alembic: opens the database and runs the migrations in one transaction."""

from __future__ import annotations

from alembic import context
from sqlalchemy import text

# So that all tables are known:
import store.access_tables
import store.page_tables
import store.step_tables
import store.upload_tables
import store.webhook_tables  # noqa: F401
from store.database import make_engine
from store.tables import Base

# "graft" in ASCII: any number will do, as long as only these migrations use it.
_LOCK = 0x6772616674


def _run() -> None:
    engine = make_engine(context.config.attributes["database_url"])
    try:
        # On SQLite this begins with BEGIN IMMEDIATE, so a second upgrade waits here.
        with engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            context.configure(
                connection=connection,
                target_metadata=Base.metadata,
                transactional_ddl=True,
                render_as_batch=connection.dialect.name == "sqlite",
            )
            context.run_migrations()
    finally:
        engine.dispose()


_run()
