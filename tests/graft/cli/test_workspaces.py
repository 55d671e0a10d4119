"""The operator's commands work on the database itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select
from typer.testing import CliRunner

import migrations
from api.app import create_app
from graft.cli import app
from store.bootstrap import ensure_admin
from store.database import Database
from store.repositories import AuditTrail
from store.settings import Settings, prepare
from store.tables import AuditEvent

runner = CliRunner()


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Of a service that was started once."""
    for name in ("GRAFT_DATABASE_URL", "GRAFT_SECRET_KEY", "GRAFT_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    made = prepare(Settings(data_dir=tmp_path))
    migrations.upgrade(made.resolved_database_url())
    database = Database.from_settings(made)
    ensure_admin(database, made)
    database.dispose()
    return made


def run(settings: Settings, *words: str) -> list[str]:
    """What a command prints, line by line."""
    result = runner.invoke(app, ["workspaces", *words, "--data-dir", str(settings.data_dir)])
    assert result.exit_code == 0, result.stderr
    return result.stdout.splitlines()


def refusal(*words: str) -> str:
    result = runner.invoke(app, ["workspaces", *words])
    assert result.exit_code == 1
    assert "Traceback" not in result.stderr
    return result.stderr


def test_a_second_workspace_has_an_administrator_of_its_own(settings: Settings) -> None:
    [key] = run(settings, "create", "Radiology Ω")
    database = Database.from_settings(settings)
    headers = {"Authorization": f"Bearer {key}"}
    with TestClient(create_app(settings, database=database), headers=headers) as client:
        me = client.get("/v1/me").json()
        assert (me["workspace_name"], me["scopes"][-1]) == ("Radiology Ω", "admin")
        assert len(client.get("/v1/keys").json()["items"]) == 1
        with database.read() as session:
            lines = session.scalars(
                select(AuditEvent).where(AuditEvent.workspace_id == me["workspace_id"])
            ).all()
            assert [(line.actor, line.action) for line in lines] == [
                ("operator", "workspace.create"),
                ("operator", "key.create"),
            ]
            assert AuditTrail(session, me["workspace_id"]).first_broken() is None
    listed = json.loads("\n".join(run(settings, "list", "--json")))
    assert [row["name"] for row in listed] == ["default", "Radiology Ω"]
    assert "Radiology Ω" in "\n".join(run(settings, "list"))


def test_a_lost_last_key_can_be_replaced(settings: Settings) -> None:
    [key] = run(settings, "new-key", "default")
    database = Database.from_settings(settings)
    headers = {"Authorization": f"Bearer {key}"}
    with TestClient(create_app(settings, database=database), headers=headers) as client:
        assert client.get("/v1/keys").status_code == 200
    where = ["--data-dir", str(settings.data_dir)]
    assert "no workspace called 'other'" in refusal("new-key", "other", *where)


@pytest.mark.parametrize("name", ["default", "", " x", "a\nb", "x" * 201, "ws_01", "a\u202eb"])
def test_a_name_that_is_taken_or_unfit_is_refused(settings: Settings, name: str) -> None:
    assert "error:" in refusal("create", name, "--data-dir", str(settings.data_dir))
    assert len(json.loads("\n".join(run(settings, "list", "--json")))) == 1


def test_no_database_is_made_by_mistake(settings: Settings, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    assert "no database" in refusal("list", "--data-dir", str(elsewhere))
    assert not elsewhere.exists()
    assert settings.data_dir == tmp_path


def test_without_the_secret_no_key_is_made_that_would_not_work(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRAFT_DATABASE_URL", settings.resolved_database_url())
    said = refusal("create", "another", "--data-dir", str(tmp_path / "elsewhere"))
    assert "GRAFT_SECRET_KEY" in said
    assert not (tmp_path / "elsewhere").exists()


def test_a_database_without_tables_is_said_in_one_line(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRAFT_DATABASE_URL", f"sqlite:///{tmp_path / 'empty.db'}")
    said = refusal("list", "--data-dir", str(settings.data_dir))
    assert "never brought to this version" in said
