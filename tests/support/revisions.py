"""The versions of the schema, and going from one to another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

import migrations
from store.database import make_engine


def all_revisions() -> list[str]:
    """The revisions, the oldest first."""
    scripts = ScriptDirectory.from_config(_config(""))
    return [script.revision for script in scripts.walk_revisions()][::-1]


def upgrade_to(url: str, revision: str) -> None:
    command.upgrade(_config(url), revision)


def downgrade_to(url: str, revision: str) -> None:
    command.downgrade(_config(url), revision)


@contextmanager
def engine_of(url: str) -> Iterator[Engine]:
    """Give an engine that is closed whatever happens."""
    engine = make_engine(url)
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def operations(url: str) -> Iterator[Operations]:
    """Give what a migration's ``op`` is, for changes that no revision makes."""
    with engine_of(url) as engine, engine.begin() as connection:
        yield Operations(MigrationContext.configure(connection))


def _config(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.attributes["database_url"] = url
    return config
