"""How the service bears many clients while a job trains.

Run: python benchmarks/load/bench_load.py [--clients 1000] [--pace 15] [--seconds 60]

Needs wrk and nginx (Debian: `apt install wrk nginx-light`). Starts `graft serve` with one worker on
phantoms, submits a study, and once its GAN is in training lets come at once:

- `--clients` that poll the job with its entity tag, each every `--pace` seconds (wrk; 15 is what
  `Retry-After` asks for while a job has long to go);
- `--transfers` that upload a data set and as many that download a file, over and over, each at
  `--rate-mib` a second: 20 downloads at 5 MiB/s fill a gigabit line.

Printed as JSON: percentiles of a poll, every status and error, bytes a second, the largest resident
memory of each process. Then, with the training still at work and nobody else there: the same file
from the API and from nginx on the same machine, taking turns.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import secrets
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import select

from gan_core.phantoms import draw_phantoms
from graft.client import Client
from store.columns import new_id
from store.database import Database
from store.step_tables import Step
from store.tables import Artifact

HERE = Path(__file__).parent
# It is the house that is measured, not how soon it says that somebody asks too often.
LIMITS: dict[str, str] = {
    "GRAFT_LIMIT_REQUESTS_PER_MINUTE": "10000000",
    "GRAFT_LIMIT_WORKSPACE_REQUESTS_PER_MINUTE": "10000000",
}
MIB = 2**20


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def service(folder: Path) -> Iterator[tuple[str, str, subprocess.Popen[bytes]]]:
    """Run the embedded service; yields its address, the administrator's key and its process."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "graft", "serve", "--data-dir", str(folder), "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=(folder.parent / "serve.log").open("wb"),
        env=os.environ | LIMITS,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                if httpx.get(f"{url}/readyz").status_code == 200:
                    break
            except httpx.HTTPError:
                pass
            time.sleep(0.3)
        else:
            raise SystemExit("the service did not start; see serve.log")
        yield url, (folder / "admin.key").read_text().strip(), process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()


@contextmanager
def nginx(root: Path) -> Iterator[str]:
    """Serve a folder with nginx, one worker, sendfile on."""
    port = free_port()
    work = Path(tempfile.mkdtemp(prefix="graft-nginx-"))
    work.chmod(0o755)
    config = work / "nginx.conf"
    config.write_text(
        f"daemon off; pid {work}/pid; error_log {work}/error.log; worker_processes 1;"
        + (" user root;" if os.geteuid() == 0 else "")
        + " events {} http { access_log off; sendfile on; tcp_nopush on;"
        f" client_body_temp_path {work}/body; proxy_temp_path {work}/proxy;"
        f" fastcgi_temp_path {work}/f; uwsgi_temp_path {work}/u; scgi_temp_path {work}/s;"
        f" server {{ listen 127.0.0.1:{port}; root {root}; }} }}"
    )
    process = subprocess.Popen(["nginx", "-c", str(config), "-p", str(work)])
    try:
        time.sleep(1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)
        shutil.rmtree(work)


def put_large_file(folder: Path, artifact_id: str, size: int) -> tuple[str, str]:
    """Put a file of random bytes beside a real artifact; returns its id and SHA-256.

    What a job leaves on phantoms is too small to tell anything about throughput.
    """
    database = Database(f"sqlite:///{folder / 'graft.db'}")
    digest = hashlib.sha256()
    with database.write() as session:
        real = session.scalars(select(Artifact).where(Artifact.id == artifact_id)).one()
        step = session.get_one(Step, real.step_id)
        key = real.object_key.rsplit("/", 1)[0] + "/large.zip"
        with (folder / "objects" / key).open("wb") as file:
            for _ in range(size // MIB):
                block = secrets.token_bytes(MIB)
                digest.update(block)
                file.write(block)
        row = Artifact(
            id=new_id("art"),
            workspace_id=real.workspace_id,
            job_id=real.job_id,
            step_id=step.id,
            kind="synthetic-zip",
            name="large.zip",
            media_type="application/zip",
            size=size,
            sha256=digest.hexdigest(),
            object_key=key,
        )
        session.add(row)
        found = row.id
    database.dispose()
    return found, digest.hexdigest()


def small_job(client: Client, dataset_id: str) -> str:
    """Carry out a study without a GAN, for an artifact to stand beside; return that one's id."""
    job = client.jobs.wait(
        client.jobs.submit(
            {
                "dataset_id": dataset_id,
                "real_counts": [20],
                "gans": [],
                "benchmark": {
                    "classifiers": ["probe"],
                    "arms": ["real-only", "class-weights"],
                    "subsets": [0],
                    "seeds": [0],
                },
            }
        ),
        timeout=600,
    )
    if job.status != "succeeded":
        raise SystemExit(f"the small job {job.status}: {job.error}")
    return client.artifacts.list(job)[0].id


def begin_training(client: Client, dataset_id: str) -> str:
    """Submit a study whose GAN trains for long, and return its id once that has begun."""
    job = client.jobs.submit(
        {
            "dataset_id": dataset_id,
            "real_counts": [40],
            "gans": [{"name": "fastgan", "image_size": 64, "epochs": 100_000, "keep": "last"}],
            "benchmark": {"classifiers": []},
        }
    )
    for _ in range(1200):
        job = client.jobs.get(job.id)
        detail = job.progress.detail or ""
        if job.progress.stage == "train" and "epoch" in detail:
            return job.id
        time.sleep(0.5)
    raise SystemExit("the training did not begin")


class Memory(threading.Thread):
    """Notes the largest resident memory of every process below one, by its role."""

    def __init__(self, root: int) -> None:
        super().__init__(daemon=True)
        self._root = root
        self.largest: dict[str, float] = {}
        self.first: dict[str, float] = {}
        self.is_over = threading.Event()

    def run(self) -> None:
        """Look twice a second, until it is over."""
        while not self.is_over.wait(0.5):
            for pid in descendants(self._root):
                role, size = described(pid)
                if role is not None:
                    self.first.setdefault(role, size)
                    self.largest[role] = max(self.largest.get(role, 0.0), size)


def descendants(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except (OSError, IndexError, ValueError):
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found, queue = [], [root]
    while queue:
        pid = queue.pop()
        found.append(pid)
        queue += children.get(pid, [])
    return found


def described(pid: int) -> tuple[str | None, float]:
    """Return what a process of the service does, and its resident MiB."""
    try:
        line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return None, 0.0
    roles = {
        "graft serve": "supervisor",
        "api_process": "api",
        "valkey": "valkey",
        "gan_core": "step",
        "celery": "worker",
        "worker": "worker",
    }
    role = next((name for words, name in roles.items() if words in line), None)
    return role, pages * os.sysconf("SC_PAGE_SIZE") / MIB


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


def compare(url: str, key: str, artifact: str, file: Path, rounds: int) -> dict[str, Any]:
    """Time the same file from the API and from nginx, taking turns."""
    own: list[float] = []
    other: list[float] = []
    with nginx(file.parent) as plain:
        for _ in range(rounds):
            own.append(
                seconds_of(
                    f"{url}/v1/artifacts/{artifact}/content", {"Authorization": f"Bearer {key}"}
                )
            )
            other.append(seconds_of(f"{plain}/{file.name}", {}))
    size = file.stat().st_size / MIB
    return {
        "api_mib_per_second": round(size / statistics.median(own)),
        "nginx_mib_per_second": round(size / statistics.median(other)),
        "ratio": round(statistics.median(o / n for o, n in zip(own, other, strict=True)), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--pace", type=float, default=15.0, help="seconds between a client's polls")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--transfers", type=int, default=20)
    parser.add_argument("--rate-mib", type=float, default=5.0, help="a second, of each transfer")
    parser.add_argument("--file-mib", type=int, default=64)
    parser.add_argument("--work", type=Path, default=None, help="folder; left out: a temporary one")
    options = parser.parse_args()
    for program in ("wrk", "nginx", "curl"):
        if shutil.which(program) is None:
            raise SystemExit(f"{program} is not installed")
    work = options.work or Path(tempfile.mkdtemp(prefix="graft-load-"))
    folder = work / "data"
    folder.mkdir(parents=True)
    data = work / "phantoms.zip"
    counts = {
        "train": {"benign": 60, "malignant": 50},
        "test": {"benign": 20, "malignant": 20},
    }
    draw_phantoms(data, counts=counts, image_size=64)
    with service(folder) as (url, key, process), Client(url, key=key) as client:
        dataset = client.datasets.wait(client.datasets.upload(data))
        artifact = put_large_file(folder, small_job(client, dataset.id), options.file_mib * MIB)
        job_id = begin_training(client, dataset.id)
        memory = Memory(process.pid)
        memory.start()
        time.sleep(3)
        alone = poll(url, key, job_id, clients=options.clients, pace=options.pace, seconds=20)
        transfers = Transfers(url, key, data, artifact, options.rate_mib)
        transfers.size = options.file_mib * MIB
        started = time.monotonic()
        transfers.start(options.transfers)
        together = poll(
            url, key, job_id, clients=options.clients, pace=options.pace, seconds=options.seconds
        )
        transfers.stop()
        took = time.monotonic() - started
        fastest = poll(url, key, job_id, clients=50, pace=0, seconds=15)
        memory.is_over.set()
        large = next(folder.rglob("large.zip"))
        downloads = compare(url, key, artifact[0], large, rounds=7)
        is_training = client.jobs.get(job_id).status == "running"
        client.jobs.cancel(job_id)
    print(
        json.dumps(
            {
                "clients": options.clients,
                "polls_while_training": alone,
                "polls_with_transfers_too": together,
                "polls_as_fast_as_can_be": fastest,
                "transfers": {
                    "at_once_each": options.transfers,
                    "done": dict(transfers.done),
                    "mib_per_second": {
                        what: round(count / MIB / took, 1)
                        for what, count in transfers.bytes.items()
                    },
                    "errors": dict(transfers.errors),
                },
                "one_download": downloads,
                "resident_mib": {
                    role: {"first": round(memory.first[role]), "largest": round(size)}
                    for role, size in sorted(memory.largest.items())
                },
                "training_went_on": is_training,
            },
            indent=2,
        )
    )
    if options.work is None:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
