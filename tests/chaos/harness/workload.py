"""The work: a tiny data set, small jobs that differ, and portals that see them through."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from harness.house import House
from PIL import Image

from graft.client import Client
from graft.client.errors import ApiError
from graft.client.models import Job

# What a full disk does to a job, by contract: it ends, and says that it is worth another try.
MENDABLE = frozenset({"disk_full", "zip_not_written", "storage_unavailable", "storage_full"})
_PAUSE = 1.0
_JOB_SECONDS = 1500.0


def make_images(folder: Path) -> Path:
    """Draw 60 + 40 training and 12 + 12 test images, 64 pixels wide, easy to tell apart."""
    generator = np.random.default_rng(0)
    for split, counts in {"train": (60, 40), "test": (12, 12)}.items():
        for name, count, base in zip(("benign", "malignant"), counts, (40, 150), strict=True):
            place = folder / split / name
            place.mkdir(parents=True)
            for number in range(count):
                pixels = base + generator.integers(-30, 30, (64, 64, 3))
                Image.fromarray(pixels.astype(np.uint8)).save(place / f"{number}.png")
    return folder


def make_spec(number: int, epochs: int = 30) -> dict[str, Any]:
    """Return one of as many different small studies as are wanted."""
    classifiers = [[], ["seed-cnn"], ["probe"]][number % 3]
    upscalers = [{"engine": "lanczos", "size": 64}, {"engine": "realesr-compact-x2", "size": 64}]
    gan = {"name": "infogan", "image_size": 32, "batch_size": 6, "snapshots": 2}
    return {
        "name": f"study {number}",
        "profile": "quick",
        "real_counts": [12 + 6 * (number % 2)],
        "gans": [gan | {"epochs": epochs + 10 * (number // 2)}],
        "balance_to": 26,
        "upscale": upscalers[number % 2],
        "benchmark": {
            "classifiers": classifiers,
            "arms": ["real-only", "class-weights"],
            "gan_arms": ["gan"],
            "subsets": [number],
            "seeds": [number],
            "seed_cnn": {"epochs": 1, "batch_size": 16},
        },
    }


@dataclass
class Finished:
    """A job that was seen through.

    Attributes:
        number: Of its spec.
        workspace: Number of its workspace.
        job: As it stood at the end.
        earlier: Jobs with the same spec that ended before it, as the fault deserved.
        folder: Where its artifacts were downloaded to.
    """

    number: int
    workspace: int
    job: Job
    earlier: list[Job] = field(default_factory=list)
    folder: Path | None = None


class Portals:
    """Threads that each submit a job, wait for its end, fetch what it left, and take the next.

    Args:
        house: The service.
        images: The data set's folder.
        out: Where artifacts go.
        specs: How many different studies there are.
        first: How many jobs there are at least.
        goes_on: Whether more jobs are wanted when those are submitted.
        at_once: How many threads.
        epochs: Of the shortest training.
    """

    def __init__(
        self,
        house: House,
        images: Path,
        out: Path,
        *,
        specs: int,
        first: int,
        goes_on: Callable[[], bool] = lambda: False,
        at_once: int = 4,
        epochs: int = 30,
    ) -> None:
        self._house = house
        self._images = images
        self._out = out
        self._specs = specs
        self._first = first
        self._goes_on = goes_on
        self._epochs = epochs
        self._lock = threading.Lock()
        self._next = 0
        self._datasets: dict[int, str] = {}
        self._intake = [threading.Lock() for _ in house.keys]
        self.finished: list[Finished] = []
        self.at_work: dict[str, int] = {}
        """Workspace of each job that has been submitted and is not over."""
        self.told: dict[str, int] = {}
        """How often the service refused in a way that the client does not mend by itself."""
        self.broken: list[str] = []
        """What must not happen at all."""
        self.give_up = threading.Event()
        """Set when nobody will wait any longer."""
        self._threads = [
            threading.Thread(target=self._keep, name=f"portal-{n}", daemon=True)
            for n in range(at_once)
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    @property
    def are_done(self) -> bool:
        """Whether every portal has seen its last job through."""
        return not any(thread.is_alive() for thread in self._threads)

    def _take(self) -> int | None:
        with self._lock:
            # More workspaces than that there are none, and in one the second would be reused.
            is_left = self._next < self._specs * len(self._house.keys)
            if not is_left or (self._next >= self._first and not self._goes_on()):
                return None
            self._next += 1
            return self._next - 1

    def _keep(self) -> None:
        while (turn := self._take()) is not None:
            # Neighbours in time differ in both, and no pair comes twice.
            number = turn % self._specs
            workspace = (number + turn // self._specs) % len(self._house.keys)
            try:
                with self._house.client(workspace) as client:
                    finished = self._see_through(client, number, workspace)
            except Exception as error:  # noqa: BLE001 - told at the end, with everything else
                self.broken.append(f"study {number}: {type(error).__name__}: {error}")
            else:
                self.finished.append(finished)

    def _see_through(self, client: Client, number: int, workspace: int) -> Finished:
        until = time.monotonic() + _JOB_SECONDS
        spec = make_spec(number, self._epochs) | {"dataset_id": self._dataset(client, workspace)}
        earlier: list[Job] = []
        while True:
            key = f"study-{number}-try-{len(earlier)}"
            submitted = self._patiently(lambda k=key: client.jobs.submit(spec, idempotency_key=k))
            self.at_work[submitted.id] = workspace
            job = self._patiently(
                lambda i=submitted.id: client.jobs.wait(
                    i, timeout=max(1.0, until - time.monotonic())
                )
            )
            self.at_work.pop(job.id, None)
            if job.error is None or job.error.code not in MENDABLE:
                break
            earlier.append(job)
            time.sleep(_PAUSE)
        finished = Finished(number, workspace, job, earlier)
        if job.status == "succeeded":
            finished.folder = self._out / f"{number}-{workspace}"
            folder = finished.folder
            self._patiently(lambda: client.artifacts.download_all(job, folder))
        return finished

    def _dataset(self, client: Client, workspace: int) -> str:
        with self._intake[workspace]:
            while workspace not in self._datasets:
                uploaded = self._patiently(
                    lambda: client.datasets.upload(self._images, name="tiny", image_size=64)
                )
                ready = self._patiently(
                    lambda i=uploaded.id: client.datasets.wait(i, timeout=_JOB_SECONDS)
                )
                if ready.status == "ready":
                    self._datasets[workspace] = ready.id
                    break
                codes = {problem.code for problem in ready.problems}
                if not codes & MENDABLE:
                    raise AssertionError(f"the data set was rejected: {sorted(codes)}")
                self._tell("dataset rejected: disk full")
                time.sleep(_PAUSE)
            return self._datasets[workspace]

    def _patiently(self, call: Callable[[], Any]) -> Any:
        """Call until it works; count what a client does not get over by itself."""
        while not self.give_up.is_set():
            try:
                return call()
            except ApiError as error:
                if error.code == "wait_timed_out":
                    raise
                self._tell(f"{error.status or 'no answer'} {error.code}")
                # 500 and 507 are not tried again by the client; refusals such as 422 are final.
                if 0 < error.status < 500 and error.status != 429:
                    raise
            except httpx.HTTPError as error:
                self._tell(type(error).__name__)
            time.sleep(_PAUSE)
        raise TimeoutError("it was not over when the run was")

    def _tell(self, what: str) -> None:
        with self._lock:
            self.told[what] = self.told.get(what, 0) + 1
