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
import secrets
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from clients import Transfers, poll, seconds_of
from machine import MIB, Memory, nginx, service
from sqlalchemy import select

from gan_core.phantoms import draw_phantoms
from graft.client import Client
from store.columns import new_id
from store.database import Database
from store.step_tables import Step
from store.tables import Artifact


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
