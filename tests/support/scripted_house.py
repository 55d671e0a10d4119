"""A worker whose children are small scripts, with a real database and a real object store."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import migrations
from gan_core.spec import DatasetFacts, Plan, PlannedStep, StepInput
from store.columns import new_id
from store.database import Database
from store.objects import Objects
from store.repositories import JobRepository
from store.settings import Settings
from store.step_tables import Step
from store.tables import Dataset, Job, Workspace
from worker.running import StepRunner
from worker.shared import SharedState

FACTS = DatasetFacts(
    digest="d" * 64,
    image_size=64,
    classes={"benign": {"train": 20, "test": 5}, "malignant": {"train": 10, "test": 5}},
)

_PRELUDE = """
import hashlib, json, pathlib, signal, sys, time
here = pathlib.Path(sys.argv[1])
step = json.loads((here / "step.json").read_text())
checkpoint = here / "checkpoints" / "c"
(here / "outputs").mkdir(exist_ok=True); checkpoint.parent.mkdir(exist_ok=True)
def say(**event): print(json.dumps(event), flush=True)
def finish(**files):
    said = []
    for name, text in files.items():
        data = text.encode(); (here / "outputs" / name).write_bytes(data)
        said.append({"name": name, "kind": "report-html", "media_type": "text/html",
                     "size": len(data), "sha256": hashlib.sha256(data).hexdigest()})
    say(event="done", outputs=said)
"""
GOOD = "say(event='progress', fraction=.5, detail='half')\nfinish(report=json.dumps(step))"
CHECKPOINTS = """
if checkpoint.exists():
    finish(report="went on from " + checkpoint.read_text())
else:
    def stop(*_):
        checkpoint.write_text("epoch 7"); sys.exit(4)
    signal.signal(signal.SIGTERM, stop)
    say(event="progress", fraction=.1, detail="begun")
    while True: time.sleep(.05)
"""
DIES_ONCE = """
import os
if checkpoint.exists():
    finish(report="the second time")
else:
    checkpoint.write_text("x"); os.kill(os.getpid(), signal.SIGKILL)
"""


HANGS = "say(event='progress', fraction=.1, detail='begun')\ntime.sleep(600)"
CRAWLS = """
for _ in range(14):
    say(event="progress", fraction=.1, detail="the same")
    time.sleep(.5)
finish(report="after all")
"""
DEAF = """
signal.signal(signal.SIGTERM, signal.SIG_IGN)
say(event="progress", fraction=.1, detail="begun")
while True: time.sleep(.05)
"""


@dataclass
class Bell:
    rung: list[str] = field(default_factory=list)

    def ring(self, queue: str, step_id: str) -> None:  # noqa: ARG002
        self.rung.append(step_id)


class House:
    """A workspace, a data set, and a worker whose children are small scripts."""

    def __init__(self, settings: Settings, tmp_path: Path) -> None:
        self.settings = settings
        self.database = Database.from_settings(settings)
        self.objects = Objects.from_settings(settings)
        self.bell = Bell()
        self.shared = SharedState()
        self.tmp_path = tmp_path
        source = tmp_path / "train.npy"
        source.write_bytes(b"pixels")
        self.objects.put_file("k/train.npy", source)
        with self.database.write() as session:
            workspace = Workspace(id=new_id("ws"), name="ours")
            session.add(workspace)
            session.flush()
            self.workspace_id = workspace.id
            files = [{"name": "train.npy", "object_key": "k/train.npy", "size": 6, "sha256": "1"}]
            dataset = Dataset(
                id=new_id("ds"),
                workspace_id=workspace.id,
                name="lesions",
                status="ready",
                upload_key="k/train.npy",
                upload_sha256="0" * 64,
                upload_bytes=6,
                image_size=64,
                facts=FACTS.model_dump(mode="json"),
                files=files,
            )
            session.add(dataset)
            self.dataset_id = dataset.id

    def submit(self, plan: Plan, kind: str = "study") -> str:
        with self.database.write() as session:
            job = Job(id=new_id("job"), kind=kind, dataset_id=self.dataset_id, spec={}, resolved={})
            JobRepository(session, self.workspace_id).add(job, plan, self.objects)
            return job.id

    def submit_one(self, key: str = "1") -> str:
        step = PlannedStep(
            name="report",
            kind="report",
            queue="cpu",
            params={"depth": 3},
            inputs={"dataset": StepInput(source="dataset")},
            key=key * 64,
            estimate_seconds=1.0,
        )
        return self.submit(Plan(steps=[step]))

    def step(self, job_id: str) -> Step:
        with self.database.read() as session:
            return JobRepository(session, self.workspace_id).steps(job_id)[0]

    def job(self, job_id: str) -> Job:
        with self.database.read() as session:
            return session.get_one(Job, job_id)

    def run(self, job_id: str, code: str, **changes: Any) -> str:
        script = self.tmp_path / "child.py"
        script.write_text(_PRELUDE + code)
        runner = StepRunner(
            self.settings,
            self.database,
            self.objects,
            self.bell,
            self.shared,
            command=lambda folder: [sys.executable, str(script), str(folder)],
            **changes,
        )
        return runner.run(self.step(job_id).id)

    def output(self, job_id: str) -> str:
        (only,) = self.step(job_id).outputs
        path = self.objects.local_path(only["object_key"])
        assert path is not None
        return path.read_text()

    def work_left(self) -> list[str]:
        folder = self.settings.data_dir / "work"
        return [path.name for path in folder.iterdir()] if folder.exists() else []


@contextmanager
def scripted_house(tmp_path: Path) -> Iterator[House]:
    """Yield a house in an empty folder, whose worker gives up on a step at its second crash."""
    settings = Settings(
        data_dir=tmp_path / "data", lease_seconds=4, heartbeat_seconds=0.5, max_attempts=2
    )
    migrations.upgrade(settings.resolved_database_url())
    house = House(settings, tmp_path)
    yield house
    house.database.dispose()


def later(condition: Callable[[], bool], action: Callable[[], None]) -> threading.Thread:
    """Do something from another thread once something is so."""

    def wait() -> None:
        until = time.monotonic() + 20
        while not condition() and time.monotonic() < until:
            time.sleep(0.05)
        action()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread
