"""Workers: every call about them."""

from __future__ import annotations

from graft.client.access_models import House
from graft.client.calls import Flows
from graft.client.flow import Flow, Send


class WorkerFlows(Flows):
    """The flows of workers."""

    def list(self) -> Flow[House]:
        """Return the workers, the latest seen first, and how much waits in each queue."""
        return self._calls.read(House, Send("GET", "/v1/workers"))
