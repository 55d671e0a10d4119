"""Limits and usage: every call about them, for both clients."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING

from graft.client.calls import Calls
from graft.client.flow import Flow, Send
from graft.client.models import Limit, Page, Used

if TYPE_CHECKING:
    from graft.client.asynchronous import AsyncClient
    from graft.client.synchronous import Client

Chosen = Mapping[str, int | None]


def get_flow(calls: Calls) -> Flow[list[Limit]]:
    """``GET /v1/limits``."""
    return (yield from calls.read(Page[Limit], Send("GET", "/v1/limits"))).items


def lower_flow(calls: Calls, chosen: Chosen) -> Flow[list[Limit]]:
    """``PATCH /v1/limits``."""
    request = Send("PATCH", "/v1/limits", json={"limits": dict(chosen)})
    return (yield from calls.read(Page[Limit], request)).items


def usage_flow(calls: Calls, first: date | None, last: date | None) -> Flow[list[Used]]:
    """``GET /v1/usage``."""
    asked = {"from": first, "to": last}
    params = {name: day.isoformat() for name, day in asked.items() if day is not None}
    return (yield from calls.read(Page[Used], Send("GET", "/v1/usage", params))).items


class Limits:
    """How much may be used, and was."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def get(self) -> list[Limit]:
        """Return every limit that holds for this key, and what is left of it."""
        return self._client.run(get_flow(self._client.calls))

    def lower(self, chosen: Chosen) -> list[Limit]:
        """Lower limits of the workspace; None takes that back. For administrators."""
        return self._client.run(lower_flow(self._client.calls, chosen))

    def usage(self, first: date | None = None, last: date | None = None) -> list[Used]:
        """Return what was used by day and kind, for administrators also by whom."""
        return self._client.run(usage_flow(self._client.calls, first, last))


class AsyncLimits:
    """How much may be used, and was."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def get(self) -> list[Limit]:
        """Return every limit that holds for this key, and what is left of it."""
        return await self._client.run(get_flow(self._client.calls))

    async def lower(self, chosen: Chosen) -> list[Limit]:
        """Lower limits of the workspace; None takes that back. For administrators."""
        return await self._client.run(lower_flow(self._client.calls, chosen))

    async def usage(self, first: date | None = None, last: date | None = None) -> list[Used]:
        """Return what was used by day and kind, for administrators also by whom."""
        return await self._client.run(usage_flow(self._client.calls, first, last))
