"""``graft doctor`` on a bare machine, on a broken one, and beside a database."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

import migrations
from graft.cli import app
from graft.doctor import examine
from graft.doctor_house import examine_house
from store.bootstrap import ensure_admin
from store.database import Database
from store.objects import Objects
from store.settings import Settings, prepare
from store.workers import WorkerRegister

PASSWORD = "a-password-of-the-hospital"


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("GRAFT_")]:
        monkeypatch.delenv(name)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def house(data_dir: Path) -> dict[str, Any]:
    return {finding.name: finding for finding in examine_house(data_dir)}


@pytest.fixture
def served(tmp_path: Path) -> Path:
    """What `graft serve` leaves in its data directory."""
    settings = prepare(Settings(data_dir=tmp_path / "data"))
    migrations.upgrade(settings.resolved_database_url())
    database = Database.from_settings(settings)
    ensure_admin(database, settings)
    Objects.from_settings(settings)
    database.dispose()
    return settings.data_dir


def test_on_a_bare_machine_nothing_fails_and_nothing_is_made(tmp_path: Path) -> None:
    data_dir = tmp_path / "none"
    findings = examine(data_dir)
    assert {"python", "PyTorch", "GPU driver", "image features", "Valkey"} <= {
        finding.name for finding in findings
    }
    assert [f for f in findings if f.state == "fail"] == []
    assert not data_dir.exists()


def test_a_house_in_order_is_found_in_order_but_for_its_workers(served: Path) -> None:
    found = house(served)
    assert {name for name, finding in found.items() if finding.state != "ok"} == {"workers"}
    assert "written, read and deleted" in found["file storage"].detail
    assert [path for path in (served / "objects").rglob("*") if path.is_file()] == []
    database = Database.from_settings(Settings(data_dir=served))
    with database.write() as session:
        register = WorkerRegister(session)
        about = {"host": "here", "queues": ["gpu"], "version": "1", "step_id": None}
        register.seen("w1", **about)
    assert house(served)["workers"].state == "ok"
    with database.write() as session:
        WorkerRegister(session).seen("w1", **about, paused="disk_full: There is no room.")
    database.dispose()
    assert (house(served)["workers"].state, house(served)["workers"].hint) == (
        "warn",
        "disk_full: There is no room.",
    )


def test_a_schema_that_is_too_old_fails_and_says_what_to_run(served: Path) -> None:
    database = Database.from_settings(Settings(data_dir=served))
    with database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '0002'"))
    database.dispose()
    found = house(served)["migrations"]
    assert found.state == "fail"
    assert "python -m migrations upgrade" in found.hint


def test_a_deployed_form_that_is_wrong_fails_with_what_to_do_and_tells_no_password(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    silent = free_port()
    monkeypatch.setenv("GRAFT_HOST", "0.0.0.0")  # noqa: S104
    monkeypatch.setenv("GRAFT_SECRET_KEY", "changeme")
    monkeypatch.setenv("GRAFT_REDIS_URL", f"redis://:{PASSWORD}@127.0.0.1:{silent}/0")
    monkeypatch.setenv("GRAFT_DATABASE_URL", f"postgresql://graft:{PASSWORD}@127.0.0.1:{silent}/x")
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("GRAFT_OBJECT_STORE_URL", (tmp_path / "file").as_uri())
    answer = CliRunner().invoke(app, ["doctor", "--json", "--data-dir", str(tmp_path / "data")])
    assert answer.exit_code == 1
    assert PASSWORD not in answer.output
    found = {one["name"]: one for one in json.loads(answer.output)}
    for name in ("secret", "database", "broker", "file storage"):
        assert found[name]["state"] == "fail", found[name]
    assert all(one["hint"] for one in found.values() if one["state"] == "fail")
    assert found["migrations"]["state"] == "warn"


def test_a_setting_that_is_no_setting_is_one_finding(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GRAFT_PORT", "many")
    (found,) = examine_house(tmp_path)
    assert (found.name, found.state) == ("settings", "fail")
    assert "port" in found.detail.lower()


def test_a_secret_file_that_others_can_read_fails(served: Path) -> None:
    (served / "secret.key").chmod(0o644)
    assert house(served)["secret"].state == "fail"


def test_no_room_warns_and_then_fails(monkeypatch: pytest.MonkeyPatch, served: Path) -> None:
    monkeypatch.setenv("GRAFT_LOW_FREE_BYTES", str(2**62))
    assert house(served)["disk"].state == "warn"
    monkeypatch.setenv("GRAFT_MIN_FREE_BYTES", str(2**62))
    assert house(served)["disk"].state == "fail"


@pytest.mark.slow
def test_beside_a_running_service_it_says_what_the_service_says(serve: Any) -> None:
    served = serve()
    found = house(served.data_dir)
    assert found["service"].state in {"ok", "warn"}
    assert served.url in found["service"].detail
    stopped = serve("--no-worker", data_dir=served.data_dir.with_name("idle"))
    assert "no_worker" in house(stopped.data_dir)["service"].detail
