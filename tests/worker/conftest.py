"""A database with jobs whose steps are at work somewhere, and buckets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

import migrations
from gan_core.spec import DatasetFacts, Plan, PlannedStep, StepInput
from store.columns import new_id, utc_now
from store.database import Database
from store.repositories import JobRepository
from store.settings import Settings
from store.step_tables import Step
from store.steps import StepLedger
from store.tables import Dataset, Job, Workspace


@dataclass
class Yard:
    """One workspace, and steps of it that workers hold."""

    settings: Settings
    database: Database
    workspace_id: str
    dataset_id: str

    def submit(self, key: str = "1") -> str:
        """Submit a job of one training; return the step's id."""
        step = PlannedStep(
            name="train",
            kind="train",
            queue="gpu",
            params={},
            inputs={"dataset": StepInput(source="dataset")},
            key=key * 64,
            estimate_seconds=1.0,
        )
        with self.database.write() as session:
            job = Job(
                id=new_id("job"), kind="study", dataset_id=self.dataset_id, spec={}, resolved={}
            )
            jobs = JobRepository(session, self.workspace_id)
            jobs.add(job, Plan(steps=[step]), None)
            return jobs.steps(job.id)[0].id

    def held(self, place: str, *, silent_for: float, key: str = "1") -> str:
        """Submit a job whose step somebody took, and has not renewed the lease of for a while."""
        step_id = self.submit(key)
        lease_seconds = self.settings.lease_seconds
        with self.database.write() as session:
            claimed = StepLedger(session).claim(
                step_id,
                worker_id="its worker",
                lease_seconds=lease_seconds,
                max_attempts=3,
                place=place,
            )
            assert claimed is not None
            ends = utc_now() + timedelta(seconds=lease_seconds - silent_for)
            session.execute(update(Step).where(Step.id == step_id).values(lease_expires_at=ends))
        return step_id

    def step(self, step_id: str) -> Step:
        with self.database.read() as session:
            return session.get_one(Step, step_id)


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    settings = Settings(data_dir=tmp_path / "data", lease_seconds=60)
    migrations.upgrade(settings.resolved_database_url())
    database = Database.from_settings(settings)
    facts = DatasetFacts(digest="d", image_size=64, classes={"a": {"train": 9}, "b": {"train": 5}})
    with database.write() as session:
        workspace = Workspace(id=new_id("ws"), name="ours")
        session.add(workspace)
        session.flush()
        dataset = Dataset(
            id=new_id("ds"),
            workspace_id=workspace.id,
            name="lesions",
            status="ready",
            upload_key="none",
            upload_sha256="0" * 64,
            upload_bytes=1,
            image_size=64,
            facts=facts.model_dump(mode="json"),
            files=[],
        )
        session.add(dataset)
    yield Yard(settings, database, workspace.id, dataset.id)
    database.dispose()


@pytest.fixture
def bucket(s3_server: Any) -> Callable[[Settings], Settings]:
    """Return the same settings with an empty bucket, the same for all calls of one test."""
    name = s3_server.new_bucket()

    def in_bucket(settings: Settings) -> Settings:
        given = settings.model_dump() | {
            "object_store_url": f"s3://{name}",
            "s3_endpoint": s3_server.endpoint,
            "s3_region": s3_server.region,
            "s3_access_key_id": s3_server.access_key,
            "s3_secret_access_key": s3_server.secret_key,
        }
        return Settings(**given)

    return in_bucket
