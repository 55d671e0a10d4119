"""How much memory the API takes for a large upload, whole and in parts, and for a large download.

``python benchmarks/bench_transfer_memory.py --gigabytes 5`` serves an instance on a free port, with
objects in a directory; sends that much from a generator, takes as much back, and prints how far the
API's resident memory rose. It needs twice as much disk as the file, and gives it back.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from store.columns import new_id
from store.database import Database
from store.graph import steps_of
from store.objects import Objects
from store.settings import Settings
from store.tables import Artifact, Dataset, Job

ROOT = Path(__file__).resolve().parents[1]
_CHUNK = 1 << 20
_PART = 64 << 20
# The first header of a zip, so that the API goes on reading.
_START = b"PK\x03\x04"


@dataclass(frozen=True)
class Measured:
    """What a transfer took."""

    what: str
    seconds: float
    before_bytes: int
    peak_bytes: int

    def line(self, size: int) -> str:
        """Return it for a person to read."""
        rose = (self.peak_bytes - self.before_bytes) / 2**20
        rate = size / self.seconds / 2**20
        return (
            f"{self.what}: {self.before_bytes / 2**20:.0f} MiB, rose by {rose:.1f} MiB;"
            f" {self.seconds:.0f} s, {rate:.0f} MiB/s"
        )


def resident_bytes(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def measured(what: str, pid: int, work: Callable[[], object]) -> Measured:
    """Run some work, looking at a process's memory twenty times a second."""
    before = peak = resident_bytes(pid)
    is_over = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not is_over.wait(0.05):
            peak = max(peak, resident_bytes(pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    started = time.monotonic()
    try:
        work()
    finally:
        seconds = time.monotonic() - started
        is_over.set()
        watcher.join()
    return Measured(what, seconds, before, peak)


def chunks(size: int) -> Iterator[bytes]:
    """Yield ``size`` bytes that are the same each time, a mebibyte at a time."""
    noise = bytearray(_CHUNK)
    noise[: len(_START)] = _START
    for at in range(0, size, _CHUNK):
        noise[8:16] = at.to_bytes(8, "little")
        yield bytes(noise[: min(_CHUNK, size - at)])


class Instance:
    """A served instance without workers."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        environment = {n: v for n, v in os.environ.items() if not n.startswith("GRAFT_")}
        command = [sys.executable, "-m", "graft", "serve", "--data-dir", str(data_dir)]
        self._process = subprocess.Popen(
            [*command, "--port", "0", "--no-worker"],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.url = self._address()
        key = (data_dir / "admin.key").read_text(encoding="utf-8").strip()
        self.http = httpx.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {key}"},
            timeout=600,
            trust_env=False,
        )

    def _address(self) -> str:
        until = time.monotonic() + 120
        while time.monotonic() < until:
            if self._process.poll() is not None:
                raise RuntimeError("the service ended at once")
            try:
                text = (self.data_dir / "service.json").read_text(encoding="utf-8")
                return str(json.loads(text)["url"])
            except (FileNotFoundError, ValueError):
                time.sleep(0.1)
        raise RuntimeError("the service did not start")

    def api_pid(self) -> int:
        """Return the process that answers: the one whose command is the API's."""
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                command = (entry / "cmdline").read_bytes().split(b"\0")
                environment = (entry / "environ").read_bytes()
            except OSError:
                continue
            is_api = any(part.endswith((b"api_process", b"api")) for part in command)
            if is_api and str(self.data_dir).encode() in environment + b"".join(command):
                return int(entry.name)
        raise RuntimeError("there is no process of the API")

    def ask(self, method: str, path: str, **more: Any) -> Any:
        """Return a request's answer, read as JSON."""
        answer = self.http.request(method, path, **more)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def stop(self) -> None:
        """End the service."""
        self.http.close()
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(timeout=60)


def upload_whole(instance: Instance, size: int) -> dict[str, Any]:
    headers = {"Content-Type": "application/zip", "Content-Length": str(size)}
    made: dict[str, Any] = instance.ask(
        "POST", "/v1/datasets", content=chunks(size), headers=headers
    )
    return made


def upload_in_parts(instance: Instance, size: int) -> None:
    asked = {"size": size, "part_size": _PART}
    upload = instance.ask("POST", "/v1/uploads", json=asked)
    whole = hashlib.sha256()
    for number, at in enumerate(range(0, size, _PART), 1):
        length = min(_PART, size - at)
        for chunk in chunks(length):
            whole.update(chunk)
        instance.ask(
            "PUT",
            f"/v1/uploads/{upload['id']}/parts/{number}",
            content=chunks(length),
            headers={"Content-Length": str(length)},
        )
    params = {"upload_id": upload["id"], "sha256": whole.hexdigest()}
    instance.ask("POST", "/v1/datasets", params=params)


def as_artifact(instance: Instance, dataset_id: str) -> str:
    """Let the upload be had as an artifact; return its id."""
    settings = Settings(data_dir=instance.data_dir)
    database = Database.from_settings(settings)
    try:
        with database.write() as session:
            dataset = session.get_one(Dataset, dataset_id)
            job = session.get_one(Job, dataset.job_id)
            (step,) = steps_of(session, job.id)
            row = Artifact(
                id=new_id("art"),
                workspace_id=dataset.workspace_id,
                job_id=job.id,
                step_id=step.id,
                kind="synthetic-zip",
                name="synthetic.zip",
                media_type="application/zip",
                size=dataset.upload_bytes,
                sha256=dataset.upload_sha256,
                object_key=dataset.upload_key,
            )
            session.add(row)
            return row.id
    finally:
        database.dispose()


def download(instance: Instance, artifact_id: str, size: int) -> None:
    got = 0
    with instance.http.stream("GET", f"/v1/artifacts/{artifact_id}/content") as answer:
        answer.raise_for_status()
        for chunk in answer.iter_raw():
            got += len(chunk)
    if got != size:
        raise RuntimeError(f"{got} bytes came, not {size}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=5.0)
    parser.add_argument("--limit-mib", type=float, default=50.0, help="of growth")
    given = parser.parse_args()
    size = int(given.gigabytes * 1e9)
    with tempfile.TemporaryDirectory(prefix="graft-transfer-") as folder:
        instance = Instance(Path(folder) / "data")
        try:
            pid = instance.api_pid()
            instance.ask("GET", "/v1/datasets")
            made: dict[str, Any] = {}
            found = [measured("upload", pid, lambda: made.update(upload_whole(instance, size)))]
            print(found[-1].line(size), flush=True)
            artifact_id = as_artifact(instance, made["id"])
            found.append(measured("download", pid, lambda: download(instance, artifact_id, size)))
            print(found[-1].line(size), flush=True)
            Objects.from_settings(Settings(data_dir=instance.data_dir)).delete_prefix("workspaces/")
            found.append(measured("upload in parts", pid, lambda: upload_in_parts(instance, size)))
            print(found[-1].line(size), flush=True)
        finally:
            instance.stop()
    grown = max(one.peak_bytes - one.before_bytes for one in found)
    return 0 if grown < given.limit_mib * 2**20 else 1


if __name__ == "__main__":
    sys.exit(main())
