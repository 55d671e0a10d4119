"""What is in the tables is there after an upgrade, and after it was taken back."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.operations import Operations
from recorded_statements import load, play
from revisions import all_revisions, downgrade_to, engine_of, operations, upgrade_to
from sqlalchemy.exc import DBAPIError

RECORDED = Path(__file__).parent / "recorded"
REVISIONS = all_revisions()
Columns = dict[str, list[str]]
Change = Callable[[], None]


def columns_of(url: str) -> Columns:
    with engine_of(url) as engine:
        inspector = sa.inspect(engine)
        return {
            table: [column["name"] for column in inspector.get_columns(table)]
            for table in inspector.get_table_names()
            if table != "alembic_version"
        }


def content_of(url: str, columns: Columns) -> dict[str, list[str]]:
    """Return the rows of some columns as text, in an order that says nothing."""
    with engine_of(url) as engine, engine.connect() as connection:
        return {
            table: sorted(
                repr(tuple(row))
                for row in connection.execute(
                    sa.select(*map(sa.column, names)).select_from(sa.table(table))
                )
            )
            for table, names in columns.items()
        }


def check_that_all_survives(url: str, up: Change, down: Change) -> None:
    """Go up and down; what was there before must be there each time, and the trail be sealed."""
    columns = columns_of(url)
    before = content_of(url, columns)
    assert all(before.values()), "an empty table proves nothing"
    up()
    assert content_of(url, columns) == before
    check_that_the_trail_is_sealed(url)
    down()
    assert columns_of(url) == columns
    assert content_of(url, columns) == before
    check_that_the_trail_is_sealed(url)


def check_that_the_trail_is_sealed(url: str) -> None:
    """SQLite's triggers go with a table that is made anew, which is how it alters most things."""
    for change in ("UPDATE audit_events SET actor = 'nobody'", "DELETE FROM audit_events"):
        is_refused = pytest.raises(DBAPIError, match="append-only")
        with engine_of(url) as engine, is_refused, engine.begin() as connection:
            connection.execute(sa.text(change))


def filled(url: str, dialect: str, schema: str, revision: str) -> str:
    """Bring a database to a schema, and have a revision's code write into it."""
    upgrade_to(url, schema)
    play(url, load(RECORDED / f"{revision}-{dialect}.jsonl"))
    return url


def test_every_upgrade_can_be_made_and_taken_back_with_everything_in_place(
    dialect: str, new_database: Callable[[], str]
) -> None:
    for old, new in pairwise(REVISIONS):
        url = filled(new_database(), dialect, old, old)
        check_that_all_survives(
            url, up=partial(upgrade_to, url, new), down=partial(downgrade_to, url, old)
        )


def test_what_old_code_wrote_after_the_upgrade_survives_taking_it_back(
    dialect: str, new_database: Callable[[], str]
) -> None:
    for old, new in pairwise(REVISIONS):
        before = filled(new_database(), dialect, old, old)
        after = filled(new_database(), dialect, new, old)
        downgrade_to(after, old)
        columns = columns_of(before)
        assert columns_of(after) == columns
        assert content_of(after, columns) == content_of(before, columns)


def test_the_first_version_can_be_taken_back_although_it_is_full(
    dialect: str, new_database: Callable[[], str]
) -> None:
    url = filled(new_database(), dialect, REVISIONS[0], REVISIONS[0])
    check_that_the_trail_is_sealed(url)
    downgrade_to(url, "base")
    assert columns_of(url) == {}
    upgrade_to(url, "head")


def _lose_a_column(op: Operations) -> None:
    op.drop_column("jobs", "detail")
    op.add_column("jobs", sa.Column("detail", sa.Text(), nullable=True))


def _lose_rows(op: Operations) -> None:
    op.execute("DELETE FROM workers")


def _alter_values(op: Operations) -> None:
    op.execute("UPDATE datasets SET name = upper(name)")


def _open_the_trail(op: Operations) -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP TRIGGER audit_events_append_only ON audit_events")
    else:
        op.execute("DROP TRIGGER audit_events_no_update")


@pytest.mark.parametrize("change", [_lose_a_column, _lose_rows, _alter_values, _open_the_trail])
def test_a_change_that_loses_something_is_found_out(
    change: Callable[[Operations], None], dialect: str, new_database: Callable[[], str]
) -> None:
    url = filled(new_database(), dialect, REVISIONS[0], REVISIONS[0])

    def up() -> None:
        with operations(url) as op:
            change(op)

    is_found_out: Any = (AssertionError, pytest.fail.Exception)
    with pytest.raises(is_found_out):
        check_that_all_survives(url, up=up, down=lambda: None)


def test_a_change_that_only_adds_loses_nothing(
    dialect: str, new_database: Callable[[], str]
) -> None:
    url = filled(new_database(), dialect, REVISIONS[0], REVISIONS[0])

    def up() -> None:
        with operations(url) as op:
            op.add_column("jobs", sa.Column("note", sa.Text(), nullable=True))

    def down() -> None:
        with operations(url) as op:
            op.drop_column("jobs", "note")

    check_that_all_survives(url, up=up, down=down)
