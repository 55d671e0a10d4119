"""The clients: pollers by wrk, uploads and downloads by curl."""

from __future__ import annotations

import json
import secrets
import subprocess
import tempfile
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from machine import MIB

HERE = Path(__file__).parent


def poll(url: str, key: str, job_id: str, *, clients: int, pace: float, seconds: int) -> Any:
    found = subprocess.run(
        [
            "wrk", "-t2", f"-c{clients}", f"-d{seconds}s", "--timeout", "10s",
            "-s", str(HERE / "poll.lua"), url, "--", key, f"/v1/jobs/{job_id}",
            str(int(pace * 1000)),
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout  # fmt: skip
    line = next(line for line in found.splitlines() if line.startswith("RESULT "))
    return json.loads(line.removeprefix("RESULT "))


class Transfers:
    """Many uploads and downloads at once, over and over, each at a fixed rate: a full line.

    By curl, so that the clients take as little as can be of the processors that are measured.
    """

    def __init__(
        self, url: str, key: str, upload: Path, artifact: tuple[str, str], mib_per_second: float
    ) -> None:
        self._url = url
        self._curl = [
            "curl", "-s", "-S", "--limit-rate", str(int(mib_per_second * MIB)),
            "-H", f"Authorization: Bearer {key}",
        ]  # fmt: skip
        self._upload = upload
        self._artifact, self._sha256 = artifact
        self._is_over = threading.Event()
        self._lock = threading.Lock()
        self.bytes: Counter[str] = Counter()
        self.done: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self._threads: list[threading.Thread] = []

    def start(self, each: int) -> None:
        """Begin so many uploads and as many downloads."""
        for work in [self._up] * each + [self._down] * each:
            thread = threading.Thread(target=self._repeat, args=(work,), daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """Let those that are under way end."""
        self._is_over.set()
        for thread in self._threads:
            thread.join(120)

    def _repeat(self, work: Callable[[Path], None]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            while not self._is_over.is_set():
                work(Path(folder))

    def _up(self, folder: Path) -> None:
        # A zip may end in a comment: other bytes each time, so that nothing is reused.
        plain, comment = self._upload.read_bytes(), secrets.token_bytes(16)
        body = folder / "upload.zip"
        body.write_bytes(plain[:-2] + len(comment).to_bytes(2, "little") + comment)
        found = subprocess.run(
            [
                *self._curl, "-o", "/dev/null", "-w", "%{http_code}",
                "-H", "Content-Type: application/zip", "--data-binary", f"@{body}",
                f"{self._url}/v1/datasets",
            ],
            capture_output=True,
            text=True,
            check=False,
        ).stdout  # fmt: skip
        self._note("upload", found == "202", found, len(plain))

    def _down(self, _folder: Path) -> None:
        address = f"{self._url}/v1/artifacts/{self._artifact}/content"
        with subprocess.Popen([*self._curl, address], stdout=subprocess.PIPE) as curl:
            found = subprocess.run(
                ["sha256sum"], stdin=curl.stdout, capture_output=True, text=True, check=True
            ).stdout.split()[0]
        self._note("download", found == self._sha256, "broken", self.size)

    size = 0
    """Bytes of the file that is downloaded."""

    def _note(self, what: str, is_good: bool, otherwise: str, size: int) -> None:
        with self._lock:
            if is_good:
                self.done[what] += 1
                self.bytes[what] += size
            else:
                self.errors[f"{what}: {otherwise}"] += 1


def seconds_of(url: str, headers: dict[str, str]) -> float:
    """Download with curl into nothing; the client must not be what is measured."""
    arguments = [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
    return float(
        subprocess.run(
            ["curl", "-s", "-f", "-o", "/dev/null", "-w", "%{time_total}", *arguments, url],
            capture_output=True, text=True, check=True,
        ).stdout
    )  # fmt: skip
