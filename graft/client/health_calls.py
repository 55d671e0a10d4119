"""Whether the service is there: the calls that need no key."""

from __future__ import annotations

import httpx

from graft.client.access_models import (
    Health,
)
from graft.client.calls import Flows
from graft.client.errors import from_reply, unreachable
from graft.client.flow import Flow, Reply, Send


class HealthFlows(Flows):
    """The flows of probes."""

    def is_alive(self) -> Flow[bool]:
        """Say whether the service's process answers. It is asked once, without patience."""
        try:
            reply: Reply = yield Send("GET", "/livez")
        except httpx.TransportError:
            return False
        return reply.status == 200

    def readiness(self) -> Flow[Health]:
        """Return whether the service can work, and if not why. It is asked once."""
        try:
            reply: Reply = yield Send("GET", "/readyz")
        except httpx.TransportError as error:
            raise unreachable(self._calls.base_url, str(error) or type(error).__name__) from error
        if reply.status not in {200, 503}:
            raise from_reply(reply.status, reply.body, reply.headers)
        return self._calls.parse(Health, reply)

    def metrics(self, *, token: str | None = None) -> Flow[str]:
        """Return the metrics in Prometheus' text format.

        Args:
            token: Where the operator set one for them; an API key does not serve.
        """
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        reply = yield from self._calls.send(Send("GET", "/metrics", headers=headers))
        return reply.body.decode()
