"""``graft webhooks`` against a service that has one webhook."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from graft.cli import app
from graft.client import Client

runner = CliRunner()
WEBHOOK: dict[str, Any] = {
    "id": "wh_1",
    "url": "https://p.example.org/",
    "events": ["job.failed"],
    "disabled_because": "gone",
    "disabled_at": "2026-01-01T00:00:00Z",
}
DELIVERY: dict[str, Any] = {
    "id": "dlv_1",
    "message_id": "msg_1",
    "type": "webhook.test",
    "status": "pending",
    "attempts": 1,
}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[httpx.Request]:
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        path = request.url.path
        if request.method == "DELETE":
            return httpx.Response(204)
        if path.endswith("/wh_1/replay"):
            return httpx.Response(202, json={"replayed": 3})
        if path.endswith("/test"):
            return httpx.Response(202, json=DELIVERY)
        if "/deliveries" in path:
            told = DELIVERY | {"last_error": "tls_failed"}
            if path.startswith("/v1/webhooks/wh_2"):
                told = DELIVERY | {"status": "delivered", "last_status_code": 204}
            return httpx.Response(
                200, json={"items": [told]} if path.endswith("/deliveries") else told
            )
        if request.method == "GET":
            return httpx.Response(200, json={"items": [WEBHOOK]})
        return httpx.Response(200, json=WEBHOOK | {"secret": "whsec_x"})

    def connect(*_: object) -> Client:
        return Client("http://x", key="k", transport=httpx.MockTransport(answer))

    monkeypatch.setattr("graft.cli.webhooks.connect", connect)
    return requests


def run(*arguments: str, code: int = 0) -> Any:
    result = runner.invoke(app, ["webhooks", *arguments])
    assert result.exit_code == code, result.output
    return result


def test_a_secret_alone_is_on_the_standard_output(asked: list[httpx.Request]) -> None:
    made = run(
        "create", "https://p.example.org/", "--event", "job.failed", "--event", "job.running"
    )
    assert made.stdout == "whsec_x\n"
    assert "not shown again" in made.stderr
    assert json.loads(asked[0].content)["events"] == ["job.failed", "job.running"]
    assert run("rotate-secret", "wh_1", "--overlap-hours", "0").stdout == "whsec_x\n"
    assert json.loads(asked[1].content) == {"overlap_seconds": 0}


def test_webhooks_and_deliveries_are_listed(asked: list[httpx.Request]) -> None:
    said = run("list").output
    assert all(word in said for word in ("wh_1", "https://p.example.org/", "gone"))
    assert json.loads(run("list", "--json").stdout)["items"][0]["id"] == "wh_1"
    said = run("deliveries", "wh_1", "--status", "failed").output
    assert all(word in said for word in ("dlv_1", "webhook.test", "tls_failed", "msg_1"))
    assert asked[-1].url.params["status"] == "failed"


def test_a_test_says_how_it_ended(asked: list[httpx.Request]) -> None:
    assert "pending, tls_failed" in run("test", "wh_1", code=1).output
    assert "delivered, 204" in run("test", "wh_2").output


def test_changing_replaying_and_deleting(asked: list[httpx.Request]) -> None:
    assert run("change", "wh_1", "--disable").output == "wh_1: disabled\n"
    assert json.loads(asked[-1].content) == {"disabled": True}
    run("change", "wh_1", "--enable", "--description", "x")
    assert json.loads(asked[-1].content) == {"disabled": False, "description": "x"}
    assert run("replay", "wh_1", "--since", "2026-01-02").output == "3 to be sent again\n"
    assert asked[-1].url.params["since"] == "2026-01-02T00:00:00+00:00"
    assert run("replay", "wh_1", "dlv_1").output == "1 to be sent again\n"
    run("delete", "wh_1", code=1)
    assert asked[-1].method == "POST"
    assert run("delete", "wh_1", "--yes").output == "wh_1 is deleted\n"
    assert asked[-1].method == "DELETE"
