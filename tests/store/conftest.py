"""A migrated database of each kind, and a house with a workspace and a data set in it."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

import migrations
from gan_core.spec import (
    DatasetFacts,
    Plan,
    PlannedStep,
    StepInput,
    StudySpec,
    plan_study,
    resolve,
)
from store.columns import new_id
from store.database import Database
from store.fairness import next_steps
from store.objects import Objects
from store.records import ClaimedStep, Output, StepError
from store.repositories import JobRepository
from store.step_tables import Step
from store.steps import StepLedger
from store.tables import Base, Dataset, Job, Workspace

FACTS = DatasetFacts(
    digest="d" * 64,
    image_size=224,
    classes={"benign": {"train": 20, "test": 5}, "malignant": {"train": 10, "test": 5}},
)


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sqlite") / "graft.db"
    migrations.upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def database(
    request: pytest.FixtureRequest, migrated_sqlite: Path, tmp_path: Path
) -> Iterator[Database]:
    if request.param == "sqlite":
        path = tmp_path / "graft.db"
        shutil.copy(migrated_sqlite, path)
        made = Database(f"sqlite:///{path}")
    else:
        made = Database(request.getfixturevalue("postgres_url"))
        with made.write() as session:
            tables = ", ".join(Base.metadata.tables)
            session.execute(text(f"TRUNCATE {tables} RESTART IDENTITY CASCADE"))
    yield made
    made.dispose()


@pytest.fixture
def objects(tmp_path: Path) -> Objects:
    return Objects((tmp_path / "objects").as_uri())


@pytest.fixture
def bucket(s3_server: Any) -> Objects:
    """An empty part of an empty bucket."""
    return Objects(f"s3://{s3_server.new_bucket()}/below", s3=s3_server.options())


@pytest.fixture(params=["file", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Objects:
    if request.param == "file":
        return Objects((tmp_path / "objects").as_uri())
    made: Objects = request.getfixturevalue("bucket")
    return made


def chain(*names: str, **changes: Any) -> Plan:
    """Steps of which each needs the one before."""
    steps = []
    for index, name in enumerate(names):
        inputs = {"dataset": StepInput(source="dataset")}
        if index:
            inputs[names[index - 1]] = StepInput(source="step", step=names[index - 1])
        step = PlannedStep(
            name=name,
            kind="report" if name == names[-1] else "train",
            queue="cpu" if name == names[-1] else "gpu",
            params={"name": name},
            inputs=inputs,
            key=(name * 64)[:64],
            estimate_seconds=10.0,
        )
        steps.append(step.model_copy(update=changes))
    return Plan(steps=steps)


@dataclass
class House:
    """A workspace with a data set that is ready, and short ways to do what a worker does."""

    database: Database
    objects: Objects
    workspace_id: str
    dataset_id: str
    lease_seconds: float = 60.0
    max_attempts: int = 3

    @staticmethod
    def chain(*names: str, **changes: Any) -> Plan:
        return chain(*names, **changes)

    @staticmethod
    def study(**changes: Any) -> Plan:
        """A real plan: an InfoGAN at two real counts, on two subsets."""
        fields = {
            "real_counts": [4, 6],
            "gans": [{"name": "infogan", "image_size": 32, "ema_decay": 0.9}],
            "benchmark": {"classifiers": ["probe"], "subsets": [0, 1]},
            **changes,
        }
        spec = resolve(StudySpec.model_validate(fields), FACTS.train_counts())
        return plan_study(spec, FACTS)

    def submit(self, plan: Plan, workspace_id: str | None = None, *, priority: int = 0) -> str:
        with self.database.write() as session:
            job = Job(
                id=new_id("job"),
                kind="study",
                dataset_id=self.dataset_id,
                spec={},
                resolved={},
                priority=priority,
            )
            JobRepository(session, workspace_id or self.workspace_id).add(job, plan, self.objects)
            return job.id

    def job(self, job_id: str) -> Job:
        with self.database.read() as session:
            return session.get_one(Job, job_id)

    def steps(self, job_id: str) -> dict[str, Step]:
        with self.database.read() as session:
            found = session.scalars(
                select(Step).where(Step.job_id == job_id).order_by(Step.position)
            )
            return {step.name: step for step in found}

    def statuses(self, job_id: str) -> dict[str, str]:
        return {name: step.status for name, step in self.steps(job_id).items()}

    def claim(self, step_id: str, worker: str = "w1") -> ClaimedStep | None:
        with self.database.write() as session:
            return StepLedger(session, self.objects).claim(
                step_id,
                worker_id=worker,
                lease_seconds=self.lease_seconds,
                max_attempts=self.max_attempts,
            )

    def claim_named(self, job_id: str, name: str) -> ClaimedStep:
        claimed = self.claim(self.steps(job_id)[name].id)
        assert claimed is not None
        return claimed

    def upload(self, claimed: ClaimedStep, content: bytes = b"made") -> list[Output]:
        path = self.objects.local_path(f"{claimed.output_prefix}out.bin")
        assert path is not None
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return [Output("out.bin", "report-html", "text/html", len(content), "a" * 64)]

    def finish(self, claimed: ClaimedStep) -> bool:
        outputs = self.upload(claimed)
        with self.database.write() as session:
            return StepLedger(session, self.objects).complete(claimed.id, claimed.token, outputs)

    def next_in(self, queue: str) -> list[str]:
        with self.database.read() as session:
            return next_steps(session, queue)

    def fail(self, claimed: ClaimedStep, error: StepError | None = None) -> str | None:
        """Fail a step for good."""
        with self.database.write() as session:
            return StepLedger(session).fail(
                claimed.id,
                claimed.token,
                error or StepError("diverged", f"{claimed.name} diverged.", "Try less."),
                retryable=False,
                max_attempts=3,
            )

    def carry_out(self, job_id: str, *, failing: Collection[str] = ()) -> None:
        """Do what a worker does until nothing is left; some steps fail for good."""
        while True:
            with self.database.read() as session:
                queued = session.scalars(
                    select(Step.id)
                    .where(Step.job_id == job_id, Step.status == "queued")
                    .order_by(Step.position)
                ).all()
            if not queued:
                return
            for step_id in queued:
                claimed = self.claim(step_id)
                if claimed is None:
                    continue
                if claimed.name in failing:
                    self.fail(claimed)
                else:
                    self.finish(claimed)

    def finish_all(self, job_id: str) -> None:
        for name in self.steps(job_id):
            self.finish(self.claim_named(job_id, name))

    def let_lease_lapse(self, claimed: ClaimedStep) -> None:
        with self.database.write() as session:
            session.execute(
                text("UPDATE steps SET lease_expires_at = :then WHERE id = :id"),
                {"then": "2020-01-01 00:00:00.000000", "id": claimed.id},
            )


def make_workspace(database: Database, name: str) -> str:
    with database.write() as session:
        workspace = Workspace(id=new_id("ws"), name=name)
        session.add(workspace)
        return workspace.id


@pytest.fixture
def house(database: Database, objects: Objects) -> House:
    workspace_id = make_workspace(database, "ours")
    with database.write() as session:
        dataset = Dataset(
            id=new_id("ds"),
            workspace_id=workspace_id,
            name="lesions",
            status="ready",
            upload_key="none",
            upload_sha256="0" * 64,
            upload_bytes=1,
            image_size=224,
            facts=FACTS.model_dump(mode="json"),
            files=[
                {"name": "train.npy", "object_key": "k/train.npy", "size": 3, "sha256": "1" * 64}
            ],
        )
        session.add(dataset)
    return House(database, objects, workspace_id, dataset.id)


@pytest.fixture
def other_workspace(house: House) -> str:
    return make_workspace(house.database, "theirs")
