"""A whole job on a served instance: its lines are found by the request's id, and tell no name."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import httpx
import pytest

REQUEST_ID = "portal-4712"
FILE_NAME = "KIM-MINSEO-1961"
CLASSES = {"benign": "naevus_of_mr_lee", "malignant": "melanoma_of_mrs_park"}


@pytest.fixture
def planted_zip(tiny_set: Path, tmp_path: Path) -> Path:
    for path in tiny_set.rglob("*.png"):
        split, name = path.parts[-3:-1]
        target = tmp_path / "planted" / split / CLASSES[name]
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target / f"{FILE_NAME}-{path.name}")
    return Path(shutil.make_archive(str(tmp_path / "planted"), "zip", tmp_path / "planted"))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_job_is_followed_by_its_request_and_no_log_tells_a_name_or_a_key(
    serve: Any, planted_zip: Path, tiny_spec: dict[str, Any]
) -> None:
    served = serve(GRAFT_LOG_LEVEL="DEBUG")
    key = (served.data_dir / "admin.key").read_text().strip()
    with served.client() as client:
        dataset = client.datasets.wait(client.datasets.upload(planted_zip))
        answer = httpx.post(
            f"{served.url}/v1/jobs",
            json=tiny_spec | {"dataset_id": dataset.id},
            headers={"Authorization": f"Bearer {key}", "X-Request-ID": REQUEST_ID},
            trust_env=False,
        )
        assert answer.status_code == 202, answer.text
        job_id = answer.json()["id"]
        job = client.jobs.wait(client.jobs.get(job_id))
        assert job.status == "succeeded"
        steps = httpx.get(
            f"{served.url}/v1/jobs/{job_id}/steps",
            headers={"Authorization": f"Bearer {key}"},
            trust_env=False,
        ).json()["items"]
        told = client.jobs.log(job_id, limit=200).model_dump_json()
        scrape = httpx.get(f"{served.url}/metrics", trust_env=False).text
    served.stop()
    logs = {path.name: path.read_text("utf-8") for path in (served.data_dir / "logs").iterdir()}
    assert {"api.log", "worker-1.log", "short-work.log", "screen.log"} <= set(logs)
    for name, text in logs.items():
        for planted in (FILE_NAME, *CLASSES.values(), key, key.rsplit("_", 1)[-1]):
            assert planted not in text, (name, planted)
    assert all(planted not in told for planted in (FILE_NAME, *CLASSES.values(), key))
    assert "Done in " in told
    lines = [
        json.loads(line)
        for name in ("api.log", "worker-1.log", "short-work.log", "screen.log")
        for line in logs[name].splitlines()
        if line.startswith("{")
    ]
    ours = [line for line in lines if line.get("request_id") == REQUEST_ID]
    assert [line["route"] for line in ours if line["event"] == "request"] == ["/v1/jobs"]
    ended = [line for line in ours if line["event"] == "step_ended"]
    assert {line["job_id"] for line in ended} == {job_id}
    assert {line["step_name"] for line in ended} == {step["name"] for step in steps}
    assert all(name not in scrape for name in (*CLASSES.values(), FILE_NAME, job_id))
    assert 'graft_step_outcomes_total{kind="train",outcome="succeeded"} 1.0' in scrape
    assert "graft_worker_resident_memory_bytes" in scrape
