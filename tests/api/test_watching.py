"""The alerts, the dashboard and the page about them speak of metrics that there are."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from api.readiness import Reason
from store.tables import WorkerSeen
from store.workers import WorkerRegister

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
PAGE = ROOT / "docs" / "watching.md"
RULES = yaml.safe_load((DEPLOY / "prometheus-alerts.yml").read_text("utf-8"))["groups"][0]["rules"]
PANELS = json.loads((DEPLOY / "grafana-dashboard.json").read_text("utf-8"))["panels"]
EXPRESSIONS = {rule["alert"]: rule["expr"] for rule in RULES} | {
    panel["title"]: target["expr"] for panel in PANELS for target in panel["targets"]
}


@pytest.fixture
def exposed(hospital: Any) -> tuple[dict[str, set[str]], set[str]]:
    """Samples with their labels, and the names of families, of a house with a paused worker."""
    hospital.finished_job()
    usage = ("resident_bytes", "gpu_memory_used_bytes", "gpu_memory_total_bytes", "free_bytes")
    with hospital.database.write() as session:
        WorkerRegister(session).seen(
            *("w1",),
            host="here",
            queues=["gpu"],
            version="1",
            step_id=None,
            paused="no_gpu: gone",
            usage=dict.fromkeys(usage, 1),
        )
        session.get_one(WorkerSeen, "w1")
    samples: dict[str, set[str]] = {"up": {"job"}}
    families = set()
    for family in text_string_to_metric_families(hospital.client.get("/metrics").text):
        if family.name.startswith("graft_"):
            families.add(family.name + ("_total" if family.type == "counter" else ""))
        for sample in family.samples:
            samples.setdefault(sample.name, set()).update(sample.labels)
    labelled_only_when_measured = {"graft_measured_units_per_second": {"device", "workload"}}
    return samples | labelled_only_when_measured, families


def test_every_expression_asks_for_metrics_and_labels_that_there_are(exposed: Any) -> None:
    samples, _families = exposed
    for title, expression in EXPRESSIONS.items():
        named = re.findall(r"\b(graft_[a-z_]+|up)(?:\{([^}]*(?:\{[^}]*\}[^}]*)*)\})?", expression)
        assert named, title
        there: set[str] = set()
        for name, selector in named:
            assert name in samples, f"{title}: {name}"
            there |= samples[name]
            for label in re.findall(r"([a-z_]+)=~?\"", selector):
                assert label in samples[name], f"{title}: {name} has no {label}"
        for labels in re.findall(r"by \(([a-z, ]+)\)", expression):
            assert set(labels.split(", ")) <= there, f"{title}: {labels}"
        assert expression.count("(") == expression.count(")"), title


def test_every_alert_says_what_is_wrong_and_has_its_recipe() -> None:
    page = PAGE.read_text("utf-8")
    for rule in RULES:
        assert rule["annotations"]["summary"].endswith("."), rule["alert"]
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert f"`{rule['alert']}`" in page, f"{rule['alert']} is not in {PAGE.name}"
    assert set(re.findall(r"`(Graft[A-Z]\w+)`", page)) == {rule["alert"] for rule in RULES}


def test_the_scrape_example_leads_to_the_metrics_and_the_rules() -> None:
    example = yaml.safe_load((DEPLOY / "prometheus.yml").read_text("utf-8"))
    assert example["scrape_configs"][0]["metrics_path"] == "/metrics"
    assert all((DEPLOY / name).is_file() for name in example["rule_files"])


def test_the_page_lists_every_metric_and_no_other(exposed: Any) -> None:
    _samples, families = exposed
    table = re.findall(r"^\| `(graft_[a-z_]+)", PAGE.read_text("utf-8"), re.MULTILINE)
    assert len(table) == len(set(table))
    assert set(table) == families


def test_the_page_lists_every_reason_of_readyz() -> None:
    source = (ROOT / "api" / "readiness.py").read_text("utf-8")
    codes = set(re.findall(r"\"([a-z]+_(?:silent|behind|low|old|skew|worker))\"", source))
    codes |= {"disk_full", "storage_unavailable", "no_gpu"}
    page = PAGE.read_text("utf-8")
    assert len(codes) >= 11
    assert [code for code in sorted(codes) if f"| `{code}`" not in page] == []
    assert Reason.model_fields
