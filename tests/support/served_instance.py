"""A real service, started as a person would start it, and a tiny data set.

What tests of the command line, of the client and of the page all stand on.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from graft.client import Client
from graft.serving.data_dir import running_service

TINY_SPEC: dict[str, Any] = {
    "profile": "quick",
    "real_counts": [12],
    "gans": [{"name": "infogan", "image_size": 32, "epochs": 2, "batch_size": 6, "snapshots": 2}],
    "balance_to": 20,
    "upscale": {"engine": "lanczos", "size": 64},
    "benchmark": {
        "classifiers": ["probe"],
        "seeds": [0],
        # Each arm that more would bring is tested where it is built; here every step is a process.
        "arms": ["real-only", "class-weights"],
        "gan_arms": ["gan"],
    },
}


def environment() -> dict[str, str]:
    """Ours, without what would lead elsewhere."""
    kept = {n: v for n, v in os.environ.items() if not n.startswith("GRAFT_")}
    return kept | {"OMP_NUM_THREADS": "1", "COLUMNS": "200"}


def wait_for(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := condition():
            return found
        time.sleep(0.1)
    raise AssertionError(f"{what}: not within {seconds} s")


def processes_of(folder: Path) -> list[int]:
    """Every living process that has the folder in its command line or its environment."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            said = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
            state = (entry / "stat").read_text().rsplit(")", 1)[1].split()[0]
            if str(folder).encode() in said and state != "Z":
                found.append(int(entry.name))
    return found


@dataclass
class Served:
    """A running ``graft serve``."""

    process: subprocess.Popen[bytes]
    data_dir: Path
    log: Path

    @property
    def url(self) -> str:
        service = running_service(self.data_dir)
        assert service is not None, self.log.read_text()
        return service.url

    def client(self) -> Client:
        return Client(self.url, key=(self.data_dir / "admin.key").read_text().strip())

    def stop(self, number: signal.Signals = signal.SIGINT, seconds: float = 60) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=seconds)


def start(data_dir: Path, log: Path, *options: str, **variables: str) -> Served:
    with log.open("ab") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "graft", "serve", "--data-dir", str(data_dir), *options],
            env=environment() | variables,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            umask=0o022,
        )
    served = Served(process, data_dir, log)

    def is_up() -> bool:
        assert process.poll() is None, log.read_text()
        return running_service(data_dir) is not None

    wait_for(is_up, 90, "the service")
    return served


def end(served: Served) -> None:
    """End a service and everything that it has started, whatever state it is in."""
    if served.process.poll() is None:
        served.stop(signal.SIGTERM)
    for pid in processes_of(served.data_dir):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def write_tiny_set(folder: Path) -> Path:
    """Write 60 + 40 training and 12 + 12 test images, 64 pixels wide, easy to tell apart."""
    generator = np.random.default_rng(0)
    for split, counts in {"train": (60, 40), "test": (12, 12)}.items():
        for name, count, base in zip(("benign", "malignant"), counts, (40, 150), strict=True):
            (folder / split / name).mkdir(parents=True)
            for number in range(count):
                pixels = base + generator.integers(-30, 30, (64, 64, 3))
                path = folder / split / name / f"{number}.png"
                Image.fromarray(pixels.astype(np.uint8)).save(path)
    return folder
