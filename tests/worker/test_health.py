"""The health check of a worker's container."""

from __future__ import annotations

import socket
from datetime import timedelta
from pathlib import Path

import pytest

import migrations
from store.columns import utc_now
from store.database import Database
from store.settings import Settings
from store.tables import WorkerSeen
from store.workers import WorkerRegister
from worker.health import main


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    """Return the migrated database that the settings of the environment name."""
    monkeypatch.setenv("GRAFT_DATA_DIR", str(tmp_path))
    settings = Settings()
    migrations.upgrade(settings.resolved_database_url())
    return Database.from_settings(settings)


def seen(database: Database, host: str, worker_id: str = "w1") -> None:
    """Let a worker show a sign of life."""
    with database.write() as session:
        WorkerRegister(session).seen(
            worker_id, host=host, queues=["cpu"], version="0.1.0", step_id=None
        )


def test_a_worker_that_was_just_seen_is_well(database: Database) -> None:
    seen(database, socket.gethostname())
    assert main() == 0


def test_a_worker_on_another_host_says_nothing_about_this_one(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    seen(database, "elsewhere")
    assert main() == 1
    assert "no worker on" in capsys.readouterr().out


def test_a_worker_that_fell_silent_is_not_well(database: Database) -> None:
    seen(database, socket.gethostname())
    with database.write() as session:
        row = session.get(WorkerSeen, "w1")
        assert row is not None
        row.seen_at = utc_now() - timedelta(seconds=120)
    assert main() == 1


def test_a_worker_that_said_goodbye_is_not_well(database: Database) -> None:
    seen(database, socket.gethostname())
    with database.write() as session:
        WorkerRegister(session).gone("w1")
    assert main() == 1


def test_a_database_that_does_not_answer_is_not_well(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GRAFT_DATABASE_URL", "postgresql+psycopg://graft:hush@127.0.0.1:1/graft")
    assert main() == 1
    said = capsys.readouterr().out
    assert "does not answer" in said
    assert "hush" not in said
