"""``python -m migrations``: what the deployed form runs before anything else."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from migrations.__main__ import main


def test_the_command_makes_the_tables_and_may_be_run_again(tmp_path: Path) -> None:
    environment = {"GRAFT_DATABASE_URL": f"sqlite:///{tmp_path / 'a.db'}", "PATH": "/usr/bin:/bin"}
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-m", "migrations", "upgrade"],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert "newest version" in done.stdout
    with sqlite3.connect(tmp_path / "a.db") as connection:
        tables = {name for (name,) in connection.execute("select name from sqlite_master")}
    connection.close()
    assert "jobs" in tables


def test_a_database_that_does_not_answer_is_said_without_its_password(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GRAFT_DATABASE_URL", "postgresql+psycopg://graft:hush@127.0.0.1:1/graft")
    assert main(["upgrade"]) == 1
    said = capsys.readouterr().err
    assert "cannot be used" in said
    assert "hush" not in said


def test_anything_but_upgrade_is_answered_with_how_to_use_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([]) == 2
    assert main(["downgrade"]) == 2
    assert "usage:" in capsys.readouterr().err
