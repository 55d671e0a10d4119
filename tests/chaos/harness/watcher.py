"""A portal that only polls, all through the storm, and notes what it is told."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter

import httpx
from harness.house import House
from harness.workload import Portals

_PAUSE = 0.5
_FINAL = frozenset({"succeeded", "failed", "cancelled"})


class Watcher:
    """Asks for a job that is at work, again and again, without the client's patience.

    Attributes:
        answers: How often each kind of answer came.
        worse: What a new try does not mend: anything but a refused or broken connection, a 5xx
            that is a problem document, or a proper answer.
        longest: Seconds of the longest time without a proper answer.
    """

    def __init__(self, house: House, portals: Portals) -> None:
        self._house = house
        self._portals = portals
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="watcher", daemon=True)
        self._final: dict[str, str] = {}
        self._chance = random.Random(0)
        self.answers: Counter[str] = Counter()
        self.worse: list[str] = []
        self.longest = 0.0

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._ending.set()
        self._thread.join(timeout=15)

    def _keep(self) -> None:
        well_at = time.monotonic()
        with httpx.Client(base_url=self._house.url, timeout=10.0, trust_env=False) as client:
            while not self._ending.wait(_PAUSE):
                jobs = sorted(self._portals.at_work.items())
                if not jobs:
                    well_at = time.monotonic()
                    continue
                job_id, workspace = self._chance.choice(jobs)
                if self._ask(client, job_id, workspace):
                    self.longest = max(self.longest, time.monotonic() - well_at)
                    well_at = time.monotonic()

    def _ask(self, client: httpx.Client, job_id: str, workspace: int) -> bool:
        headers = {"Authorization": f"Bearer {self._house.keys[workspace]}"}
        try:
            reply = client.get(f"/v1/jobs/{job_id}", headers=headers)
        except httpx.TransportError as error:
            self.answers[type(error).__name__] += 1
            return False
        self.answers[str(reply.status_code)] += 1
        if reply.status_code >= 500:
            if not reply.headers.get("content-type", "").startswith("application/problem+json"):
                self.worse.append(f"{reply.status_code} that is no problem document")
            return False
        if reply.status_code != 200:
            self.worse.append(f"{reply.status_code} for a job that there is")
            return False
        status = str(reply.json()["status"])
        before = self._final.get(job_id)
        if before is not None and status != before:
            self.worse.append(f"a job that was {before} became {status}")
        if status in _FINAL:
            self._final[job_id] = status
        return True
