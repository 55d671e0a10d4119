"""The migrations make what the tables say, and can be run any number of times."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from revisions import downgrade_to
from sqlalchemy import inspect

import migrations
import store.step_tables
from store.database import Database


def test_a_migrated_database_has_exactly_the_tables_of_the_code(
    new_database: Callable[[], str],
) -> None:
    url = new_database()
    migrations.upgrade(url)
    migrations.upgrade(url)
    database = Database(url)
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, store.step_tables.Base.metadata) == []
    database.dispose()


def test_two_that_upgrade_at_once_do_not_disturb_each_other(
    new_database: Callable[[], str],
) -> None:
    url = new_database()
    code = "import sys, migrations; migrations.upgrade(sys.argv[1])"
    running = [subprocess.Popen([sys.executable, "-c", code, url]) for _ in range(2)]
    assert [process.wait(timeout=60) for process in running] == [0, 0]


def test_a_migration_can_be_taken_back(new_database: Callable[[], str]) -> None:
    url = new_database()
    migrations.upgrade(url)
    downgrade_to(url, "base")
    database = Database(url)
    assert inspect(database.engine).get_table_names() == ["alembic_version"]
    database.dispose()
