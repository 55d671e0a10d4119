"""The client against openapi.json: no route, parameter or field is forgotten on either side."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from contract_service import CONTRACT, OPERATIONS, ContractService, answer_schema, example
from pydantic import BaseModel

from graft.client import AsyncClient, AuditFilter, Client
from graft.client.flow import Patience

THEN = datetime(2026, 1, 2, tzinfo=UTC)
PAGE: dict[str, Any] = {"limit": 5, "cursor": "c"}
SPAN: dict[str, Any] = {"created_after": THEN, "created_before": THEN}
KEY: dict[str, Any] = {"idempotency_key": "mine"}
EVERY_LINE = AuditFilter("oldest", "a", "b", "c", THEN, THEN)

# A call of the client for each operation, with every argument that it takes.
CALLS: dict[str, Callable[[Any, Path], Any]] = {
    "livez": lambda c, _: c.health.is_alive(),
    "readyz": lambda c, _: c.health.readiness(),
    "metrics": lambda c, _: c.health.metrics(token="t"),
    "get_me": lambda c, _: c.me(),
    "list_datasets": lambda c, _: c.datasets.list(status="ready", **SPAN, **PAGE),
    "upload_dataset": lambda c, f: c.datasets.upload(f, name="n", image_size=64, **KEY),
    "get_dataset": lambda c, _: c.datasets.get("x"),
    "get_dataset_preview": lambda c, _: c.datasets.preview("x"),
    "get_dataset_preview_sheet": lambda c, _: c.datasets.preview_sheet("x", 3),
    "delete_dataset": lambda c, _: c.datasets.delete("x", with_jobs=True),
    "create_upload": lambda c, f: c.datasets.upload(f, **KEY),
    "put_part": lambda c, f: c.datasets.upload(f),
    "list_uploads": lambda c, _: c.uploads.list(status="open", sha256="0" * 64, **PAGE),
    "get_upload": lambda c, _: c.uploads.get("x"),
    "delete_upload": lambda c, _: c.uploads.delete("x"),
    "submit_job": lambda c, _: c.jobs.submit({"dataset_id": "x"}, **KEY),
    "list_jobs": lambda c, _: c.jobs.list(
        status="failed", dataset_id="x", kind="images", **SPAN, **PAGE
    ),
    "get_job": lambda c, _: c.jobs.get("x"),
    "delete_job": lambda c, _: c.jobs.delete("x"),
    "cancel_job": lambda c, _: c.jobs.cancel("x"),
    "retry_job": lambda c, _: c.jobs.retry("x", **KEY),
    "list_steps": lambda c, _: c.jobs.steps("x"),
    "get_course": lambda c, _: c.jobs.course("x", "y"),
    "get_snapshot": lambda c, _: c.jobs.snapshot("x", "y", 3),
    "list_log": lambda c, _: c.jobs.log("x", order="desc", **PAGE),
    "get_results": lambda c, _: c.jobs.results("x"),
    "watch_job": lambda c, _: c.jobs.events("x", last_event_id="7"),
    "list_artifacts": lambda c, _: c.artifacts.list("x"),
    "get_artifact": lambda c, _: c.artifacts.get("x"),
    "get_content": lambda c, f: c.artifacts.download("x", f.with_name("out")),
    "list_models": lambda c, _: c.models.list(
        job_id="x", dataset_id="y", gan="infogan", **SPAN, **PAGE
    ),
    "get_model": lambda c, _: c.models.get("x"),
    "make_images": lambda c, _: c.models.make_images("x", {"count": 1}, wait_seconds=1, **KEY),
    "create_key": lambda c, _: c.keys.create(
        "n", scopes=["reader"], expires_at=THEN, limits={"unfinished_jobs": 1}, **KEY
    ),
    "list_keys": lambda c, _: c.keys.list(**PAGE),
    "get_key": lambda c, _: c.keys.get("x"),
    "rotate_key": lambda c, _: c.keys.rotate("x", overlap_seconds=1, **KEY),
    "revoke_key": lambda c, _: c.keys.revoke("x"),
    "list_people": lambda c, _: c.people.list(**PAGE),
    "get_person": lambda c, _: c.people.get("x"),
    "sign_person_out": lambda c, _: c.people.sign_out("x"),
    "list_webhooks": lambda c, _: c.webhooks.list(**PAGE),
    "create_webhook": lambda c, _: c.webhooks.create("u", events=["e"], description="d", **KEY),
    "get_webhook": lambda c, _: c.webhooks.get("x"),
    "change_webhook": lambda c, _: c.webhooks.change(
        "x", url="u", events=[], description="d", disabled=True
    ),
    "delete_webhook": lambda c, _: c.webhooks.delete("x"),
    "rotate_webhook_secret": lambda c, _: c.webhooks.rotate_secret("x", overlap_seconds=1, **KEY),
    "test_webhook": lambda c, _: c.webhooks.test("x", **KEY),
    "list_webhook_deliveries": lambda c, _: c.webhooks.deliveries("x", status="failed", **PAGE),
    "get_webhook_delivery": lambda c, _: c.webhooks.delivery("x", "y"),
    "replay_webhook_delivery": lambda c, _: c.webhooks.replay("x", "y", **KEY),
    "replay_failed_webhook_deliveries": lambda c, _: c.webhooks.replay_failed(
        "x", since=THEN, **KEY
    ),
    "list_audit_lines": lambda c, _: c.audit.list(EVERY_LINE, **PAGE),
    "export_audit": lambda c, _: c.audit.export(),
    "list_workers": lambda c, _: c.workers.list(),
    "get_limits": lambda c, _: c.limits.get(),
    "lower_limits": lambda c, _: c.limits.lower({"unfinished_jobs": 1}),
    "get_usage": lambda c, _: c.limits.usage(date(2026, 1, 1), date(2026, 1, 2)),
}
# Second calls of an operation, or several operations in one.
OTHERS = {
    ("datasets", "wait"),
    ("jobs", "wait"),
    ("jobs", "plan"),
    ("models", "plan_images"),
    ("artifacts", "download_all"),
    ("audit", "save"),
    ("audit", "verify"),
}
# A client that has an artifact knows its size and digest, so it has no use for the one; cookies in
# the place of keys are for browsers.
WITHOUT_A_CALL = {"head_get_content"} | {
    name for name, operation in OPERATIONS.items() if operation.get("tags") == ["session"]
}
# What a call sends by itself, when it is of use.
BY_ITSELF = {
    "If-None-Match": "waiting sends it; a single question has nothing to compare with",
    "If-Range": "a part's name holds the digest of its whole",
    "Range": "sent when a download goes on",
    "Content-Digest": "the same as Repr-Digest, which is sent",
    "dry_run": "jobs.plan and models.plan_images",
    "upload_id": "sent when a large archive is complete",
    "sha256": "said at the beginning of an upload in parts",
}


PATIENCE = Patience(retries=0)


def ask(operation_id: str, file: Path) -> tuple[ContractService, Any]:
    service = ContractService()
    transport = httpx.MockTransport(service)
    with Client("http://x", key="k", patience=PATIENCE, transport=transport) as client:
        try:
            found = CALLS[operation_id](client, file)
            if inspect.isgenerator(found):
                found = list(found)
        except Exception as error:
            if getattr(error, "code", "") != "enough":
                raise
            found = None
    return service, found


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: Any) -> Path:
    path = tmp_path / "set.zip"
    path.write_bytes(b"PK" * 150)
    operation_id = request.node.callspec.params.get("operation_id")
    if operation_id in {"create_upload", "put_part"}:
        monkeypatch.setattr("graft.client.parts.PART_BYTES", 100)
    return path


def test_every_route_has_a_call() -> None:
    assert set(CALLS) == set(OPERATIONS) - WITHOUT_A_CALL


@pytest.mark.parametrize("operation_id", sorted(CALLS))
def test_a_call_asks_the_route_that_it_is_for(operation_id: str, file: Path) -> None:
    service, _ = ask(operation_id, file)
    assert service.those(operation_id)


@pytest.mark.parametrize("operation_id", sorted(CALLS))
def test_every_parameter_of_a_route_can_be_given(operation_id: str, file: Path) -> None:
    service, _ = ask(operation_id, file)
    request = service.those(operation_id)[0]
    for parameter in OPERATIONS[operation_id].get("parameters", []):
        name = parameter["name"]
        if name in BY_ITSELF and not (name == "sha256" and operation_id == "list_uploads"):
            continue
        if parameter["in"] == "query":
            assert name in request.url.params
        if parameter["in"] == "header":
            assert name in request.headers


@pytest.mark.parametrize("operation_id", sorted(CALLS))
def test_every_field_of_a_body_can_be_given(operation_id: str, file: Path) -> None:
    content = OPERATIONS[operation_id].get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema")
    if schema is None or operation_id in {"submit_job", "make_images"}:
        return  # no body, or one that is passed on as it is
    for option in schema.get("anyOf", [schema]):
        if "$ref" not in option:
            continue
        known = CONTRACT["components"]["schemas"][option["$ref"].rsplit("/", 1)[-1]]["properties"]
        service, _ = ask(operation_id, file)
        assert json.loads(service.those(operation_id)[0].content).keys() == known.keys()


@pytest.mark.parametrize("operation_id", sorted(CALLS))
def test_every_field_of_an_answer_is_there_to_be_read(operation_id: str, file: Path) -> None:
    schema = answer_schema(OPERATIONS[operation_id])
    if schema is None or operation_id in {"put_part", "livez"}:
        return
    _, found = ask(operation_id, file)
    if operation_id in {"create_upload", "replay_failed_webhook_deliveries"}:
        return  # the one ends with a data set, the other is a number
    told = example(schema)
    if isinstance(found, list):
        found, told = found[0], told["items"][0]
    missing: list[str] = []
    compare(found, told, "", missing)
    assert missing == []


def compare(found: Any, told: Any, where: str, missing: list[str]) -> None:
    if isinstance(found, BaseModel):
        known = {field.alias or name: name for name, field in type(found).model_fields.items()}
        for name, value in told.items():
            if name not in known:
                missing.append(f"{where}.{name}")
            else:
                compare(getattr(found, known[name]), value, f"{where}.{name}", missing)
    elif isinstance(found, list) and found and isinstance(told, list):
        compare(found[0], told[0], f"{where}[]", missing)


def groups(client: Any) -> dict[str, Any]:
    return {n: g for n, g in vars(client).items() if n != "calls" and n[0] != "_"}


def test_both_clients_have_the_same_calls_with_the_same_arguments() -> None:
    def calls(client: Any) -> dict[tuple[str, str], list[str]]:
        found = {("", n): f for n, f in inspect.getmembers(type(client), inspect.isfunction)}
        for name, group in groups(client).items():
            found |= {(name, n): f for n, f in inspect.getmembers(type(group), inspect.isfunction)}
        return {
            k: list(inspect.signature(f).parameters) for k, f in found.items() if k[1][0] != "_"
        }

    both = calls(Client("http://x"))
    assert both == calls(AsyncClient("http://x"))
    assert ("jobs", "submit") in both
    assert both["jobs", "submit"] == ["self", "spec", "idempotency_key"]


def test_no_call_of_the_client_is_without_a_route_in_this_test() -> None:
    """A call that this list lacks would not be compared with the contract."""
    used = set(OTHERS)
    for call in CALLS.values():
        names = call.__code__.co_names
        if len(names) > 1:
            used.add((names[0], names[1]))
    client = Client("http://x")
    for name, group in groups(client).items():
        for call_name, _ in inspect.getmembers(type(group), inspect.isfunction):
            assert call_name[0] == "_" or (name, call_name) in used, f"{name}.{call_name}"


@pytest.mark.parametrize("operation_id", sorted(CALLS))
def test_the_async_client_asks_the_same_and_reads_the_same(operation_id: str, file: Path) -> None:
    expected, read = ask(operation_id, file)
    service = ContractService()

    async def ask_too() -> Any:
        transport = httpx.MockTransport(service.answer)
        async with AsyncClient("http://x", key="k", patience=PATIENCE, transport=transport) as c:
            try:
                found = CALLS[operation_id](c, file)
                if isinstance(found, AsyncIterator):
                    return [item async for item in found]
                return await found
            except Exception as error:
                if getattr(error, "code", "") != "enough":
                    raise
                return None

    assert asyncio.run(ask_too()) == read

    def said(request: httpx.Request) -> tuple[str, str, bytes]:
        return (request.method, str(request.url), request.content)

    assert [said(r) for r in service.asked] == [said(r) for r in expected.asked]


def test_what_a_call_returns_is_told_by_help() -> None:
    assert inspect.signature(Client.__init__).parameters["timeout"]
    jobs = Client("http://x").jobs
    assert inspect.signature(jobs.get).return_annotation == "Job"
    assert inspect.getdoc(jobs.get) == "Return a job as it stands."
