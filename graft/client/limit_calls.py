"""Limits and usage: every call about them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from graft.client.access_models import (
    Limit,
    Used,
)
from graft.client.answers import (
    Page,
)
from graft.client.calls import Flows, params_of
from graft.client.flow import Flow, Send

Chosen = Mapping[str, int | None]


class LimitFlows(Flows):
    """The flows of limits."""

    def get(self) -> Flow[list[Limit]]:
        """Return every limit that holds for this key, and what is left of it."""
        return (yield from self._calls.read(Page[Limit], Send("GET", "/v1/limits"))).items

    def lower(self, chosen: Chosen) -> Flow[list[Limit]]:
        """Lower limits of the workspace; None takes that back. For administrators."""
        request = Send("PATCH", "/v1/limits", json={"limits": dict(chosen)})
        return (yield from self._calls.read(Page[Limit], request)).items

    def usage(self, first: date | None = None, last: date | None = None) -> Flow[list[Used]]:
        """Return what was used by day and kind, for administrators also by whom."""
        params = params_of(from_=first, to=last)
        return (yield from self._calls.read(Page[Used], Send("GET", "/v1/usage", params))).items
