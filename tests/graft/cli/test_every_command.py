"""Every command that asks the service, found by itself, against what openapi.json promises."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import typer
from contract_service import ContractService
from typer.testing import CliRunner

from graft.cli import app
from graft.cli.connecting import chosen
from graft.client import Client, Patience

runner = CliRunner()
# They work on this machine: on files, on the database, or they are the service.
LOCAL = {
    "serve",
    "worker",
    "demo",
    "phantom",
    "verify",
    "doctor",
    "version",
    "limits grant",
    "workspaces create",
    "workspaces list",
    "workspaces new-key",
}
# What they print is no answer of the service.
WITHOUT_JSON = {"jobs events", "audit export"}
ARGUMENTS: dict[str, list[str]] = {
    "me": [],
    "usage": ["--from", "2026-01-01", "--to", "2026-01-02"],
    "datasets upload": ["SOURCE", "--no-wait"],
    "datasets watch": ["ds_1"],
    "datasets list": ["--status", "ready", "--after", "2026-01-01", "--cursor", "c"],
    "datasets show": ["ds_1"],
    "datasets delete": ["ds_1", "--yes", "--with-jobs"],
    "jobs submit": ["--dataset", "ds_1", "--idempotency-key", "mine"],
    "jobs list": [
        "--status",
        "failed",
        "--dataset",
        "ds_1",
        "--kind",
        "all",
        "--before=2026-01-01",
    ],
    "jobs show": ["job_1"],
    "jobs steps": ["job_1"],
    "jobs log": ["job_1"],
    "jobs events": ["job_1", "--last-event-id", "7"],
    "jobs watch": ["job_1"],
    "jobs cancel": ["job_1"],
    "jobs retry": ["job_1"],
    "jobs delete": ["job_1", "--yes"],
    "jobs results": ["job_1"],
    "jobs download": ["job_1", "--kind", "none-such"],
    "artifacts list": ["job_1"],
    "artifacts show": ["art_1"],
    "artifacts download": ["art_1"],
    "models list": ["--job", "job_1", "--dataset", "ds_1", "--gan", "infogan"],
    "models show": ["art_1"],
    "models images": ["art_1", "--count", "2"],
    "keys create": ["portal", "--scope", "reader", "--limit", "unfinished_jobs=3"],
    "keys list": ["--limit", "5"],
    "keys show": ["key_1"],
    "keys rotate": ["key_1", "--overlap-hours", "1"],
    "keys revoke": ["key_1"],
    "webhooks create": ["https://p.example.org/", "--event", "job.failed"],
    "webhooks list": [],
    "webhooks show": ["wh_1"],
    "webhooks change": ["wh_1", "--disable"],
    "webhooks delete": ["wh_1", "--yes"],
    "webhooks rotate-secret": ["wh_1"],
    "webhooks test": ["wh_1"],
    "webhooks deliveries": ["wh_1", "--status", "failed"],
    "webhooks replay": ["wh_1", "dlv_1"],
    "audit list": ["--action", "job.*", "--from", "2026-01-01"],
    "audit export": ["TRAIL"],
    "audit verify": [],
    "limits show": [],
    "limits lower": ["unfinished_jobs=3", "upload_bytes_per_day=none"],
    "limits usage": [],
    "people list": [],
    "workers": [],
    "people show": ["usr_1"],
    "people sign-out": ["usr_1"],
    "uploads list": [],
    "uploads show": ["up_1"],
    "uploads delete": ["up_1"],
}
# openapi.json cannot promise what these wait for, fetch or check: their own tests do.
NOT_TO_THE_END = {
    "artifacts download": 1,
    "jobs download": 1,
    "jobs watch": 1,
    "models images": 1,
    "audit verify": 1,
    "webhooks test": 1,
}


def commands(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        called = f"{before} {name}".strip()
        if hasattr(command, "commands"):
            yield from commands(command, called)
        else:
            yield called, command


COMMANDS = dict(commands(typer.main.get_command(app)))
ASKING = sorted(set(COMMANDS) - LOCAL)


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> ContractService:
    made = ContractService()

    def answer(request: httpx.Request) -> httpx.Response:
        reply = made(request)
        # What is waited for is over.
        over = {"queued": "failed", "ingesting": "ready"}
        body = json.loads(reply.content) if reply.content[:2] == b'{"' else {}
        if body.get("status") in over:
            return httpx.Response(200, json=body | {"status": over[body["status"]]})
        return reply

    def connect() -> Client:
        assert chosen().url == "http://service.example"
        transport = httpx.MockTransport(answer)
        return Client("http://x", key="k", patience=Patience(retries=0), transport=transport)

    for name in {called.split()[0] for called in ASKING} - {"me", "usage"}:
        monkeypatch.setattr(f"graft.cli.{name}.connect", connect)
    return made


def invoke(called: str, tmp_path: Any, *more: str) -> Any:
    source = tmp_path / "set.zip"
    source.write_bytes(b"PK")
    places = {"SOURCE": str(source), "TRAIL": str(tmp_path / "trail.ndjson")}
    arguments = [places.get(argument, argument) for argument in ARGUMENTS[called]]
    where = ["--url", "http://service.example"]
    return runner.invoke(app, [*called.split(), *arguments, *where, *more])


def test_every_command_is_tried_here() -> None:
    assert set(ARGUMENTS) == set(ASKING)


@pytest.mark.parametrize("called", ASKING)
def test_a_command_says_which_service_and_can_speak_json(called: str) -> None:
    options = {option for parameter in COMMANDS[called].params for option in parameter.opts}
    assert {"--url", "--key-file", "--data-dir"} <= options
    assert ("--json" in options) == (called not in WITHOUT_JSON)
    assert COMMANDS[called].help


@pytest.mark.parametrize("called", ASKING)
def test_a_command_reads_whatever_the_service_can_answer(
    called: str, service: ContractService, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = invoke(called, tmp_path)
    assert result.exit_code == NOT_TO_THE_END.get(called, 0), result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert result.output
    assert service.asked


@pytest.mark.parametrize("called", sorted(set(ASKING) - WITHOUT_JSON))
def test_json_is_json_and_nothing_else(
    called: str, service: ContractService, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = invoke(called, tmp_path, "--json")
    if result.stdout:
        json.loads(result.stdout)
    else:  # then it is an error, which is JSON, too
        last = result.stderr.strip().splitlines()[-1]
        assert json.loads(last)["error"].keys() >= {"code", "detail", "hint"}
        assert called in NOT_TO_THE_END


@pytest.mark.parametrize(
    ("status", "code", "exit_code"),
    [
        (404, "not_found", 1),
        (422, "invalid", 1),
        (401, "key_unknown", 1),
        (429, "queue_full", 3),
        (503, "database_silent", 3),
    ],
)
def test_the_exit_code_says_whether_to_try_again(
    status: int, code: str, exit_code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: httpx.Request) -> httpx.Response:
        document = {"code": code, "detail": "No.", "hint": "Later.", "status": status}
        return httpx.Response(status, json=document, headers={"X-Request-ID": "abc"})

    def connect() -> Client:
        transport = httpx.MockTransport(refuse)
        return Client("http://x", key="k", patience=Patience(retries=0), transport=transport)

    monkeypatch.setattr("graft.cli.jobs.connect", connect)
    result = runner.invoke(app, ["jobs", "show", "job_1"])
    assert (result.exit_code, result.stderr.splitlines()[0]) == (exit_code, "error: No.")
    assert ("abc" in result.stderr) == (status == 503)
    result = runner.invoke(app, ["jobs", "show", "job_1", "--json"])
    assert result.exit_code == exit_code
    told = json.loads(result.stderr)["error"]
    assert (told["code"], told["status"], told["request_id"]) == (code, status, "abc")


def test_a_service_that_is_not_there_may_be_there_later(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect() -> Client:
        def refuse(_: httpx.Request) -> httpx.Response:
            raise httpx.ConnectError("refused")

        transport = httpx.MockTransport(refuse)
        return Client("http://x", key="k", patience=Patience(retries=0), transport=transport)

    monkeypatch.setattr("graft.cli.people.connect", connect)
    assert runner.invoke(app, ["me"]).exit_code == 3
