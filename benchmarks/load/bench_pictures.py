"""How long somebody at a screen waits for pictures of a trained generator.

Run: python benchmarks/load/bench_pictures.py [--times 20] [--models infogan:64 fastgan:128]

Starts `graft serve` as it is by default, on phantoms, trains each generator for two epochs (the
pictures take as long as those of a good one), and then asks for 16 images over and over, always of
other seeds: from the request to the last byte of the sheet. Each model in two ways, first on an
otherwise idle service, then while a FastGAN trains:

- apart: three seconds after the sheet before, as of somebody who looks at it;
- in a row: at once after the sheet before, as of somebody who drags a slider.

Printed as JSON: seconds, p50 and the longest, for each of them; how long the training's epochs took
alone and beside the pictures; the resident memory of each process.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
from bench_load import begin_training
from machine import Memory, service

from gan_core.phantoms import draw_phantoms
from graft.client import Client, Model

_LOOK_SECONDS = 0.25
_APART_SECONDS = 3.0
_WAIT = {"Prefer": "wait=10"}


def trained_models(client: Client, dataset_id: str, asked: list[str]) -> list[Model]:
    """Train ``gan:size`` for two epochs each; return the models, and leave the studies at that."""
    gans = []
    for one in asked:
        name, size = one.split(":")
        gans.append({"name": name, "image_size": int(size), "epochs": 2, "keep": "last"})
    found = []
    for gan in gans:  # one after the other: a study has each GAN once
        spec = {
            "dataset_id": dataset_id,
            "profile": "quick",
            "real_counts": [40],
            "gans": [gan],
            "benchmark": {"classifiers": []},
        }
        job = client.jobs.submit(spec)
        while not (made := client.models.list(job_id=job.id).items):
            time.sleep(1)
            if client.jobs.get(job.id).status == "failed":
                raise SystemExit(f"the training of {gan} failed")
        found += made
        client.jobs.cancel(job.id)
    while any(not client.jobs.get(model.job_id).is_final for model in found):
        time.sleep(1)
    return found


def picture(http: httpx.Client, model_id: str, first_seed: int) -> float:
    """Ask for 16 images and fetch their sheet as the page does; return the seconds that took."""
    asked = {"count": 16, "first_seed": first_seed}
    started = time.perf_counter()
    answer = http.post(f"/v1/models/{model_id}/images", json=asked, headers=_WAIT)
    answer.raise_for_status()
    job = answer.json()
    while job["status"] in {"queued", "running"}:
        time.sleep(_LOOK_SECONDS)
        job = http.get(f"/v1/jobs/{job['id']}").json()
    if job["status"] != "succeeded":
        raise SystemExit(f"the drawing {job['status']}: {job['error']}")
    files = http.get(f"/v1/jobs/{job['id']}/artifacts").json()["items"]
    (sheet,) = [one for one in files if one["kind"] == "samples-png"]
    content = http.get(sheet["links"]["content"], follow_redirects=True).content
    took = time.perf_counter() - started
    if len(content) != sheet["size"]:
        raise SystemExit("the sheet is not whole")
    return took


def pictures(
    http: httpx.Client, model_id: str, times: int, first_seed: int, pause: float
) -> dict[str, float]:
    """Return the median and the longest of so many."""
    found = []
    for number in range(times):
        time.sleep(pause)
        found.append(picture(http, model_id, first_seed + 16 * number))
    return {"p50": round(statistics.median(found), 2), "longest": round(max(found), 2)}


def both_ways(
    http: httpx.Client, models: list[Model], times: int, first_seed: int
) -> dict[str, Any]:
    """Measure every model apart and in a row."""
    found: dict[str, Any] = {}
    for model in models:
        for way, pause in (("apart", _APART_SECONDS), ("in_a_row", 0.0)):
            figures = pictures(http, model.id, times, first_seed, pause)
            first_seed += 16 * times
            found.setdefault(f"{model.gan} {model.image_size}px", {})[way] = figures
            print(model.gan, model.image_size, way, figures, flush=True)
    return found


def epoch_of(client: Client, job_id: str) -> int:
    """Return the epoch that a training is in, which its progress says in words."""
    words = (client.jobs.get(job_id).progress.detail or "").replace("/", " ").split()
    return int(words[words.index("epoch") + 1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument(
        "--models",
        nargs="+",
        default=["infogan:64", "infogan:112", "fastgan:64", "fastgan:128"],
    )
    parser.add_argument("--work", type=Path, default=None, help="folder; left out: a temporary one")
    options = parser.parse_args()
    work = options.work or Path(tempfile.mkdtemp(prefix="graft-pictures-"))
    folder = work / "data"
    folder.mkdir(parents=True, exist_ok=True)
    data = work / "phantoms.zip"
    counts = {"train": {"benign": 60, "malignant": 50}, "test": {"benign": 20, "malignant": 20}}
    if not data.exists():  # of a run before, whose trainings are used again
        draw_phantoms(data, counts=counts, image_size=128)
    with service(folder) as (url, key, process), Client(url, key=key) as client:
        memory = Memory(process.pid)
        memory.start()
        uploaded = client.datasets.upload(data, image_size=128)
        dataset = client.datasets.wait(uploaded)
        models = trained_models(client, dataset.id, options.models)
        headers = {"Authorization": f"Bearer {key}"}
        with httpx.Client(base_url=url, headers=headers, timeout=60, trust_env=False) as http:
            # The first is somebody's, too, but once a day.
            first = picture(http, models[0].id, 4_000_000_000)
            idle = both_ways(http, models, options.times, 0)
            job_id = begin_training(client, dataset.id)
            begun, at = time.monotonic(), epoch_of(client, job_id)
            time.sleep(30)
            alone = (time.monotonic() - begun) / max(1, epoch_of(client, job_id) - at)
            begun, at = time.monotonic(), epoch_of(client, job_id)
            busy = both_ways(http, models, options.times, 1_000_000)
            beside = (time.monotonic() - begun) / max(1, epoch_of(client, job_id) - at)
        is_training = client.jobs.get(job_id).status == "running"
        client.jobs.cancel(job_id)
        memory.is_over.set()
    print(
        json.dumps(
            {
                "first_of_all": round(first, 2),
                "idle": idle,
                "while_a_gan_trains": busy,
                "seconds_an_epoch": {"alone": round(alone, 3), "beside": round(beside, 3)},
                "training_went_on": is_training,
                "resident_mib": {
                    role: round(size) for role, size in sorted(memory.largest.items())
                },
            },
            indent=2,
        )
    )
    if options.work is None:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
