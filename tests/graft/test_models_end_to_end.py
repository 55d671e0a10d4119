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
