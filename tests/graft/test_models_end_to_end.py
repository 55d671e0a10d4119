"""More images of a model, as a portal asks for them, against the real service."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

# On an idle machine about half a minute; a machine that is shared may take several times as long.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

IMAGES_ONLY = {"benchmark": {"classifiers": []}}


def test_a_model_makes_more_images_after_its_study(
    serve: Any, tiny_set: Path, tiny_spec: dict[str, Any], tmp_path: Path
) -> None:
    served = serve()
    with served.client() as client:
        dataset = client.datasets.wait(client.datasets.upload(tiny_set, image_size=64), timeout=120)
        spec = tiny_spec | IMAGES_ONLY | {"dataset_id": dataset.id}
        study = client.jobs.wait(client.jobs.submit(spec), poll_seconds=0.2, timeout=240)
        assert study.status == "succeeded", study.error
        (listed,) = client.models.list(job_id=study.id).items
        model = client.models.get(listed.id)
        assert (model.categories, model.codes) == (10, 2)

        asked = {"seeds": [5, 4_000_000_000], "truncation": 0.8, "screen": {"near_copies": False}}
        job = client.models.make_images(model, asked)
        job = client.jobs.wait(job, poll_seconds=0.1, timeout=120)
        assert (job.status, job.kind) == ("succeeded", "images"), job.error
        paths = {p.name: p for p in client.artifacts.download_all(job, tmp_path / "out")}
    assert {"synthetic.zip", "samples.png", model.name} <= set(paths)
    with zipfile.ZipFile(paths["synthetic.zip"]) as archive:
        lines = [json.loads(line) for line in archive.read("metadata.jsonl").splitlines()]
    assert [(line["seed"], line["model"]) for line in lines] == [
        (5, model.sha256),
        (4_000_000_000, model.sha256),
    ]
    verified = subprocess.run(
        [
            *(sys.executable, "-m", "graft", "verify", str(paths["synthetic.zip"])),
            *("--models", str(tmp_path / "out"), "--sample", "2"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert "2 images made again, all equal" in verified.stdout
    _many_by_the_command_line(served, model.id, tmp_path)
    assert served.stop() == 0


def _many_by_the_command_line(served: Any, model_id: str, tmp_path: Path) -> None:
    out = tmp_path / "many.zip"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "graft", "models", "images", model_id),
            *("--count", "70", "--size", "48", "--out", str(out)),
            *("--data-dir", str(served.data_dir)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert zipfile.is_zipfile(out)


def test_pictures_do_not_wait_for_a_training(
    serve: Any, real: Any, tiny_set: Path, tiny_spec: dict[str, Any]
) -> None:
    served = serve()
    with served.client() as client:
        dataset = client.datasets.wait(client.datasets.upload(tiny_set, image_size=64), timeout=240)
        spec = tiny_spec | IMAGES_ONLY | {"dataset_id": dataset.id}
        study = client.jobs.submit(spec)
        real.wait_for(lambda: client.models.list(job_id=study.id).items, 400, "the model")
        (model,) = client.models.list(job_id=study.id).items
        client.jobs.cancel(study)

        gan = tiny_spec["gans"][0] | {"epochs": 100_000, "snapshots": 1, "keep": "last"}
        training = client.jobs.submit(spec | {"gans": [gan]})

        def is_training() -> bool:
            found = client.jobs.get(training.id).progress
            return found.stage == "train" and "epoch" in (found.detail or "")

        real.wait_for(is_training, 400, "the training")
        drawn = client.models.make_images(model, {"count": 4}, wait_seconds=10)
        drawn = client.jobs.wait(drawn, poll_seconds=0.2, timeout=240)
        assert drawn.status == "succeeded", drawn.error
        assert {"samples-png"} <= {a.kind for a in client.artifacts.list(drawn)}
        assert client.jobs.get(training.id).status == "running"
        house = client.workers.list()
        (holder,) = [one for one in house.items if one.step is not None]
        assert (holder.step.job_id, holder.step.kind) == (training.id, "train")
        assert sorted(one.queues for one in house.items) == [
            ["interactive"],
            ["interactive", "cpu"],
            ["interactive", "gpu", "cpu"],
        ]
        client.jobs.cancel(training)
        assert client.jobs.wait(training, timeout=120).status == "cancelled"
