"""The main job, as a portal does it, against the real service."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

# On an idle machine about a minute; a machine that is shared may take several times as long.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def test_a_small_study_from_upload_to_checked_artifacts(
    serve: Any, tiny_set: Path, tiny_spec: dict[str, Any], tmp_path: Path
) -> None:
    served = serve()
    with served.client() as client:
        dataset = client.datasets.wait(client.datasets.upload(tiny_set, image_size=64), timeout=120)
        assert dataset.status == "ready", dataset.problems
        assert dataset.classes == {
            "benign": {"train": 60, "test": 12},
            "malignant": {"train": 40, "test": 12},
        }
        spec = tiny_spec | {"dataset_id": dataset.id}
        planned = client.jobs.plan(spec)
        assert not any(step.is_reused for step in planned.steps)
        fractions: list[float] = []
        job = client.jobs.wait(
            client.jobs.submit(spec),
            on_update=lambda j: fractions.append(j.progress.fraction),
            poll_seconds=0.2,
            timeout=240,
        )
        assert job.status == "succeeded", job.error
        assert fractions[-1] == 1.0

        results = client.jobs.results(job)
        assert results.rare_class == "malignant"
        arms = {row.arm for row in results.rows}
        assert arms == {"real-only", "class-weights", "gan:infogan"}
        assert {v.gan for v in results.verdicts} == {"infogan"}

        artifacts = {a.name: a for a in client.artifacts.list(job)}
        paths = {p.name: p for p in client.artifacts.download_all(job, tmp_path / "out")}
        for name, path in paths.items():
            assert hashlib.sha256(path.read_bytes()).hexdigest() == artifacts[name].sha256

        # Everything is finished, so a second submission costs nothing.
        assert all(step.is_reused for step in client.jobs.plan(spec).steps)
        started = time.monotonic()
        again = client.jobs.wait(client.jobs.submit(spec), poll_seconds=0.1, timeout=60)
        assert again.status == "succeeded"
        assert time.monotonic() - started < 10
        assert {a.sha256 for a in client.artifacts.list(again)} == {
            a.sha256 for a in artifacts.values()
        }

    _check_zip(paths["synthetic.zip"])
    assert b"<html" in paths["report.html"].read_bytes()[:500].lower()
    table = list(csv.DictReader(io.StringIO(paths["results.csv"].read_text())))
    assert {row["arm"] for row in table} == arms
    _check_commands(served, job.id, tmp_path)
    assert served.stop() == 0


def _check_zip(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        images = [n for n in names if n.startswith("malignant/") and n.endswith(".png")]
        # 20 − 12 to fill; those that resemble a training image too much are left out.
        assert 1 <= len(images) <= 8
        assert Image.open(io.BytesIO(archive.read(images[0]))).size == (64, 64)
        lines = archive.read("metadata.jsonl").decode().splitlines()
        assert len(lines) == len(images)
        assert json.loads(lines[0])["model"]
        for name in ("manifest.json", "dataset-card.md", "croissant.json"):
            assert name in names
        sums = dict(
            reversed(line.split("  ", 1))
            for line in archive.read("SHA256SUMS").decode().splitlines()
        )
        for name in images:
            assert hashlib.sha256(archive.read(name)).hexdigest() == sums[name]


def _check_commands(served: Any, job_id: str, tmp_path: Path) -> None:
    def graft(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "graft", *arguments, "--data-dir", str(served.data_dir)],
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    assert job_id in graft("jobs", "list")
    assert "succeeded" in graft("jobs", "watch", job_id)
    assert "gan:infogan" in graft("jobs", "results", job_id)
    graft("jobs", "download", job_id, "--out", str(tmp_path / "more"), "--kind", "results-csv")
    assert [p.name for p in (tmp_path / "more").iterdir()] == ["results.csv"]
    verified = subprocess.run(
        [
            *(sys.executable, "-m", "graft", "verify", str(tmp_path / "out" / "synthetic.zip")),
            *("--models", str(tmp_path / "out"), "--sample", "2"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert "images made again, all equal" in verified.stdout
