"""``graft datasets show``: what is said of images that occur twice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from scripted_service import Service, client_of
from typer.testing import CliRunner

from graft.cli import app
from graft.client import Client

runner = CliRunner()
DATASET: dict[str, Any] = {
    "id": "ds_1",
    "name": "lesions",
    "status": "ready",
    "classes": {"benign": {"train": 4, "test": 2}},
    "problems": [],
    "links": {"self": "/v1/datasets/ds_1", "preview": "/v1/datasets/ds_1/preview"},
}
PREVIEW: dict[str, Any] = {
    "sheets": [],
    "duplicates": {"exact": 0, "near": 30, "across_splits": 2, "across_classes": 0},
    "sentences": [
        {"code": "duplicates_near", "values": {"n": 30}, "text": "30 pairs are [nearly] equal."},
        {"code": "duplicates_not_listed", "values": {"n": 6}, "text": "6 are not shown."},
        {"code": "classes_not_shown", "values": {"n": 3}, "text": "3 classes are not shown."},
    ],
}


def _show(monkeypatch: pytest.MonkeyPatch, service: Service, *more: str) -> str:
    @contextmanager
    def connect() -> Iterator[Client]:
        with client_of(service) as client:
            yield client

    monkeypatch.setattr("graft.cli.datasets.connect", connect)
    done = runner.invoke(app, ["datasets", "show", "ds_1", *more])
    assert done.exit_code == 0, done.output
    return done.output


def test_a_data_set_is_shown_with_what_is_said_of_its_duplicates(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    service = Service(httpx.Response(200, json=DATASET), httpx.Response(200, json=PREVIEW))
    said = _show(monkeypatch, service)
    assert "benign: 4 train, 2 test" in said
    assert "30 pairs are [nearly] equal." in said
    # It shows no pictures.
    assert "not shown" not in said
    assert [request.url.path for request in service.requests] == [
        "/v1/datasets/ds_1",
        "/v1/datasets/ds_1/preview",
    ]


def test_of_a_data_set_without_a_preview_none_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    service = Service(httpx.Response(200, json=DATASET | {"links": {}}))
    assert "benign" in _show(monkeypatch, service)
    assert len(service.requests) == 1


def test_json_is_the_data_set_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service(httpx.Response(200, json=DATASET))
    assert '"ds_1"' in _show(monkeypatch, service, "--json")
    assert len(service.requests) == 1
