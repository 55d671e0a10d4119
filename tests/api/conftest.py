"""The app over a migrated SQLite, a directory of objects and a broker that does not answer."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import socket
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import text

import migrations
from api.app import create_app
from gan_core.spec import DatasetFacts, Results
from store.bootstrap import ensure_admin
from store.columns import new_id
from store.database import Database
from store.objects import Objects
from store.records import ClaimedStep, Ingested, Output, StepError
from store.repositories import JobRepository, KeyRepository
from store.settings import Settings, prepare
from store.steps import StepLedger
from store.tables import Base, Workspace

FACTS = DatasetFacts(
    digest="d" * 64,
    image_size=224,
    classes={"benign": {"train": 40, "test": 5}, "malignant": {"train": 20, "test": 5}},
)
CARD: dict[str, Any] = {
    "gan": "infogan",
    "settings": {"image_size": 64, "categories": 10, "codes": 2},
    "weights_kind": "ema",
    "real_count": 10,
    "step": 100,
    "data_digest": "d" * 64,
}
RESULTS = Results(rare_class="malignant", classes=FACTS.classes, rows=[], summaries=[], verdicts=[])


@pytest.fixture(autouse=True)
def plain_logs() -> Iterator[None]:
    """Without this, a traceback is drawn in colours, with all locals, for seconds."""
    structlog.configure(processors=[structlog.processors.KeyValueRenderer()])
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("api") / "graft.db"
    migrations.upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture
def settings(tmp_path: Path, migrated: Path) -> Settings:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        silent = probe.getsockname()[1]
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    shutil.copy(migrated, data_dir / "graft.db")
    # The same tests on PostgreSQL, where a server is given.
    given = os.environ.get("GRAFT_TEST_POSTGRES_URL")
    if given:
        migrations.upgrade(given)
        database = Database(given)
        with database.write() as session:
            tables = ", ".join(Base.metadata.tables)
            session.execute(text(f"TRUNCATE {tables} RESTART IDENTITY CASCADE"))
        database.dispose()
    return prepare(
        Settings(
            data_dir=data_dir,
            database_url=given,
            redis_url=f"redis://127.0.0.1:{silent}/0",
            max_upload_bytes=100_000,
        )
    )


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    made = Database.from_settings(settings)
    yield made
    made.dispose()


@pytest.fixture
def objects(settings: Settings) -> Objects:
    return Objects.from_settings(settings)


@pytest.fixture
def admin_key(settings: Settings, database: Database) -> str:
    key = ensure_admin(database, settings)
    assert key is not None
    return key


@pytest.fixture
def app(settings: Settings, database: Database, objects: Objects) -> FastAPI:
    return create_app(settings, database=database, objects=objects)


@pytest.fixture
def anonymous(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, raise_server_exceptions=False, follow_redirects=False) as client:
        yield client


@pytest.fixture
def client(anonymous: TestClient, admin_key: str) -> TestClient:
    anonymous.headers["Authorization"] = f"Bearer {admin_key}"
    return anonymous


@pytest.fixture
def stranger(app: FastAPI, database: Database, settings: Settings, admin_key: str) -> TestClient:
    """A client with an administrator's key of another workspace."""
    assert admin_key  # of ours, which is made only while there is no other
    assert settings.secret_key is not None
    with database.write() as session:
        workspace = Workspace(id=new_id("ws"), name="theirs")
        session.add(workspace)
        session.flush()
        _row, key = KeyRepository(session, workspace.id).add(
            "theirs", ["admin"], settings.secret_key.get_secret_value()
        )
    headers = {"Authorization": f"Bearer {key}"}
    return TestClient(app, raise_server_exceptions=False, headers=headers, follow_redirects=False)


def small_zip(note: str = "") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        # A fixed moment: the same note gives the same bytes.
        entry = zipfile.ZipInfo("benign/1.png", (2026, 1, 1, 0, 0, 0))
        archive.writestr(entry, f"not read by the API {note}")
    return buffer.getvalue()


@dataclass
class Hospital:
    """What a portal and a worker do, in few words."""

    client: TestClient
    database: Database
    objects: Objects

    small_zip = staticmethod(small_zip)

    def upload(self, note: str = "", **headers: str) -> dict[str, Any]:
        answer = self.client.post(
            "/v1/datasets",
            params={"name": "lesions"},
            content=small_zip(note),
            headers={"Content-Type": "application/zip", **headers},
        )
        assert answer.status_code == 202, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def claim_next(self, job_id: str) -> ClaimedStep | None:
        with self.database.write() as session:
            for step in self._steps(session, job_id):
                if step.status == "queued":
                    return StepLedger(session, self.objects).claim(
                        step.id, worker_id="w", lease_seconds=60, max_attempts=3
                    )
        return None

    @staticmethod
    def _steps(session: Any, job_id: str) -> Any:
        from store.tables import Job

        job = session.get_one(Job, job_id)
        return JobRepository(session, job.workspace_id).steps(job_id)

    def put(self, claimed: ClaimedStep, name: str, kind: str, content: bytes) -> Output:
        path = self.objects.local_path(f"{claimed.output_prefix}{name}")
        assert path is not None
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        sha256 = hashlib.sha256(content).hexdigest()
        media = "application/json" if name.endswith("json") else "application/octet-stream"
        return Output(name, kind, media, len(content), sha256)

    def finish(self, claimed: ClaimedStep) -> None:
        outputs = [self.put(claimed, "inner.bin", "internal", b"inner")]
        ingested = Ingested(FACTS) if claimed.kind == "ingest" else None
        if claimed.kind == "train":
            name = f"model-{claimed.name.removeprefix('train:').replace(':', '-')}"
            card = json.dumps(CARD | {"training": claimed.params}).encode()
            outputs.append(self.put(claimed, f"{name}.safetensors", "model", name.encode()))
            outputs.append(self.put(claimed, f"{name}.json", "model-card", card))
        if claimed.kind == "report":
            results = RESULTS.model_dump_json().encode()
            outputs.append(self.put(claimed, "results.json", "results-json", results))
            outputs.append(self.put(claimed, "report.html", "report-html", bytes(range(256)) * 40))
        with self.database.write() as session:
            assert StepLedger(session, self.objects).complete(
                claimed.id, claimed.token, outputs, ingested=ingested
            )

    def fail(self, claimed: ClaimedStep, error: StepError) -> None:
        with self.database.write() as session:
            StepLedger(session).fail(
                claimed.id, claimed.token, error, retryable=False, max_attempts=3
            )

    def run(self, job_id: str) -> None:
        while (claimed := self.claim_next(job_id)) is not None:
            self.finish(claimed)

    def ready_dataset(self, note: str = "") -> str:
        dataset = self.upload(note)
        self.run(dataset["links"]["ingest"].rsplit("/", 1)[-1])
        found: str = dataset["id"]
        return found

    def submit(self, dataset_id: str, **more: Any) -> dict[str, Any]:
        body = {"dataset_id": dataset_id, "real_counts": [10], **more}
        answer = self.client.post("/v1/jobs", json=body)
        assert answer.status_code == 202, answer.text
        job: dict[str, Any] = answer.json()
        return job

    def finished_job(self) -> str:
        job: str = self.submit(self.ready_dataset(), gans=[{"name": "infogan"}])["id"]
        self.run(job)
        return job

    def artifact(self, job_id: str, kind: str) -> dict[str, Any]:
        items = self.client.get(f"/v1/jobs/{job_id}/artifacts").json()["items"]
        found: dict[str, Any] = next(item for item in items if item["kind"] == kind)
        return found

    def model(self, job_id: str) -> dict[str, Any]:
        items = self.client.get("/v1/models", params={"job_id": job_id}).json()["items"]
        found: dict[str, Any] = items[0]
        return found


@pytest.fixture
def hospital(client: TestClient, database: Database, objects: Objects) -> Hospital:
    return Hospital(client, database, objects)
