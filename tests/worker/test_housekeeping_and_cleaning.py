"""What a round of housekeeping has cleaned up by a process of its own."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import migrations
from gan_core.spec import Plan, PlannedStep, StepInput
from store.columns import new_id
from store.database import Database
from store.objects import Objects
from store.removals import promise
from store.repositories import JobRepository
from store.settings import Settings
from store.step_tables import Step
from store.tables import Dataset, Job, Workspace
from store.workers import WorkerRegister
from worker.housekeeping import Housekeeper
from worker.shared import SharedState
from worker.step_dir import work_dir


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in [name for name in os.environ if name.startswith("GRAFT_")]:
        monkeypatch.delenv(name)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        silent = f"redis://127.0.0.1:{probe.getsockname()[1]}/0"
    made = Settings(data_dir=tmp_path / "data", checkpoint_days=2, redis_url=silent)
    migrations.upgrade(made.resolved_database_url())
    return made


@pytest.fixture
def housekeeper(settings: Settings) -> Iterator[Housekeeper]:
    made = Housekeeper(settings, SharedState(), ["cpu"])
    yield made
    made.stop()


def soon(condition: Callable[[], bool]) -> bool:
    until = time.monotonic() + 60
    while not condition() and time.monotonic() < until:
        time.sleep(0.1)
    return condition()


def test_a_round_shows_life_and_has_deleted_what_was_promised(
    settings: Settings, housekeeper: Housekeeper
) -> None:
    database = Database.from_settings(settings)
    with database.write() as session:
        workspace = Workspace(id=new_id("ws"), name="ours")
        session.add(workspace)
    housekeeper.run_once()
    with database.read() as session:
        assert [row.queues for row in WorkerRegister(session).all()] == [["cpu"]]
    prefix = f"workspaces/{workspace.id}/steps/step_1/"
    path = Objects.from_settings(settings).local_path(f"{prefix}1-a/out.bin")
    assert path is not None
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x")
    with database.write() as session:
        promise(session, workspace.id, [prefix])

    def is_gone_after_another_round() -> bool:
        housekeeper.run_once()  # the hourly cleaning may still be at work in the first ones
        return not path.exists()

    assert soon(is_gone_after_another_round)
    database.dispose()


def _waiting_steps(database: Database) -> list[str]:
    """Submit a job whose steps wait for a worker; return the steps' ids."""
    inputs = {"dataset": StepInput(source="dataset")}
    steps = [
        PlannedStep(
            name=name,
            kind="train",
            queue="gpu",
            params={},
            inputs=inputs,
            key=name * 64,
            estimate_seconds=1.0,
        )
        for name in ("a", "b", "c")
    ]
    with database.write() as session:
        session.add(Workspace(id="ws_1", name="ours"))
        session.flush()
        session.add(
            Dataset(
                id="ds_1",
                workspace_id="ws_1",
                name="lesions",
                status="ready",
                upload_key="none",
                upload_sha256="0" * 64,
                upload_bytes=1,
                image_size=64,
            )
        )
        job = Job(id=new_id("job"), kind="study", dataset_id="ds_1", spec={}, resolved={})
        jobs = JobRepository(session, "ws_1")
        jobs.add(job, Plan(steps=steps), None)
        return [step.id for step in jobs.steps(job.id)]


def test_folders_of_steps_go_when_they_are_over_deleted_or_forgotten(
    settings: Settings, housekeeper: Housekeeper
) -> None:
    database = Database.from_settings(settings)
    over, forgotten, waiting = _waiting_steps(database)
    with database.write() as session:
        session.get_one(Step, over).status = "cancelled"
    database.dispose()
    for name in (over, forgotten, waiting, "step_deleted"):
        (work_dir(settings) / name).mkdir(parents=True)
    for name, days in ((forgotten, 3), (waiting, 1)):
        then = time.time() - days * 86400
        os.utime(work_dir(settings) / name, (then, then))
    housekeeper.run_once()
    assert [folder.name for folder in work_dir(settings).iterdir()] == [waiting]
