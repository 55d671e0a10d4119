"""``graft models`` against a service that has one model."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from graft.cli import app
from graft.client import Client

runner = CliRunner()
ZIP = b"a zip"
MODEL: dict[str, Any] = {
    "id": "art_1",
    "job_id": "job_1",
    "gan": "infogan",
    "image_size": 64,
    "rare_class": "malignant",
    "real_count": 50,
    "sha256": "a" * 64,
    "categories": 10,
    "codes": 2,
    "quality": {"kid": 0.12},
}
DONE = {"id": "job_9", "kind": "images", "status": "succeeded", "progress": {"fraction": 1.0}}
BROKEN = DONE | {"status": "failed", "error": {"code": "x", "detail": "It broke.", "hint": "Mend."}}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The bodies that were posted; a body with the seed 13 makes a job that fails."""
    bodies: list[dict[str, Any]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if request.method == "POST":
            bodies.append(json.loads(request.content))
            return httpx.Response(202, json=DONE | {"status": "queued"})
        if path == "/v1/models":
            return httpx.Response(200, json={"items": [MODEL]})
        if path == "/v1/models/art_1":
            return httpx.Response(200, json=MODEL)
        if path == "/v1/jobs/job_9":
            is_bad = bodies[-1].get("seeds") == [13]
            return httpx.Response(200, json=BROKEN if is_bad else DONE)
        if path.endswith("/artifacts"):
            item = {
                "id": "art_2",
                "kind": "synthetic-zip",
                "name": "synthetic.zip",
                "size": len(ZIP),
                "sha256": hashlib.sha256(ZIP).hexdigest(),
            }
            return httpx.Response(200, json={"items": [item]})
        return httpx.Response(200, content=ZIP)

    def connect() -> Client:
        return Client("http://127.0.0.1:1", key="k", transport=httpx.MockTransport(answer))

    monkeypatch.setattr("graft.cli.models.connect", connect)
    return bodies


def test_a_model_is_listed_and_shown_with_what_can_be_chosen(asked: Any) -> None:
    listed = runner.invoke(app, ["models", "list"])
    assert listed.exit_code == 0
    assert "art_1" in listed.stdout
    assert "malignant" in listed.stdout
    shown = runner.invoke(app, ["models", "show", "art_1"]).stdout
    assert "--category: 0 to 9" in shown
    assert "--code: 2 of them" in shown
    assert "kid: 0.12" in shown
    assert (
        json.loads(runner.invoke(app, ["models", "show", "art_1", "--json"]).stdout)["codes"] == 2
    )


@pytest.mark.parametrize(
    ("options", "body"),
    [
        ([], {}),
        (["--count", "4"], {"count": 4}),
        (["--count", "4", "--seed", "7"], {"count": 4, "first_seed": 7}),
        (["--seed", "7", "--seed", "9"], {"seeds": [7, 9]}),
        (["--seed", "7"], {"seeds": [7]}),
        (
            ["--between", "1", "2", "--steps", "5"],
            {"interpolate": {"from_seed": 1, "to_seed": 2, "steps": 5}},
        ),
        (
            ["--truncation", "0.5", "--category", "0", "--code", "-1", "--code", "0"],
            {"truncation": 0.5, "category": 0, "codes": [-1.0, 0.0]},
        ),
        (["--size", "224"], {"upscale": {"engine": "lanczos", "size": 224}}),
    ],
)
def test_options_become_what_is_asked_for(
    asked: Any, tmp_path: Path, options: list[str], body: dict[str, Any]
) -> None:
    out = tmp_path / "made.zip"
    result = runner.invoke(app, ["models", "images", "art_1", *options, "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert asked == [body]
    assert out.read_bytes() == ZIP
    assert result.stdout == f"{out}\n"


def test_what_cannot_go_together_is_left_to_the_service_to_refuse(
    asked: Any, tmp_path: Path
) -> None:
    out = ["--out", str(tmp_path / "z.zip")]
    runner.invoke(
        app, ["models", "images", "art_1", *out, "--count", "2", "--seed", "1", "--seed", "2"]
    )
    assert asked == [{"count": 2, "seeds": [1, 2]}]


def test_a_sheet_that_there_is_not_is_told(asked: Any, tmp_path: Path) -> None:
    paths = ["--out", str(tmp_path / "z.zip"), "--sheet", str(tmp_path / "s.png")]
    result = runner.invoke(app, ["models", "images", "art_1", *paths])
    assert result.exit_code == 0
    assert "there is no the sheet" not in result.stderr
    assert "no sheet" in result.stderr
    assert not (tmp_path / "s.png").exists()


def test_images_that_could_not_be_made_are_an_error(asked: Any, tmp_path: Path) -> None:
    out = tmp_path / "z.zip"
    result = runner.invoke(app, ["models", "images", "art_1", "--seed", "13", "--out", str(out)])
    assert result.exit_code == 1
    assert "It broke." in result.stderr
    assert not out.exists()


@pytest.mark.parametrize(
    ("options", "missing"),
    [(["--steps", "3"], "--between"), (["--engine", "realesrgan"], "--size")],
)
def test_an_option_without_the_one_it_belongs_to_is_refused(
    asked: Any, tmp_path: Path, options: list[str], missing: str
) -> None:
    out = str(tmp_path / "a.zip")
    result = runner.invoke(app, ["models", "images", "art_1", *options, "--out", out])
    assert result.exit_code == 2
    assert missing in result.output
    assert asked == []


def test_a_model_says_what_else_it_learnt_from(asked: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODEL, "card", {"learnt_from": {"benign": 140, "malignant": 50}})
    result = runner.invoke(app, ["models", "show", "art_1"])
    assert "50 real images of 'malignant' and 140 of 'benign'" in result.output
