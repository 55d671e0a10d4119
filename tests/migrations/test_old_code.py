"""The code of a version goes on working on the schema of the next one.

``recorded_statements.py`` says why, and how a release records what its code asks.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import sqlalchemy as sa
import structlog
from alembic.operations import Operations
from recorded_statements import Incompatible, Recorder, load, play, save, without_repeats
from revisions import all_revisions, engine_of, operations, upgrade_to
from whole_house import play_whole_house

from store.database import Database
from store.settings import Settings, prepare

RECORDED = Path(__file__).parent / "recorded"
REVISIONS = all_revisions()
MAX_BYTES = 1_000_000
NOT_ASKED = {
    "alembic_version",
}


def recording(revision: str, dialect: str) -> Path:
    return RECORDED / f"{revision}-{dialect}.jsonl"


def unrecorded(revisions: Sequence[str]) -> list[str]:
    """The names of the recordings that there must be and are not: for all but the newest."""
    needed = [recording(r, d) for r in revisions[:-1] for d in ("sqlite", "postgresql")]
    return [path.name for path in needed if not path.is_file()]


def test_every_version_but_the_newest_has_what_its_code_asks_recorded() -> None:
    assert unrecorded(REVISIONS) == [], (
        "Nobody recorded what the code of an earlier revision asks. Check out the last commit"
        " before the revision after it, run\n"
        "    python -m pytest tests/migrations/test_old_code.py --record-statements\n"
        "there, and commit the files that it writes."
    )


def test_a_recording_that_was_forgotten_is_missed() -> None:
    later = [*REVISIONS[:1], "9998", "9999"]
    assert unrecorded(later) == ["9998-sqlite.jsonl", "9998-postgresql.jsonl"]


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
    database, recorder = Database(url), Recorder()
    recorder.listen(database.engine)
    try:
        play_whole_house(house_settings, database)
    finally:
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
    left_alone = {t for t in _tables(url) if not any(f"{t} " in sql for sql in asked)}
    assert left_alone <= NOT_ASKED, (
        f"whole_house.py asks nothing of {sorted(left_alone - NOT_ASKED)}: what is not asked there"
        " is not recorded, and nobody will hear when a migration breaks it"
    )


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
    with engine_of(url) as engine:
        return sorted(sa.inspect(engine).get_table_names())


def _add_required(op: Operations) -> None:
    with op.batch_alter_table("jobs") as table:
        table.add_column(sa.Column("priority", sa.Integer(), nullable=False))


def _drop_column(op: Operations) -> None:
    with op.batch_alter_table("steps") as table:
        table.drop_column("detail")


def _rename_column(op: Operations) -> None:
    with op.batch_alter_table("datasets") as table:
        table.alter_column("upload_bytes", new_column_name="upload_size")


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


BAD: dict[Callable[[Operations], None], str] = {
    _add_required: "priority",
    _drop_column: "detail",
    _rename_column: "upload_bytes",
    _check: "named",
    _unique: "uq_datasets_name|UNIQUE",
    _drop_table: "workers",
    _hide_rows: "0 rows and not",
}


@pytest.mark.parametrize(("change", "why"), BAD.items())
def test_a_change_that_breaks_old_code_is_found_out(
    change: Callable[[Operations], None],
    why: str,
    dialect: str,
    new_database: Callable[[], str],
) -> None:
    check_that_it_is_found_out(change, why, dialect, new_database())


def test_a_narrower_type_is_found_out(new_postgres_database: Callable[[], str]) -> None:
    """On SQLite there is nothing to find: it heeds no lengths."""

    def narrow(op: Operations) -> None:
        op.alter_column("workers", "version", type_=sa.String(2))

    check_that_it_is_found_out(narrow, "too long", "postgresql", new_postgres_database())


def check_that_it_is_found_out(
    change: Callable[[Operations], None], why: str, dialect: str, url: str
) -> None:
    upgrade_to(url, REVISIONS[0])
    with operations(url) as op:
        change(op)
    with pytest.raises(Incompatible, match=rf"\A(refused: )?.*({why})"):
        play(url, load(recording(REVISIONS[0], dialect)))


def test_a_change_that_leaves_old_code_alone_is_let_pass(
    dialect: str, new_database: Callable[[], str]
) -> None:
    url = new_database()
    upgrade_to(url, REVISIONS[0])
    with operations(url) as op:
        with op.batch_alter_table("jobs") as table:
            table.add_column(sa.Column("note", sa.Text(), nullable=True))
            table.add_column(sa.Column("weight", sa.Integer(), nullable=False, server_default="1"))
        op.create_index("ix_jobs_note", "jobs", ["note"])
        op.create_table("webhooks", sa.Column("id", sa.String(64), primary_key=True))
    play(url, load(recording(REVISIONS[0], dialect)))
