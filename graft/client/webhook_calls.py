"""Webhooks: every call about them."""

from __future__ import annotations

from datetime import datetime

from graft.client.answers import (
    Page,
)
from graft.client.calls import Flows, id_of, making, params_of
from graft.client.flow import Flow, Send
from graft.client.webhook_models import Delivery, DeliveryStatus, NewWebhook, Replayed, Webhook

# Within a class that has a method `list`, the name means that method.
Types = list[str]


def _path(webhook: Webhook | str, *more: str) -> str:
    return "/".join(["/v1/webhooks", id_of(webhook), *more])


class WebhookFlows(Flows):
    """The flows of webhooks."""

    def create(
        self,
        url: str,
        *,
        events: Types | None = None,
        description: str = "",
        idempotency_key: str | None = None,
    ) -> Flow[NewWebhook]:
        """Make a webhook; its signing secret is shown this once.

        Args:
            url: Where to, ``https``.
            events: Types such as ``job.succeeded``; None: all.
            description: Whom or what it is for.
            idempotency_key: As for ``jobs.submit``.
        """
        body = {"url": url, "events": events or [], "description": description}
        return self._calls.read(NewWebhook, making("/v1/webhooks", idempotency_key, json=body))

    def list(self, *, limit: int | None = None, cursor: str | None = None) -> Flow[Page[Webhook]]:
        """Return a page of webhooks, the newest first."""
        params = params_of(limit=limit, cursor=cursor)
        return self._calls.read(Page[Webhook], Send("GET", "/v1/webhooks", params))

    def get(self, webhook: Webhook | str) -> Flow[Webhook]:
        """Return a webhook as it stands."""
        return self._calls.read(Webhook, Send("GET", _path(webhook)))

    def change(
        self,
        webhook: Webhook | str,
        *,
        url: str | None = None,
        events: Types | None = None,
        description: str | None = None,
        disabled: bool | None = None,
    ) -> Flow[Webhook]:
        """Change what is given; an empty list of events means all."""
        asked = {"url": url, "events": events, "description": description, "disabled": disabled}
        body = {name: value for name, value in asked.items() if value is not None}
        return self._calls.read(Webhook, Send("PATCH", _path(webhook), json=body))

    def delete(self, webhook: Webhook | str) -> Flow[None]:
        """Delete a webhook, and what waits to be sent to it."""
        yield from self._calls.send(Send("DELETE", _path(webhook)))

    def rotate_secret(
        self,
        webhook: Webhook | str,
        *,
        overlap_seconds: int = 86400,
        idempotency_key: str | None = None,
    ) -> Flow[NewWebhook]:
        """Make a new signing secret, shown this once; both sign during the overlap."""
        body = {"overlap_seconds": overlap_seconds}
        request = making(_path(webhook, "rotate-secret"), idempotency_key, json=body)
        return self._calls.read(NewWebhook, request)

    def test(self, webhook: Webhook | str, *, idempotency_key: str | None = None) -> Flow[Delivery]:
        """Have a test message be sent; ``delivery`` tells how it fares."""
        return self._calls.read(Delivery, making(_path(webhook, "test"), idempotency_key))

    def deliveries(
        self,
        webhook: Webhook | str,
        *,
        status: DeliveryStatus | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Flow[Page[Delivery]]:
        """Return a page of deliveries, the newest first."""
        params = params_of(status=status, limit=limit, cursor=cursor)
        request = Send("GET", _path(webhook, "deliveries"), params)
        return self._calls.read(Page[Delivery], request)

    def delivery(self, webhook: Webhook | str, delivery: Delivery | str) -> Flow[Delivery]:
        """Return a delivery as it stands."""
        request = Send("GET", _path(webhook, "deliveries", id_of(delivery)))
        return self._calls.read(Delivery, request)

    def replay(
        self,
        webhook: Webhook | str,
        delivery: Delivery | str,
        *,
        idempotency_key: str | None = None,
    ) -> Flow[Delivery]:
        """Have a message be sent again, with the same ``webhook-id``."""
        path = _path(webhook, "deliveries", id_of(delivery), "replay")
        return self._calls.read(Delivery, making(path, idempotency_key))

    def replay_failed(
        self,
        webhook: Webhook | str,
        *,
        since: datetime | None = None,
        idempotency_key: str | None = None,
    ) -> Flow[int]:
        """Have everything be sent again that has failed; return how many messages."""
        params = params_of(since=since)
        request = making(_path(webhook, "replay"), idempotency_key, params=params)
        return (yield from self._calls.read(Replayed, request)).replayed
