"""``graft audit`` and ``graft limits`` where no service is needed: on a file, on the database."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

import migrations
from graft.cli import app
from graft.client.audit_chain import BEGINNING
from store.bootstrap import ensure_admin
from store.database import Database
from store.repositories import AuditTrail
from store.repositories.audit import as_line
from store.settings import Settings, prepare
from store.tables import Workspace

runner = CliRunner()


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory whose trail has three lines."""
    for name in ("GRAFT_URL", "GRAFT_API_KEY", "GRAFT_DATA_DIR", "GRAFT_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    settings = prepare(Settings(data_dir=tmp_path / "data"))
    migrations.upgrade(settings.resolved_database_url())
    database = Database.from_settings(settings)
    ensure_admin(database, settings)
    with database.write() as session:
        trail = AuditTrail(session, session.query(Workspace).one().id)
        for number in range(2):
            trail.append("key_x", "job.submit", f"job_{number}")
    database.dispose()
    return settings.data_dir


def exported(data_dir: Path) -> Path:
    database = Database(f"sqlite:///{data_dir / 'graft.db'}")
    with database.read() as session:
        trail = AuditTrail(session, session.query(Workspace).one().id)
        lines = [json.dumps(as_line(line)) for line in trail.all_lines()]
    database.dispose()
    path = data_dir / "trail.ndjson"
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def verify(*options: str) -> tuple[int, str]:
    result = runner.invoke(app, ["audit", "verify", *options])
    return result.exit_code, result.output


def test_a_whole_trail_is_whole_in_the_file_and_in_the_database(data_dir: Path) -> None:
    path = exported(data_dir)
    code, said = verify(str(path))
    assert (code, "3 lines" in said) == (0, True)
    head = said.split("head: ")[1].split("\n")[0]
    in_database = ("--database", "--data-dir", str(data_dir))
    for options in ((str(path),), in_database):
        assert verify(*options) == (0, said)
        assert verify(*options, "--head", head) == (0, said)
        assert verify(*options, "--head", f"3:{BEGINNING}")[0] == 1
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:2]))
    assert verify(str(path))[0] == 0
    code, said = verify(str(path), "--head", head)
    assert (code, "ends before the line 3" in said) == (1, True)


def test_a_changed_trail_is_broken_in_the_file_and_in_the_database(data_dir: Path) -> None:
    path = exported(data_dir)
    path.write_text(path.read_text().replace("job_0", "job_9"))
    code, said = verify(str(path))
    assert (code, "broken at line 2" in said) == (1, True)
    database = Database(f"sqlite:///{data_dir / 'graft.db'}")
    with database.write() as session:
        session.execute(text("DROP TRIGGER audit_events_no_delete"))
        session.execute(text("DELETE FROM audit_events WHERE number = 2"))
    database.dispose()
    code, said = verify("--database", "--data-dir", str(data_dir))
    assert (code, "broken at line 2" in said) == (1, True)


def test_what_cannot_be_checked_is_told_in_one_line(data_dir: Path) -> None:
    assert verify(str(data_dir / "none"))[0] == 1
    assert verify(str(exported(data_dir)), "--head", "3")[0] == 1
    assert verify(str(data_dir / "trail.ndjson"), "--database")[0] == 2
    code, said = verify("--database", "--workspace", "none", "--data-dir", str(data_dir))
    assert (code, "no workspace 'none'" in said) == (1, True)


def test_an_operator_grants_and_sees_limits(data_dir: Path) -> None:
    options = ["--data-dir", str(data_dir)]
    result = runner.invoke(app, ["limits", "grant", "default", "unfinished_jobs=7", *options])
    assert result.exit_code == 0
    rows = [line.split() for line in result.output.splitlines()]
    assert ["unfinished_jobs", "workspace", "7"] in rows
    assert ["requests_per_minute", "key", "1200"] in rows
    wrong = runner.invoke(app, ["limits", "grant", "default", "jobs=7", *options])
    assert (wrong.exit_code, "no limit" in wrong.output) == (1, True)
