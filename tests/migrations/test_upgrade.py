"""The migrations make what the tables say, and can be run any number of times."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import inspect

import migrations
import store.step_tables
from store.database import Database


def test_a_migrated_database_has_exactly_the_tables_of_the_code(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/graft.db"
    migrations.upgrade(url)
    migrations.upgrade(url)
    database = Database(url)
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, store.step_tables.Base.metadata) == []
    database.dispose()


def test_two_that_upgrade_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/graft.db"
    code = "import sys, migrations; migrations.upgrade(sys.argv[1])"
    running = [subprocess.Popen([sys.executable, "-c", code, url]) for _ in range(2)]
    assert [process.wait(timeout=60) for process in running] == [0, 0]


def test_a_migration_can_be_taken_back(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/graft.db"
    migrations.upgrade(url)
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.attributes["database_url"] = url
    command.downgrade(config, "base")
    database = Database(url)
    assert inspect(database.engine).get_table_names() == ["alembic_version"]
    database.dispose()
