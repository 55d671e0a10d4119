"""The plain CNN's figures for models that ``gans.py`` has left: they take minutes each.

    python benchmarks/gans_cnn.py --work DIR [--recipes ...] [--counts 100] [--epochs 30] ...

Every image goes through the GAN's size, as there. "no GAN" stands for the arms without one. A
finished cell is one line of DIR/cnn.jsonl.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from gan_recipes import RECIPES
from gans import Images, classified, upscaled

from gan_core.benchmark.evaluate import Fakes
from gan_core.generating import TrainedGenerator, generate

NO_GAN = "no GAN"


def cell(name: str, count: int, subset: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """Train the CNN with one model's images, or without any."""
    torch.set_num_threads(arguments.threads)
    images = Images(arguments.work / "packed", arguments.work, arguments.size, None)
    arms, fakes = ["real-only", "class-weights"], None
    if name != NO_GAN:
        file = f"{name}-{count}-s{subset}-{arguments.size}.safetensors"
        model = TrainedGenerator.load(arguments.work / "models" / file)
        wanted = int((images.labels["train"] == images.rare).sum()) - count
        drawn = generate(model, range(wanted), device=arguments.device)
        arms, fakes = [f"gan:{name}"], Fakes(upscaled(drawn))
    started = time.perf_counter()
    rows = classified(arms, images.data(), (count, subset), arguments, fakes)
    seconds = time.perf_counter() - started
    found = {"recipe": name, "real_count": count, "subset": subset, "epochs": arguments.epochs}
    return found | {"seconds": seconds, "arms": rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--recipes", nargs="+", default=[NO_GAN, *RECIPES])
    parser.add_argument("--counts", nargs="+", type=int, default=[100])
    parser.add_argument("--subset", type=int, default=0)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--threads", type=int, default=1, help="of each process")
    arguments = parser.parse_args()
    arguments.classifiers = ["seed-cnn"]
    pool = ProcessPoolExecutor(arguments.processes, mp_context=get_context("spawn"))
    with pool, (arguments.work / "cnn.jsonl").open("a") as file:
        running = [
            pool.submit(cell, name, count, arguments.subset, arguments)
            for count in arguments.counts
            for name in arguments.recipes
        ]
        for future in as_completed(running):
            found = future.result()
            file.write(json.dumps(found) + "\n")
            file.flush()
            for row in found["arms"]:
                print(
                    f"{found['recipe']}, {found['real_count']} real, {row['arm']}: balanced"
                    f" accuracy {row['balanced_accuracy']:.3f}, sensitivity"
                    f" {row['sensitivity']:.3f}, ROC-AUC {row['roc_auc']:.3f}"
                    f" ({found['seconds']:.0f} s)",
                    flush=True,
                )


if __name__ == "__main__":
    main()
