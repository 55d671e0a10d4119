"""Copies on a worker do not outlive their objects for long."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import migrations
from gan_core.spec import Plan, PlannedStep, StepInput
from store.columns import new_id
from store.database import Database
from store.repositories import JobRepository
from store.tables import Dataset, Job, Workspace
from worker.copies import remove_copies


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    url = f"sqlite:///{tmp_path / 'graft.db'}"
    migrations.upgrade(url)
    made = Database(url)
    yield made
    made.dispose()


def copy(cache: Path, key: str, age_seconds: float = 7200.0) -> Path:
    path = cache / "objects" / hashlib.sha256(key.encode()).hexdigest()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    then = time.time() - age_seconds
    os.utime(path, (then, then))
    return path


def test_only_copies_of_objects_that_are_still_known_stay(
    database: Database, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    assert remove_copies(database, cache) == 0
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
                files=[{"name": "train.npy", "object_key": "k/train.npy"}],
            )
        )
        step = PlannedStep(
            name="train",
            kind="train",
            queue="gpu",
            params={},
            inputs={"dataset": StepInput(source="dataset")},
            key="1" * 64,
            estimate_seconds=1.0,
        )
        jobs = JobRepository(session, "ws_1")
        job = Job(id=new_id("job"), kind="study", dataset_id="ds_1", spec={}, resolved={})
        jobs.add(job, Plan(steps=[step]), None)
        (row,) = jobs.steps(job.id)
        row.status, row.output_prefix = "succeeded", "k/1/"
        row.outputs = [{"name": "model", "object_key": "k/1/model"}]
    kept = [copy(cache, key) for key in ("k/train.npy", "k/1/model")]
    kept.append(copy(cache, "k/just-fetched", age_seconds=60))
    deleted = copy(cache, "k/2/of-a-deleted-data-set")
    assert remove_copies(database, cache) == 1
    assert not deleted.exists()
    assert all(path.exists() for path in kept)
    with database.write() as session:
        session.get_one(type(row), row.id).output_prefix = None
    assert remove_copies(database, cache) == 1
    assert not kept[1].exists()
