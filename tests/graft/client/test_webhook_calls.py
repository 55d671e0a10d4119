"""What the clients ask about webhooks."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from gan_core.spec.errors import GraftError
from graft.client import ApiError, AsyncClient, Client
from graft.client.flow import Patience

WEBHOOK: dict[str, Any] = {"id": "wh_1", "url": "https://p.example.org/", "events": [], "newer": 1}
DELIVERY: dict[str, Any] = {
    "id": "dlv_1",
    "message_id": "msg_1",
    "type": "webhook.test",
    "status": "pending",
}
SINCE = datetime(2026, 1, 2, tzinfo=UTC)


class Service:
    """Answers for one webhook, and keeps what was asked."""

    def __init__(self) -> None:
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        path = request.url.path
        if request.method == "DELETE":
            return httpx.Response(204)
        if path.endswith("/wh_1/replay"):
            return httpx.Response(202, json={"replayed": 3})
        if "/deliveries" in path or path.endswith("/test"):
            is_list = path.endswith("/deliveries")
            return httpx.Response(200, json={"items": [DELIVERY]} if is_list else DELIVERY)
        if request.method == "GET" and path == "/v1/webhooks":
            return httpx.Response(200, json={"items": [WEBHOOK]})
        return httpx.Response(200, json=WEBHOOK | {"secret": "whsec_x"})

    def calls(self) -> list[tuple[str, str, Any]]:
        return [
            (
                r.method,
                str(r.url.copy_with(scheme="", host="")).removeprefix("//").removeprefix("/v1"),
                json.loads(r.content) if r.content else None,
            )
            for r in self.asked
        ]


EXPECTED: list[tuple[str, str, Any]] = [
    (
        "POST",
        "/webhooks",
        {"url": "https://p.example.org/", "events": ["job.failed"], "description": ""},
    ),
    ("GET", "/webhooks?limit=5", None),
    ("GET", "/webhooks/wh_1", None),
    ("PATCH", "/webhooks/wh_1", {"events": [], "disabled": False}),
    ("POST", "/webhooks/wh_1/rotate-secret", {"overlap_seconds": 2}),
    ("POST", "/webhooks/wh_1/test", None),
    ("GET", "/webhooks/wh_1/deliveries?status=failed", None),
    ("GET", "/webhooks/wh_1/deliveries/dlv_1", None),
    ("POST", "/webhooks/wh_1/deliveries/dlv_1/replay", None),
    ("POST", "/webhooks/wh_1/replay?since=2026-01-02T00%3A00%3A00%2B00%3A00", None),
    ("DELETE", "/webhooks/wh_1", None),
]


def test_the_client_asks_for_everything_that_the_service_has() -> None:
    service = Service()
    with Client("http://x", key="k", transport=httpx.MockTransport(service)) as client:
        hooks = client.webhooks
        made = hooks.create("https://p.example.org/", events=["job.failed"])
        assert made.secret == "whsec_x"
        assert hooks.list(limit=5).items[0].id == "wh_1"
        assert hooks.get(made).id == "wh_1"
        hooks.change(made, events=[], disabled=False)
        assert hooks.rotate_secret("wh_1", overlap_seconds=2).secret == "whsec_x"
        delivery = hooks.test(made)
        assert hooks.deliveries(made, status="failed").items == [delivery]
        assert hooks.delivery(made, "dlv_1") == hooks.replay(made, delivery)
        assert hooks.replay_failed(made, since=SINCE) == 3
        hooks.delete(made)
    assert service.calls() == EXPECTED


def test_the_async_client_asks_the_same() -> None:
    service = Service()

    async def ask() -> None:
        transport = httpx.MockTransport(service)
        async with AsyncClient("http://x", key="k", transport=transport) as client:
            hooks = client.webhooks
            made = await hooks.create("https://p.example.org/", events=["job.failed"])
            await hooks.list(limit=5)
            await hooks.get(made)
            await hooks.change(made, events=[], disabled=False)
            await hooks.rotate_secret("wh_1", overlap_seconds=2)
            delivery = await hooks.test(made)
            await hooks.deliveries(made, status="failed")
            await hooks.delivery(made, "dlv_1")
            await hooks.replay(made, delivery)
            assert await hooks.replay_failed(made, since=SINCE) == 3
            await hooks.delete(made)

    asyncio.run(ask())
    assert service.calls() == EXPECTED


@pytest.mark.parametrize("name", ["../../v1/keys", "wh_1/test", "", ".."])
def test_what_is_no_id_never_becomes_an_address(name: str) -> None:
    service = Service()
    with Client("http://x", key="k", transport=httpx.MockTransport(service)) as client:
        for call in (client.webhooks.get, client.webhooks.delete, client.webhooks.test):
            with pytest.raises(GraftError, match="is not an id"):
                call(name)
        with pytest.raises(GraftError, match="is not an id"):
            client.webhooks.replay("wh_1", name)
    assert service.asked == []


def test_a_webhook_whose_secret_was_lost_on_the_way_is_not_made_a_second_time() -> None:
    asked: list[httpx.Request] = []

    def lose(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        raise httpx.ReadError("lost", request=request)

    patience = Patience(retries=3)
    transport = httpx.MockTransport(lose)
    with Client("http://x", key="k", patience=patience, transport=transport) as client:
        with pytest.raises(ApiError):
            client.webhooks.create("https://p.example.org/")
        with pytest.raises(ApiError):
            client.webhooks.rotate_secret("wh_1")
    assert len(asked) == 2
