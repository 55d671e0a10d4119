"""A training that is looked at while it runs, is killed, and goes on: against the real service."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gan_core.packaging.labels import read_png
from graft.client import Client, Course, NotFoundError

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

STEP = "train:infogan:20:s0"
EPOCHS = 60


def _course(client: Client, job_id: str) -> Course | None:
    try:
        return client.jobs.course(job_id, STEP)
    except NotFoundError:
        return None


def _children_in(folder: Path) -> list[int]:
    """Processes that work below a folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            here = (entry / "cwd").readlink()
        except OSError:
            continue
        if here.is_relative_to(folder):
            found.append(int(entry.name))
    return found


def test_a_training_shows_how_it_goes_also_after_it_was_killed(
    serve: Any, real: Any, tiny_set: Path, tiny_spec: dict[str, Any]
) -> None:
    served = serve(GRAFT_CHECKPOINT_SECONDS="1")
    gan = {"name": "infogan", "image_size": 64, "epochs": EPOCHS, "batch_size": 4, "snapshots": 4}
    spec = tiny_spec | {"real_counts": [20], "balance_to": 24, "gans": [gan]}
    with served.client() as client:
        dataset = client.datasets.wait(client.datasets.upload(tiny_set, image_size=64), timeout=120)
        job = client.jobs.submit(spec | {"dataset_id": dataset.id})
        assert STEP in [step.name for step in client.jobs.steps(job)]

        seen: list[Course] = []

        def has_grown() -> bool:
            # Before its first epoch a training may have nothing but its beginning to show.
            if (found := _course(client, job.id)) is not None and found.points:
                seen.append(found)
            return bool(seen) and len(seen[-1].points) > len(seen[0].points)

        real.wait_for(has_grown, 300, "a course that grows")
        assert not seen[-1].is_final
        before = len(seen[-1].points)
        (step,) = [s for s in client.jobs.steps(job) if s.name == STEP]
        assert step.status == "running"
        assert step.detail is not None
        children = _children_in(served.data_dir / "work")
        assert children
        for pid in children:
            os.kill(pid, signal.SIGKILL)

        def is_again() -> bool:
            steps = {s.name: s for s in client.jobs.steps(job)}
            found = _course(client, job.id)
            # What the first attempt had shown is there until the second one shows its own.
            assert found is not None
            return steps[STEP].attempt == 2 and len(found.points) >= before

        real.wait_for(is_again, 300, "the course of the second attempt")
        job = client.jobs.wait(job, timeout=500)
        assert job.status == "succeeded", job.error

        course = client.jobs.course(job, STEP)
        assert course.is_final
        assert [point["epoch"] for point in course.points] == list(range(1, len(course.points) + 1))
        assert course.points[: len(seen[-1].points)] == seen[-1].points
        for snapshot in course.snapshots:
            pixels, label = read_png(client.jobs.snapshot(job, STEP, snapshot.number))
            assert label.is_synthetic
            assert pixels.shape[1] == snapshot.columns * (snapshot.size + snapshot.gap) - 2
        assert course.snapshots

        lines = client.jobs.log(job, limit=200).items
        told = [line.text for line in lines if line.step == STEP]
        assert told[0].startswith("Started, after ")
        assert told[1].startswith("The training runs on ")
        assert any(text.startswith("Failed (") and "tried again" in text for text in told)
        assert any(text.startswith("Started, attempt 2") for text in told)
        assert told[-1].startswith("Done in ")
        ids = [line.id for line in lines]
        assert ids == sorted(set(ids))
        assert str(served.data_dir) not in " ".join(told)
        # What it showed while it ran is not kept twice.
        assert not list((served.data_dir / "objects").rglob("live/*/*/*"))

        again = client.jobs.wait(client.jobs.submit(job.requested or spec), timeout=60)
        reused = client.jobs.course(again, STEP)
        assert reused.points == course.points
        said = subprocess.run(
            [sys.executable, "-m", "graft", "jobs", "log", again.id, "--follow"],
            capture_output=True,
            text=True,
            env=real.environment() | {"GRAFT_DATA_DIR": str(served.data_dir)},
            timeout=120,
            check=True,
        ).stdout
        assert "Reused: a step that was finished before had made the same." in said
        assert STEP in said
    assert served.stop() == 0
