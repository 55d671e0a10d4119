"""Webhooks: every call about them, for both clients."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from graft.client.calls import Calls, id_of
from graft.client.flow import Flow, Send
from graft.client.models import Page
from graft.client.webhook_models import Delivery, DeliveryStatus, NewWebhook, Replayed, Webhook

if TYPE_CHECKING:
    from graft.client.asynchronous import AsyncClient
    from graft.client.synchronous import Client

# Within a class that has a method `list`, the name means that method.
Types = list[str]


def _path(webhook: Webhook | str, *more: str) -> str:
    webhook_id = webhook if isinstance(webhook, str) else webhook.id
    return "/".join(["/v1/webhooks", id_of(webhook_id), *more])


def _params(**given: str | int | None) -> dict[str, str]:
    return {name: str(value) for name, value in given.items() if value is not None}


class _Flows:
    """The flows of one service."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def create(self, url: str, events: Types | None, description: str) -> Flow[NewWebhook]:
        body = {"url": url, "events": events or [], "description": description}
        # Sent twice it would make two, of which one's secret nobody knows.
        request = Send("POST", "/v1/webhooks", json=body, is_repeatable=False)
        return self._calls.read(NewWebhook, request)

    def list(self, limit: int | None, cursor: str | None) -> Flow[Page[Webhook]]:
        request = Send("GET", "/v1/webhooks", _params(limit=limit, cursor=cursor))
        return self._calls.read(Page[Webhook], request)

    def get(self, webhook: Webhook | str) -> Flow[Webhook]:
        return self._calls.read(Webhook, Send("GET", _path(webhook)))

    def change(self, webhook: Webhook | str, changes: dict[str, Any]) -> Flow[Webhook]:
        body = {name: value for name, value in changes.items() if value is not None}
        return self._calls.read(Webhook, Send("PATCH", _path(webhook), json=body))

    def delete(self, webhook: Webhook | str) -> Flow[None]:
        yield from self._calls.send(Send("DELETE", _path(webhook)))

    def rotate_secret(self, webhook: Webhook | str, overlap_seconds: int) -> Flow[NewWebhook]:
        body = {"overlap_seconds": overlap_seconds}
        path = _path(webhook, "rotate-secret")
        return self._calls.read(NewWebhook, Send("POST", path, json=body, is_repeatable=False))

    def test(self, webhook: Webhook | str) -> Flow[Delivery]:
        request = Send("POST", _path(webhook, "test"), is_repeatable=False)
        return self._calls.read(Delivery, request)

    def deliveries(
        self,
        webhook: Webhook | str,
        status: DeliveryStatus | None,
        limit: int | None,
        cursor: str | None,
    ) -> Flow[Page[Delivery]]:
        params = _params(status=status, limit=limit, cursor=cursor)
        request = Send("GET", _path(webhook, "deliveries"), params)
        return self._calls.read(Page[Delivery], request)

    def delivery(self, webhook: Webhook | str, delivery_id: str) -> Flow[Delivery]:
        request = Send("GET", _path(webhook, "deliveries", id_of(delivery_id)))
        return self._calls.read(Delivery, request)

    def replay(self, webhook: Webhook | str, delivery: Delivery | str) -> Flow[Delivery]:
        delivery_id = delivery if isinstance(delivery, str) else delivery.id
        path = _path(webhook, "deliveries", id_of(delivery_id), "replay")
        return self._calls.read(Delivery, Send("POST", path))

    def replay_failed(self, webhook: Webhook | str, since: datetime | None) -> Flow[int]:
        params = _params(since=None if since is None else since.isoformat())
        request = Send("POST", _path(webhook, "replay"), params)
        return (yield from self._calls.read(Replayed, request)).replayed


class Webhooks:
    """Webhooks; for keys with the scope ``admin``."""

    def __init__(self, client: Client) -> None:
        self._run = client.run
        self._flows = _Flows(client.calls)

    def create(self, url: str, *, events: Types | None = None, description: str = "") -> NewWebhook:
        """Make a webhook; its signing secret is shown this once.

        Args:
            url: Where to, ``https``.
            events: Types such as ``job.succeeded``; None: all.
            description: Whom or what it is for.
        """
        return self._run(self._flows.create(url, events, description))

    def list(self, *, limit: int | None = None, cursor: str | None = None) -> Page[Webhook]:
        """Return a page of webhooks, the newest first."""
        return self._run(self._flows.list(limit, cursor))

    def get(self, webhook: Webhook | str) -> Webhook:
        """Return a webhook as it stands."""
        return self._run(self._flows.get(webhook))

    def change(
        self,
        webhook: Webhook | str,
        *,
        url: str | None = None,
        events: Types | None = None,
        description: str | None = None,
        disabled: bool | None = None,
    ) -> Webhook:
        """Change what is given; an empty list of events means all."""
        changes = {"url": url, "events": events, "description": description, "disabled": disabled}
        return self._run(self._flows.change(webhook, changes))

    def delete(self, webhook: Webhook | str) -> None:
        """Delete a webhook, and what waits to be sent to it."""
        self._run(self._flows.delete(webhook))

    def rotate_secret(self, webhook: Webhook | str, *, overlap_seconds: int = 86400) -> NewWebhook:
        """Make a new signing secret, shown this once; both sign during the overlap."""
        return self._run(self._flows.rotate_secret(webhook, overlap_seconds))

    def test(self, webhook: Webhook | str) -> Delivery:
        """Have a test message be sent; ``delivery`` tells how it fares."""
        return self._run(self._flows.test(webhook))

    def deliveries(
        self,
        webhook: Webhook | str,
        *,
        status: DeliveryStatus | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[Delivery]:
        """Return a page of deliveries, the newest first."""
        return self._run(self._flows.deliveries(webhook, status, limit, cursor))

    def delivery(self, webhook: Webhook | str, delivery_id: str) -> Delivery:
        """Return a delivery as it stands."""
        return self._run(self._flows.delivery(webhook, delivery_id))

    def replay(self, webhook: Webhook | str, delivery: Delivery | str) -> Delivery:
        """Have a message be sent again, with the same ``webhook-id``."""
        return self._run(self._flows.replay(webhook, delivery))

    def replay_failed(self, webhook: Webhook | str, *, since: datetime | None = None) -> int:
        """Have everything be sent again that has failed; return how many messages."""
        return self._run(self._flows.replay_failed(webhook, since))


class AsyncWebhooks:
    """Webhooks; for keys with the scope ``admin``."""

    def __init__(self, client: AsyncClient) -> None:
        self._run = client.run
        self._flows = _Flows(client.calls)

    async def create(
        self, url: str, *, events: Types | None = None, description: str = ""
    ) -> NewWebhook:
        """Make a webhook; its signing secret is shown this once.

        Args:
            url: Where to, ``https``.
            events: Types such as ``job.succeeded``; None: all.
            description: Whom or what it is for.
        """
        return await self._run(self._flows.create(url, events, description))

    async def list(self, *, limit: int | None = None, cursor: str | None = None) -> Page[Webhook]:
        """Return a page of webhooks, the newest first."""
        return await self._run(self._flows.list(limit, cursor))

    async def get(self, webhook: Webhook | str) -> Webhook:
        """Return a webhook as it stands."""
        return await self._run(self._flows.get(webhook))

    async def change(
        self,
        webhook: Webhook | str,
        *,
        url: str | None = None,
        events: Types | None = None,
        description: str | None = None,
        disabled: bool | None = None,
    ) -> Webhook:
        """Change what is given; an empty list of events means all."""
        changes = {"url": url, "events": events, "description": description, "disabled": disabled}
        return await self._run(self._flows.change(webhook, changes))

    async def delete(self, webhook: Webhook | str) -> None:
        """Delete a webhook, and what waits to be sent to it."""
        await self._run(self._flows.delete(webhook))

    async def rotate_secret(
        self, webhook: Webhook | str, *, overlap_seconds: int = 86400
    ) -> NewWebhook:
        """Make a new signing secret, shown this once; both sign during the overlap."""
        return await self._run(self._flows.rotate_secret(webhook, overlap_seconds))

    async def test(self, webhook: Webhook | str) -> Delivery:
        """Have a test message be sent; ``delivery`` tells how it fares."""
        return await self._run(self._flows.test(webhook))

    async def deliveries(
        self,
        webhook: Webhook | str,
        *,
        status: DeliveryStatus | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[Delivery]:
        """Return a page of deliveries, the newest first."""
        return await self._run(self._flows.deliveries(webhook, status, limit, cursor))

    async def delivery(self, webhook: Webhook | str, delivery_id: str) -> Delivery:
        """Return a delivery as it stands."""
        return await self._run(self._flows.delivery(webhook, delivery_id))

    async def replay(self, webhook: Webhook | str, delivery: Delivery | str) -> Delivery:
        """Have a message be sent again, with the same ``webhook-id``."""
        return await self._run(self._flows.replay(webhook, delivery))

    async def replay_failed(self, webhook: Webhook | str, *, since: datetime | None = None) -> int:
        """Have everything be sent again that has failed; return how many messages."""
        return await self._run(self._flows.replay_failed(webhook, since))
