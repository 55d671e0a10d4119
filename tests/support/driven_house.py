"""A portal and a worker who do what they are told, for ``whole_house.py``."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from fastapi.testclient import TestClient

from gan_core.spec import DatasetFacts, Plan, PlannedStep, Results, StepInput
from store.columns import new_id
from store.database import Database
from store.doorbell import DoorbellSilent
from store.objects import Objects
from store.records import ClaimedStep, Ingested, Lease, Output
from store.repositories import JobRepository
from store.steps import StepLedger
from store.tables import Dataset, Job

_FACTS = DatasetFacts(
    digest="d" * 64,
    image_size=224,
    classes={"benign": {"train": 40, "test": 5}, "malignant": {"train": 20, "test": 5}},
)
_RESULTS = Results(
    rare_class="malignant", classes=_FACTS.classes, rows=[], summaries=[], verdicts=[]
)
_PROBLEM = {"code": "unreadable_image", "detail": "One image cannot be read.", "count": 1}
_TRAINED: dict[str, Any] = {
    "gan": "infogan",
    "image_size": 64,
    "rare_class": "malignant",
    "real_count": 10,
    "subset": 0,
}
SPEC: dict[str, Any] = {
    "profile": "quick",
    "real_counts": [10],
    "benchmark": {"classifiers": ["probe"], "seeds": [0]},
}


@dataclass
class Bell:
    """Rings for nobody; silent when told to."""

    is_silent: bool = False
    rung: list[str] = field(default_factory=list)

    def ring(self, queue: str, step_id: str) -> None:
        if self.is_silent:
            raise DoorbellSilent(f"cannot ring {queue}")
        self.rung.append(step_id)


@dataclass
class House:
    client: TestClient
    database: Database
    objects: Objects

    def ask(self, method: str, path: str, status: int, **more: Any) -> Any:
        answer = self.client.request(method, path, follow_redirects=False, **more)
        assert answer.status_code == status, (method, path, answer.status_code, answer.text)
        kind = answer.headers.get("content-type", "")
        is_json = bool(answer.content) and "json" in kind and "ndjson" not in kind
        return answer.json() if is_json else answer.text

    def upload(self, note: str, **headers: str) -> tuple[str, str]:
        """Upload a zip; return the data set's id and its job's."""
        body = io.BytesIO()
        with zipfile.ZipFile(body, "w") as archive:
            archive.writestr(zipfile.ZipInfo("benign/1.png", (2026, 1, 1, 0, 0, 0)), note)
        found = self.ask(
            *("POST", "/v1/datasets?name=lesions", 202),
            content=body.getvalue(),
            headers={"Content-Type": "application/zip", **headers},
        )
        return found["id"], found["links"]["ingest"].rsplit("/", 1)[-1]

    def upload_in_parts(self, note: str, *, finish: bool = True) -> tuple[str, str]:
        """Upload in two parts; return the upload's id and its data set's job's."""
        body = b"PK\x03\x04" + note.encode().ljust(100_000)
        asked = {
            "size": len(body),
            "part_size": 65_536,
            "sha256": hashlib.sha256(body).hexdigest(),
        }
        upload_id = self.ask("POST", "/v1/uploads", 201, json=asked)["id"]
        path = f"/v1/uploads/{upload_id}"
        # The first part comes twice, and once with other bytes.
        for number, content in ((1, body[:65_536]), (1, bytes(65_536)), (1, body[:65_536])):
            self.ask("PUT", f"{path}/parts/{number}", 200, content=content)
        self.ask("PUT", f"{path}/parts/1", 200, content=body[:65_536])
        self.ask("PUT", f"{path}/parts/2", 200, content=body[65_536:])
        self.ask("GET", path, 200)
        if not finish:
            return upload_id, ""
        for _ in range(2):
            found = self.ask("POST", f"/v1/datasets?upload_id={upload_id}", 202)
        return upload_id, found["links"]["ingest"].rsplit("/", 1)[-1]

    def finish_training(self, claimed: ClaimedStep) -> None:
        card = json.dumps({"settings": {"categories": 10, "codes": 2}}).encode()
        outputs = [
            self._put(claimed, "model-a.safetensors", "model", b"weights"),
            self._put(claimed, "model-a.json", "model-card", card),
        ]
        with self.ledger() as ledger:
            assert ledger.complete(claimed.id, claimed.token, outputs)

    def submit(self, dataset_id: str) -> Any:
        return self.ask("POST", "/v1/jobs", 202, json=SPEC | {"dataset_id": dataset_id})

    def submit_small(self, dataset_id: str, name: str, *trainings: str) -> str:
        """Submit a small job.

        Args:
            dataset_id: Of which data set.
            name: Jobs of the same name have the same steps.
            trainings: Names of steps of which the report needs at least one; none: one step
                "train", which the report cannot do without.
        """
        dataset = {"dataset": StepInput(source="dataset")}
        made = {
            step: StepInput(source="step", step=step, soft_group=1 if trainings else None)
            for step in trainings or ("train",)
        }
        steps = [
            PlannedStep(
                name=step,
                kind="report" if step == "report" else "train",
                queue="cpu",
                params={"name": name} | _TRAINED,
                inputs=made if step == "report" else dataset,
                key=hashlib.sha256(f"{step} {name}".encode()).hexdigest(),
                estimate_seconds=10.0,
            )
            for step in [*made, "report"]
        ]
        with self.database.write() as session:
            job = Job(id=new_id("job"), kind="study", dataset_id=dataset_id, spec={}, resolved={})
            workspace_id = session.get_one(Dataset, dataset_id).workspace_id
            JobRepository(session, workspace_id).add(job, Plan(steps=steps), self.objects)
            return job.id

    @contextmanager
    def ledger(self) -> Iterator[StepLedger]:
        with self.database.write() as session:
            yield StepLedger(session, self.objects)

    def steps(self, job_id: str, status: str) -> list[str]:
        """Return the ids of a job's steps in a state."""
        with self.database.read() as session:
            job = session.get_one(Job, job_id)
            found = JobRepository(session, job.workspace_id).steps(job_id)
            return [step.id for step in found if step.status == status]

    def claim(self, job_id: str, lease_seconds: float = 60.0) -> ClaimedStep:
        """Claim the job's next step; with a lease below 0, as a worker that went silent."""
        queued = self.steps(job_id, "queued")
        with self.ledger() as ledger:
            claimed = ledger.claim(
                queued[0],
                worker_id="worker@here",
                lease_seconds=lease_seconds,
                max_attempts=2,
            )
        assert claimed is not None
        return claimed

    def finish(self, claimed: ClaimedStep) -> None:
        outputs = [self._put(claimed, "inner.bin", "internal", b"inner")]
        ingested = Ingested(_FACTS, [_PROBLEM]) if claimed.kind == "ingest" else None
        if claimed.kind == "report":
            content = _RESULTS.model_dump_json().encode()
            outputs.append(self._put(claimed, "results.json", "results-json", content))
        with self.ledger() as ledger:
            lease = ledger.heartbeat(
                claimed.id, claimed.token, lease_seconds=60, fraction=0.5, detail="epoch 5 of 10"
            )
            assert lease == Lease(held=True, stop=False)
        with self.ledger() as ledger:
            assert ledger.complete(claimed.id, claimed.token, outputs, ingested=ingested)
        with self.ledger() as ledger:
            assert ledger.is_published(claimed.id, claimed.output_prefix)

    def run(self, job_id: str) -> None:
        while self.steps(job_id, "queued"):
            self.finish(self.claim(job_id))

    def status(self, job_id: str) -> str:
        status: str = self.ask("GET", f"/v1/jobs/{job_id}", 200)["status"]
        return status

    def _put(self, claimed: ClaimedStep, name: str, kind: str, content: bytes) -> Output:
        with NamedTemporaryFile() as file:
            Path(file.name).write_bytes(content)
            self.objects.put_file(f"{claimed.output_prefix}{name}", Path(file.name))
        sha256 = hashlib.sha256(content).hexdigest()
        return Output(name, kind, "application/json", len(content), sha256)
