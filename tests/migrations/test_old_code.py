"""The code of a version goes on working on the schema of the next one.

``recorded_statements.py`` says why, and how a release records what its code asks.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import structlog
from alembic.migration import MigrationContext
from alembic.operations import Operations
from recorded_statements import Incompatible, Recorder, load, play, save, without_repeats
from revisions import all_revisions, upgrade_to
from whole_house import play_whole_house

from store.database import Database, make_engine
from store.settings import Settings, prepare

RECORDED = Path(__file__).parent / "recorded"
REVISIONS = all_revisions()
MAX_BYTES = 300_000


def recording(revision: str, dialect: str) -> Path:
    return RECORDED / f"{revision}-{dialect}.jsonl"


@pytest.mark.parametrize("revision", REVISIONS[:-1])
def test_every_version_but_the_newest_has_what_its_code_asks_recorded(
    revision: str, dialect: str
) -> None:
    assert recording(revision, dialect).is_file(), (
        f"Nobody recorded what the code of revision {revision} asks of {dialect}. Check out the"
        " last commit before the revision after it, run\n"
        "    python -m pytest tests/migrations/test_old_code.py --record-statements\n"
        "there, and commit the files that it writes."
    )


def test_what_a_version_asks_is_answered_by_the_schema_of_the_next(
    dialect: str, new_database: Callable[[], str]
) -> None:
    for number, revision in enumerate(REVISIONS):
        path = recording(revision, dialect)
        if not path.is_file():
            continue
        for schema in REVISIONS[number : number + 2]:
            url = new_database()
            upgrade_to(url, schema)
            play(url, load(path))


def test_what_todays_code_asks_can_be_recorded_and_asked_again(
    request: pytest.FixtureRequest,
    dialect: str,
    new_database: Callable[[], str],
    house_settings: Settings,
    tmp_path: Path,
) -> None:
    url, newest = new_database(), REVISIONS[-1]
    upgrade_to(url, newest)
    database = Database(url)
    recorder = Recorder()
    recorder.listen(database.engine)
    play_whole_house(house_settings, database)
    database.dispose()
    # On a schema that has seen nothing yet, the same statements find the same rows.
    url = new_database()
    upgrade_to(url, newest)
    transactions = without_repeats(play(url, recorder.transactions))
    must_write = request.config.getoption("--record-statements")
    path = recording(newest, dialect) if must_write else tmp_path / "recorded.jsonl"
    save(path, transactions)
    url = new_database()
    upgrade_to(url, newest)
    save(tmp_path / "again.jsonl", play(url, load(path)))
    assert (tmp_path / "again.jsonl").read_text() == path.read_text()
    assert path.stat().st_size < MAX_BYTES
    asked = {s.sql for transaction in load(path) for s in transaction.statements}
    silent = [t for t in _tables(url) if not any(t in sql for sql in asked)]
    assert silent == ["alembic_version"], "whole_house.py leaves these tables alone"


@pytest.fixture
def house_settings(tmp_path: Path) -> Iterator[Settings]:
    """Settings with a broker that does not answer; and logs without drawings of tracebacks."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        silent = probe.getsockname()[1]
    structlog.configure(processors=[structlog.processors.KeyValueRenderer()])
    (tmp_path / "data").mkdir()
    yield prepare(Settings(data_dir=tmp_path / "data", redis_url=f"redis://127.0.0.1:{silent}/0"))
    structlog.reset_defaults()


def _tables(url: str) -> list[str]:
    engine = make_engine(url)
    names = sa.inspect(engine).get_table_names()
    engine.dispose()
    return sorted(names)


def _add_required(op: Operations) -> None:
    with op.batch_alter_table("jobs") as table:
        table.add_column(sa.Column("priority", sa.Integer(), nullable=False))


def _drop_column(op: Operations) -> None:
    with op.batch_alter_table("steps") as table:
        table.drop_column("detail")


def _rename_column(op: Operations) -> None:
    with op.batch_alter_table("datasets") as table:
        table.alter_column("upload_bytes", new_column_name="upload_size")


def _narrow(op: Operations) -> None:
    with op.batch_alter_table("workers") as table:
        table.alter_column("version", type_=sa.String(2))


def _check(op: Operations) -> None:
    with op.batch_alter_table("jobs") as table:
        table.create_check_constraint("named", "name <> ''")


def _unique(op: Operations) -> None:
    op.create_index("uq_datasets_name", "datasets", ["workspace_id", "name"], unique=True)


def _drop_table(op: Operations) -> None:
    op.drop_table("workers")


def _hide_rows(op: Operations) -> None:
    """Nothing is refused, and yet the old code no longer finds what it wrote."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("CREATE RULE gone AS ON INSERT TO job_events DO ALSO DELETE FROM job_events")
    else:
        op.execute(
            "CREATE TRIGGER gone AFTER INSERT ON job_events BEGIN DELETE FROM job_events; END"
        )


BAD = [
    *(_add_required, _drop_column, _rename_column, _narrow, _check, _unique, _drop_table),
    _hide_rows,
]


@pytest.mark.parametrize("change", BAD)
def test_a_change_that_breaks_old_code_is_found_out(
    change: Callable[[Operations], Any], dialect: str, new_database: Callable[[], str]
) -> None:
    if (change, dialect) == (_narrow, "sqlite"):
        pytest.skip("SQLite heeds no lengths: it narrows nothing")
    url = new_database()
    upgrade_to(url, REVISIONS[0])
    with _operations(url) as operations:
        change(operations)
    with pytest.raises(Incompatible):
        play(url, load(recording(REVISIONS[0], dialect)))


def test_a_change_that_leaves_old_code_alone_is_let_pass(
    dialect: str, new_database: Callable[[], str]
) -> None:
    url = new_database()
    upgrade_to(url, REVISIONS[0])
    with _operations(url) as op:
        with op.batch_alter_table("jobs") as table:
            table.add_column(sa.Column("note", sa.Text(), nullable=True))
            table.add_column(sa.Column("weight", sa.Integer(), nullable=False, server_default="1"))
        op.create_index("ix_jobs_note", "jobs", ["note"])
        op.create_table("webhooks", sa.Column("id", sa.String(64), primary_key=True))
    play(url, load(recording(REVISIONS[0], dialect)))


@contextmanager
def _operations(url: str) -> Iterator[Operations]:
    engine = make_engine(url)
    with engine.begin() as connection:
        yield Operations(MigrationContext.configure(connection))
    engine.dispose()
