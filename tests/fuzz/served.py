"""The service on a free port of this machine, with a worker that pretends to have done its work."""

from __future__ import annotations

import hashlib
import json
import logging
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
import uvicorn
from prometheus_client import Histogram
from sqlalchemy import select

import migrations
from api.app import create_app
from api.serving import server_options
from gan_core.spec import DatasetFacts, Results
from store.bootstrap import ensure_admin
from store.database import Database
from store.doorbell import Doorbell
from store.objects import Objects
from store.records import ClaimedStep, Ingested, Output
from store.settings import Settings, prepare
from store.step_tables import Step
from store.steps import StepLedger

_FACTS = DatasetFacts(
    digest="d" * 64,
    image_size=224,
    classes={"benign": {"train": 40, "test": 5}, "malignant": {"train": 20, "test": 5}},
)
_RESULTS = Results(
    rare_class="malignant", classes=_FACTS.classes, rows=[], summaries=[], verdicts=[]
)
_CARD: dict[str, Any] = {
    "gan": "infogan",
    "settings": {"image_size": 64, "categories": 10, "codes": 2},
    "weights_kind": "ema",
    "real_count": 10,
    "step": 100,
    "data_digest": "d" * 64,
}


@dataclass
class Served:
    """A service that answers.

    Attributes:
        url: Where.
        key: An administrator's.
        document: Its OpenAPI document.
        temporary: The directory of its temporary files.
    """

    url: str
    key: str
    document: dict[str, Any]
    temporary: Path
    app: Any
    database: Database
    objects: Objects

    def answered(self) -> dict[str, int]:
        """Return how many requests were answered, by status."""
        histogram: Histogram = self.app.state.metrics.request_seconds
        counts: dict[str, int] = {}
        for metric in histogram.collect():
            for sample in metric.samples:
                if sample.name.endswith("_count"):
                    status = sample.labels["status"]
                    counts[status] = counts.get(status, 0) + int(sample.value)
        return counts


@contextmanager
def serve(home: Path) -> Iterator[Served]:
    """Serve below a directory, until the end."""
    logging.disable(logging.CRITICAL)
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL),
        cache_logger_on_first_use=False,
    )
    temporary = home / "tmp"
    temporary.mkdir()
    before, tempfile.tempdir = tempfile.tempdir, str(temporary)
    # They would stand in the way of thousands of requests a minute.
    no_limits: dict[str, Any] = {
        name: None for name in Settings.model_fields if name.startswith("limit_")
    }
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        silent = probe.getsockname()[1]
    settings = prepare(
        Settings(
            data_dir=home / "data",
            redis_url=f"redis://127.0.0.1:{silent}/0",
            max_upload_bytes=10_000_000,
            **no_limits,
        )
    )
    migrations.upgrade(settings.resolved_database_url())
    database, objects = Database.from_settings(settings), Objects.from_settings(settings)
    key = ensure_admin(database, settings)
    assert key is not None
    bell = _Bell(settings)
    app = create_app(settings, database=database, objects=objects, doorbell=bell)
    worker = _Pretender(database, objects)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(app, **server_options()))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        worker.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        try:
            yield Served(url, key, app.openapi(), temporary, app, database, objects)
        finally:
            worker.stop()
            server.should_exit = True
            thread.join()
            tempfile.tempdir = before
            logging.disable(logging.NOTSET)
            structlog.reset_defaults()


class _Bell(Doorbell):
    """Is heard by nobody; the pretender looks by itself."""

    def ring(self, queue: str, step_id: str) -> None:
        pass

    def is_answering(self) -> bool:
        return True


class _Pretender(threading.Thread):
    """Claims whatever waits, and says that it is done."""

    def __init__(self, database: Database, objects: Objects) -> None:
        super().__init__(daemon=True)
        self._database = database
        self._objects = objects
        self._ending = threading.Event()

    def run(self) -> None:
        while not self._ending.wait(0.2):
            with self._database.read() as session:
                waiting = session.scalars(
                    select(Step.id).where(Step.status == "queued").limit(50)
                ).all()
            for step_id in waiting:
                with self._database.write() as session:
                    claimed = StepLedger(session, self._objects).claim(
                        step_id, worker_id="w", lease_seconds=60, max_attempts=3
                    )
                if claimed is not None:
                    self._finish(claimed)

    def stop(self) -> None:
        self._ending.set()
        self.join()

    def _finish(self, claimed: ClaimedStep) -> None:
        ingested = Ingested(_FACTS) if claimed.kind == "ingest" else None
        outputs = [self._put(claimed, "inner.bin", "internal", b"inner")]
        if claimed.kind == "train":
            card = json.dumps(_CARD | {"training": claimed.params}).encode()
            name = claimed.name.replace(":", "-")
            outputs.append(self._put(claimed, f"{name}.safetensors", "model", b"weights"))
            outputs.append(self._put(claimed, f"{name}.json", "model-card", card))
        if claimed.kind == "report":
            results = _RESULTS.model_dump_json().encode()
            outputs.append(self._put(claimed, "results.json", "results-json", results))
            outputs.append(self._put(claimed, "report.html", "report-html", b"<p>" * 999))
        with self._database.write() as session:
            # Not done when the job was cancelled meanwhile: then that is what is said.
            ledger = StepLedger(session, self._objects)
            is_done = ledger.complete(claimed.id, claimed.token, outputs, ingested=ingested)
            if not is_done:
                ledger.cancelled(claimed.id, claimed.token)

    def _put(self, claimed: ClaimedStep, name: str, kind: str, content: bytes) -> Output:
        path = self._objects.local_path(f"{claimed.output_prefix}{name}")
        assert path is not None
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        media = "application/json" if name.endswith("json") else "application/octet-stream"
        return Output(name, kind, media, len(content), hashlib.sha256(content).hexdigest())
