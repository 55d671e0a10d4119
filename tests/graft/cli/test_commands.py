"""The command line: finding the service, errors in one line, tables."""

from __future__ import annotations

import fcntl
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from gan_core.spec.errors import GraftError
from gan_core.spec.results import ArmSummary, Interval, Results, Verdict
from graft.cli import app
from graft.cli.connecting import default_data_dir
from graft.cli.specs import read_spec
from graft.cli.tables import duration, show_results, size
from graft.cli.watching import describe
from graft.client import Client, Job
from graft.serving.data_dir import LOCK_FILE, Service, announce, locked, running_service
from store.settings import Settings

runner = CliRunner()


@pytest.fixture(autouse=True)
def _nothing_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GRAFT_URL", "GRAFT_API_KEY", "GRAFT_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)


def test_the_command_line_starts_without_heavy_libraries() -> None:
    heavy = "{'torch', 'numpy', 'httpx', 'pydantic', 'sqlalchemy', 'celery', 'rich.progress'}"
    code = f"import graft.cli, sys; print(sorted({heavy} & set(sys.modules)))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


def test_the_data_directory_is_the_one_that_the_service_uses() -> None:
    assert default_data_dir() == Settings().data_dir


def test_without_a_service_one_line_says_so_and_what_to_do(tmp_path: Path) -> None:
    result = runner.invoke(app, ["jobs", "list", "--data-dir", str(tmp_path)])
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "error: No service runs on this machine's data directory.",
        "hint: Start one with `graft serve`, or give an address with --url or GRAFT_URL.",
    ]


def test_an_address_without_a_key_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    (tmp_path / "admin.key").write_text("graft_local")
    result = runner.invoke(
        app, ["jobs", "list", "--url", "https://elsewhere.example", "--data-dir", str(tmp_path)]
    )
    assert result.exit_code == 1
    # The key of this machine's own service is not sent to another.
    assert "wants an API key" in result.stderr


def test_a_usage_error_has_exit_code_2() -> None:
    assert runner.invoke(app, ["jobs", "submit", "--profile", "slow"]).exit_code == 2
    assert runner.invoke(app, ["worker", "--queues", "quantum"]).exit_code == 2


def test_a_wrong_setting_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAFT_LEASE_SECONDS", "soon")
    result = runner.invoke(app, ["serve", "--data-dir", str(tmp_path)])
    assert result.exit_code == 1
    assert "GRAFT_LEASE_SECONDS" in result.stderr


def test_a_spec_is_read_from_yaml_and_json_and_flags_win(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("profile: seed\nreal_counts: [10, all]\n")
    (tmp_path / "a.json").write_text(json.dumps({"profile": "seed", "real_counts": [10, "all"]}))
    for name in ("a.yaml", "a.json"):
        spec = read_spec(tmp_path / name, "quick", "ds_1")
        assert spec == {"profile": "quick", "real_counts": [10, "all"], "dataset_id": "ds_1"}


@pytest.mark.parametrize("content", [None, "- a\n- b\n", "a: [", b"\xff\xfe\x00"])
def test_a_spec_that_is_none_is_told(tmp_path: Path, content: str | bytes | None) -> None:
    path = tmp_path / "spec.yaml"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(GraftError) as caught:
        read_spec(path, None, "ds_1")
    assert caught.value.code == "unreadable_spec"


def test_a_job_without_a_data_set_is_told() -> None:
    with pytest.raises(GraftError) as caught:
        read_spec(None, "quick", None)
    assert caught.value.code == "no_dataset"


def test_phantoms_are_drawn_and_named_as_such(tmp_path: Path) -> None:
    out = tmp_path / "phantoms"
    counts = ["--benign", "3", "--malignant", "2", "--test-benign", "1", "--test-malignant", "1"]
    result = runner.invoke(app, ["phantom", str(out), *counts, "--size", "64"])
    assert result.exit_code == 0, result.stderr
    drawn = [p for p in out.rglob("*") if p.parent.name in {"benign", "malignant"}]
    assert len(drawn) == 7
    assert "phantoms" in result.stdout


# --- deleting and retrying ------------------------------------------------------------------------


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the commands ask of a service that has one job and one data set."""
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(f"{request.method} {request.url.raw_path.decode()}")
        if request.method == "DELETE":
            return httpx.Response(204)
        if "datasets" in request.url.path:
            return httpx.Response(200, json={"id": "ds_1", "name": "skin", "status": "ready"})
        return httpx.Response(200, json={"id": "job_2", "name": "mine", "status": "queued"})

    def connect() -> Client:
        return Client("http://127.0.0.1:1", key="k", transport=httpx.MockTransport(answer))

    for command in ("jobs", "datasets"):
        monkeypatch.setattr(f"graft.cli.{command}.connect", connect)
    return seen


def test_deleting_asks_first_and_a_no_deletes_nothing(asked: list[str]) -> None:
    for command in (["jobs", "delete", "job_2"], ["datasets", "delete", "ds_1", "--with-jobs"]):
        for said in ("n\n", ""):
            result = runner.invoke(app, command, input=said)
            assert result.exit_code == 1
            assert "all" in result.output
    assert not [request for request in asked if request.startswith("DELETE")]
    assert runner.invoke(app, ["jobs", "delete", "job_2"], input="y\n").exit_code == 0
    assert asked[-1] == "DELETE /v1/jobs/job_2"


def test_deleting_can_be_done_without_being_asked(asked: list[str]) -> None:
    assert runner.invoke(app, ["jobs", "delete", "job_2", "--yes"]).exit_code == 0
    assert runner.invoke(app, ["datasets", "delete", "ds_1", "-y"]).exit_code == 0
    done = runner.invoke(app, ["datasets", "delete", "ds_1", "--with-jobs", "--yes"])
    assert done.stdout == "ds_1 is deleted\n"
    assert asked == [
        "DELETE /v1/jobs/job_2",
        "DELETE /v1/datasets/ds_1",
        "DELETE /v1/datasets/ds_1?with_jobs=true",
    ]


def test_a_retry_prints_the_new_job(asked: list[str]) -> None:
    result = runner.invoke(app, ["jobs", "retry", "job_1"])
    assert (result.exit_code, result.stdout) == (0, "job_2\n")
    assert asked == ["POST /v1/jobs/job_1/retry"]


# --- who serves a data directory ------------------------------------------------------------------


def test_a_file_that_a_killed_service_left_is_not_believed(tmp_path: Path) -> None:
    announce(tmp_path, Service(url="http://127.0.0.1:1", pid=1, version="0"))
    assert running_service(tmp_path) is None
    (tmp_path / LOCK_FILE).touch()
    assert running_service(tmp_path) is None


def test_a_held_directory_is_found_and_cannot_be_held_twice(tmp_path: Path) -> None:
    service = Service(url="http://127.0.0.1:1", pid=1, version="0")
    with _held_by_another(tmp_path):
        announce(tmp_path, service)
        assert running_service(tmp_path) == service
        with pytest.raises(GraftError, match="already runs") as caught, locked(tmp_path):
            pass
        assert "http://127.0.0.1:1" in caught.value.detail


@contextmanager
def _held_by_another(folder: Path) -> Iterator[None]:
    with (folder / LOCK_FILE).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


# --- for people -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.4, "59 s"), (60, "1 min"), (200, "3 min 20 s"), (7500, "2 h 5 min")],
)
def test_durations_are_for_people(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_sizes_are_for_people() -> None:
    assert [size(n) for n in (12, 3_400, 5_600_000)] == ["12 B", "3.4 kB", "5.6 MB"]


def test_a_job_is_described_in_one_line() -> None:
    job = Job.model_validate(
        {
            "id": "job_1",
            "status": "running",
            "progress": {
                "fraction": 0.42,
                "stage": "train",
                "detail": "infogan, 100 real, epoch 812/2000",
                "eta_seconds": 340,
            },
        }
    )
    assert describe(job) == (
        " 42.0%  running  train  infogan, 100 real, epoch 812/2000  about 5 min 40 s left"
    )


def test_the_results_table_shows_what_an_accuracy_would_hide(
    capsys: pytest.CaptureFixture[str],
) -> None:
    figures = {
        "accuracy": Interval(mean=0.55),
        "sensitivity": Interval(mean=0.1, sd=0.02),
        "roc_auc": Interval(mean=0.84),
    }
    summary = ArmSummary(
        arm="real-only",
        real_count=10,
        real_count_label="10",
        classifier="probe",
        n_runs=2,
        figures=figures,
    )
    verdict = Verdict(
        real_count=10,
        real_count_label="10",
        classifier="probe",
        gan="infogan",
        outcome="harms",
        sentence="It harms [sic].",
        n_runs=2,
    )
    show_results(
        Results(
            rare_class="malignant",
            classes={},
            rows=[],
            summaries=[summary, summary.model_copy(update={"arm": "gan:infogan"})],
            verdicts=[verdict],
        )
    )
    said = capsys.readouterr().out
    for word in ("real-only", "gan:infogan", "0.55", "0.10 ± 0.02", "–", "It harms [sic]."):
        assert word in said


def test_help_is_quick() -> None:
    started = time.process_time()
    assert runner.invoke(app, ["--help"]).exit_code == 0
    assert time.process_time() - started < 0.5
