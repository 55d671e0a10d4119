"""Which version of the schema the code needs."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import text

import migrations
from store.database import Database
from store.schema import NEEDED_REVISION, is_behind, revision_of


def test_the_code_needs_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    assert ScriptDirectory.from_config(config).get_current_head() == NEEDED_REVISION


def test_a_migrated_database_says_so(database: Database) -> None:
    with database.read() as session:
        assert revision_of(session) == NEEDED_REVISION


def test_a_database_that_was_never_migrated_is_behind(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/empty.db")
    with database.read() as session:
        assert revision_of(session) is None
        assert session.scalar(text("SELECT 1")) == 1
    database.dispose()


@pytest.mark.parametrize(
    ("revision", "behind"), [(None, True), ("0001", True), (NEEDED_REVISION, False), ("9", False)]
)
def test_only_an_older_schema_is_behind(revision: str | None, behind: bool) -> None:
    assert is_behind(revision) is behind
