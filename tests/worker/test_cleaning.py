"""The process that deletes: what it does, that there is one at most, and that it ends."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import migrations
from store.columns import new_id
from store.database import Database
from store.objects import Objects
from store.removals import is_pending, promise
from store.settings import Settings
from store.tables import Workspace
from worker.cleaning import CleaningProcess


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in [name for name in os.environ if name.startswith("GRAFT_")]:
        monkeypatch.delenv(name)
    made = Settings(data_dir=tmp_path / "data")
    migrations.upgrade(made.resolved_database_url())
    return made


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    made = Database.from_settings(settings)
    yield made
    made.dispose()


@pytest.fixture
def workspace_id(database: Database) -> str:
    with database.write() as session:
        workspace = Workspace(id=new_id("ws"), name="ours")
        session.add(workspace)
        return workspace.id


def put(settings: Settings, key: str, age_seconds: float = 0.0) -> Path:
    path = Objects.from_settings(settings).local_path(key)
    assert path is not None
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    then = time.time() - age_seconds
    os.utime(path, (then, then))
    return path


def ended(process: CleaningProcess) -> bool:
    until = time.monotonic() + 60
    while process.is_running() and time.monotonic() < until:
        time.sleep(0.05)
    return not process.is_running()


def test_it_deletes_what_was_promised_and_each_hour_what_nothing_refers_to(
    settings: Settings, database: Database, workspace_id: str
) -> None:
    promised = put(settings, f"workspaces/{workspace_id}/steps/step_1/1-a/out.bin")
    orphan = put(settings, f"workspaces/{workspace_id}/steps/step_2/1-b/out.bin", 2 * 86400)
    on_its_way = put(settings, f"workspaces/{workspace_id}/steps/step_3/1-c/out.bin")
    with database.write() as session:
        promise(session, workspace_id, [f"workspaces/{workspace_id}/steps/step_1/"])
    process = CleaningProcess(settings)
    assert process.tend(has_removals=is_pending(database), is_hourly=False)
    assert ended(process)
    assert not is_pending(database)
    assert (promised.exists(), orphan.exists()) == (False, True)
    assert process.tend(has_removals=False, is_hourly=True)
    assert ended(process)
    assert (orphan.exists(), on_its_way.exists()) == (False, True)
    assert not process.tend(has_removals=False, is_hourly=False)


def test_there_is_one_at_most_and_what_was_due_meanwhile_is_made_up_for(
    settings: Settings, database: Database, workspace_id: str
) -> None:
    orphan = put(settings, f"workspaces/{workspace_id}/steps/step_2/1-b/out.bin", 2 * 86400)
    process = CleaningProcess(settings)
    assert process.tend(has_removals=True, is_hourly=False)
    assert not process.tend(has_removals=True, is_hourly=True)
    assert ended(process)
    assert orphan.exists()
    assert process.tend(has_removals=False, is_hourly=False)
    assert ended(process)
    assert not orphan.exists()


def test_one_that_failed_is_not_started_again_at_once(settings: Settings) -> None:
    broken = settings.model_copy(update={"data_dir": Path("/proc/nowhere")})
    process = CleaningProcess(broken)
    assert process.tend(has_removals=True, is_hourly=False)
    assert ended(process)
    assert not process.tend(has_removals=True, is_hourly=False)


def test_it_is_ended_with_the_worker(settings: Settings) -> None:
    process = CleaningProcess(settings)
    process.tend(has_removals=True, is_hourly=True)
    process.stop()
    assert not process.is_running()


def test_it_imports_nothing_heavy_since_it_is_started_often() -> None:
    heavy = "{'torch', 'numpy', 'celery'}"
    code = f"import worker.cleaning, sys; print(sorted({heavy} & set(sys.modules)))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
