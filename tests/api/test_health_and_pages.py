"""Probes, metrics, the contract and the pages for people."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from api.app import create_app
from api.openapi import document
from store.settings import prepare


def test_it_is_alive_whatever_else_is_not(anonymous: Any) -> None:
    answer = anonymous.get("/livez")
    assert (answer.status_code, answer.json()["status"]) == (200, "alive")
    assert anonymous.head("/livez").status_code == 200
    assert anonymous.head("/readyz").status_code == 503


def test_it_is_not_ready_without_its_broker_and_says_so(anonymous: Any) -> None:
    answer = anonymous.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"] == {"database": True, "objects": True, "broker": False}
    assert "broker" in answer.json()["detail"]


def test_metrics_count_requests_by_route_and_jobs_by_state(hospital: Any) -> None:
    job = hospital.submit(hospital.ready_dataset())
    hospital.client.get(f"/v1/jobs/{job['id']}")
    text = hospital.client.get("/metrics").text
    assert 'graft_jobs{kind="study",status="queued"} 1.0' in text
    assert re.search(r'graft_request_seconds_count\{.*route="/v1/jobs/\{job_id\}".*\} 1\.0', text)
    assert "graft_outbox_unsent" in text
    assert job["id"] not in text


def test_the_front_page_speaks_to_programs_and_to_people(anonymous: Any) -> None:
    assert anonymous.get("/").json()["name"] == "Graft"
    page = anonymous.get("/", headers={"Accept": "text/html"})
    assert page.headers["content-type"].startswith("text/html")
    assert "/js/app.js" in page.text


def test_the_reference_shows_every_call_and_asks_no_one_else(anonymous: Any) -> None:
    page = anonymous.get("/docs")
    contract = anonymous.get("/openapi.json").json()
    for path in contract["paths"]:
        assert f"<code>{path}</code>" in page.text
    assert not re.search(r"(src|href)=.?https?:", page.text)
    assert "<script" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]


def test_the_committed_contract_is_the_one_that_is_served(anonymous: Any) -> None:
    committed = Path(__file__).parents[2] / "openapi.json"
    assert committed.read_text("utf-8") == document(), (
        "the contract has changed: python -m api.openapi > openapi.json"
    )
    assert anonymous.get("/openapi.json").json() == json.loads(document())


def test_every_error_in_the_contract_is_a_problem_document() -> None:
    contract = json.loads(document())
    for path, calls in contract["paths"].items():
        for method, call in calls.items():
            for status, answer in call["responses"].items():
                if status.startswith(("4", "5")):
                    assert set(answer["content"]) == {"application/problem+json"}, (method, path)
    assert "HTTPValidationError" not in contract["components"]["schemas"]


def test_the_api_imports_neither_torch_nor_numpy() -> None:
    code = (
        "import sys, api.app, api.openapi, api.jobs.watching\n"
        "print([m for m in ('torch', 'numpy', 'PIL', 'worker') if m in sys.modules])\n"
        "print(sorted(m for m in sys.modules if m.startswith('gan_core.')"
        " and not m.startswith('gan_core.spec')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split("\n")[:2] == ["[]", "[]"]


def test_the_app_can_be_made_from_settings_alone(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fastapi.testclient import TestClient

    with TestClient(create_app(prepare(settings))) as client:
        assert client.get("/livez").status_code == 200
        assert client.get("/v1/jobs").status_code == 401
