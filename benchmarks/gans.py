"""Each kind of GAN at each real count, with equal compute: how close its images come, of what use.

    python benchmarks/gans.py DATASET --work DIR [--recipes ...] [--counts 10 50 100 200] ...

DATASET is a zip or folder of class folders. Every image, real or synthetic, goes through the GAN's
size before it reaches the features and the classifiers, so that resolution is no sign of a fake.
KID, density and coverage are taken against the rare class's *test* images, which no GAN and no
choice of a snapshot has seen; copies against the training images. Recipes that keep the best
snapshot choose it by KID on the same features (against training images), which "infogan-seed" does
not. Drawing and judging samples is not part of the time that is made equal. A finished cell is one
line of DIR/gans.jsonl with its model and a sample grid beside it; ``--print`` shows what is there.

On a GPU: --device cuda --size 128 --seconds 600 --processes 1.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gan_recipes import RECIPES, Recipe, batch_of, epochs_for, made
from numpy.typing import NDArray
from PIL import Image

from gan_core.benchmark.arms import FAKES
from gan_core.benchmark.evaluate import BenchmarkData, Fakes, evaluate_arms
from gan_core.benchmark.subsets import nested_subset
from gan_core.classifiers.seed_cnn import SeedCnnConfig
from gan_core.features import FeatureExtractor
from gan_core.generating import TrainedGenerator, generate
from gan_core.quality import (
    authenticity,
    density_and_coverage,
    kernel_distance,
    precision_and_recall,
)
from gan_core.reading import PackedDataset, pack
from gan_core.report.pictures import sheet
from gan_core.screening import near_copies
from gan_core.training.fit import fit_to_size
from gan_core.training.judging import Judge
from gan_core.training.loop import TrainConfig, train
from gan_core.training.start import Start
from gan_core.upscaling.lanczos import LanczosUpscaler

BASE_ARMS = ("real-only", "class-weights", "oversample")
SIDE = 224
QUALITY_IMAGES = 500
SNAPSHOTS = 8
COLUMNS = (
    "recipe",
    "real",
    "images shown",
    "CPU s",
    "KID × 1000",
    "density",
    "coverage",
    "near-copies",
    "authenticity",
    "classifier",
    "arm",
    "balanced accuracy",
    "sensitivity",
    "ROC-AUC",
)
FIGURES = ("balanced_accuracy", "sensitivity", "specificity", "roc_auc")


class Images:
    """The data set at the GAN's size, with features; made once, then mapped from files."""

    def __init__(self, packed: Path, work: Path, size: int, rare: str | None) -> None:
        dataset = PackedDataset.open(packed)
        self.rare = dataset.classes.index(rare or dataset.rare_class())
        self.labels = {s: dataset.labels(s) for s in ("train", "test")}  # type: ignore[arg-type]
        folder = work / f"at-{size}"
        self.small, self.large, self.features = (
            {s: np.load(folder / f"{s}-{what}.npy", mmap_mode="r") for s in ("train", "test")}
            for what in ("small", "large", "features")
        )
        self.digest = dataset.digest

    @staticmethod
    def prepare(packed: Path, work: Path, size: int, device: str) -> None:
        """Write the files."""
        folder = work / f"at-{size}"
        if folder.exists():
            return
        print(f"every image to {size} pixels and back ...", flush=True)
        part = folder.with_suffix(".part")
        part.mkdir(parents=True, exist_ok=True)
        dataset = PackedDataset.open(packed)
        extractor = FeatureExtractor(device=device)
        for split in ("train", "test"):
            small = fit_to_size(dataset.images(split), size)  # type: ignore[arg-type]
            large = upscaled(small)
            np.save(part / f"{split}-small.npy", small)
            np.save(part / f"{split}-large.npy", large)
            np.save(part / f"{split}-features.npy", extractor.extract(large))
        part.rename(folder)

    def data(self) -> BenchmarkData:
        """For the classifiers."""
        return BenchmarkData(
            self.large["train"],
            self.labels["train"],
            self.large["test"],
            self.labels["test"],
            self.rare,
            self.features["train"],
            self.features["test"],
        )


def upscaled(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """To the classifiers' size by the plain filter."""
    engine = LanczosUpscaler()
    return np.concatenate([engine.upscale_batch(image[None], size=SIDE) for image in images])


def cell(name: str, count: int, subset: int, arguments: argparse.Namespace, packed: Path) -> Any:
    """Train, draw, compare; in a process of its own."""
    torch.set_num_threads(arguments.threads)
    work: Path = arguments.work
    device = torch.device(arguments.device)
    images = Images(packed, work, arguments.size, arguments.rare_class)
    chosen = nested_subset(images.labels["train"], images.rare, count, subset)
    real = np.array(images.small["train"][chosen])
    result: dict[str, Any] = {"recipe": name, "real_count": count, "subset": subset}
    result |= settings_of(arguments)
    extractor = FeatureExtractor(device=device)
    model, training = trained(name, subset, real, extractor, arguments)
    result |= training
    model_file = work / "models" / f"{name}-{count}-s{subset}-{arguments.size}.safetensors"
    model_file.parent.mkdir(exist_ok=True)
    model.save(model_file)
    fakes = generate(
        model,
        range(int((images.labels["train"] == images.rare).sum()) - count),
        device=device,
    )
    grid = sheet(fakes[:64].reshape(8, 8, *fakes.shape[1:]))
    Image.fromarray(grid).save(work / f"samples-{name}-{count}-s{subset}.png")
    large = upscaled(fakes)
    features = extractor.extract(large)
    of_rare = images.labels["test"] == images.rare
    held_out = np.asarray(images.features["test"])[of_rare]
    some = features[:QUALITY_IMAGES]
    kid, kid_sd = kernel_distance(held_out, some)
    density, coverage = density_and_coverage(held_out, some)
    precision, recall = precision_and_recall(held_out, some)
    result |= {
        "kid": kid,
        "kid_sd": kid_sd,
        "density": density,
        "coverage": coverage,
        "precision": precision,
        "recall": recall,
        "copy_rate": float((near_copies(fakes, real)[0] <= 8).mean()),
        "authenticity": authenticity(np.asarray(images.features["train"])[chosen], some),
    }
    data = images.data()
    result["arms"] = classified(
        [f"gan:{name}"], data, (count, subset), arguments, Fakes(large, features)
    )
    return result


def trained(
    name: str,
    subset: int,
    real: NDArray[np.uint8],
    extractor: FeatureExtractor,
    arguments: argparse.Namespace,
) -> tuple[TrainedGenerator, dict[str, Any]]:
    """Train one recipe."""
    recipe, count = RECIPES[name], len(real)
    device = torch.device(arguments.device)
    gan = made(recipe, arguments.size, device)
    batch = batch_of(name, recipe, count)
    # Half of the time went into the common class, where it is learnt from first.
    share = 1.0 if recipe.pretrain == "none" else 0.5
    epochs, an_image = epochs_for(gan, real, batch, share * arguments.seconds, device)
    begins = None
    if recipe.pretrain != "none":
        begins = Start.load(pretrained_file(recipe, arguments))
    started, cpu = time.perf_counter(), time.process_time()
    result = train(
        made(recipe, arguments.size, device),
        real,
        TrainConfig(
            batch_size=batch,
            epochs=epochs,
            seed=subset,
            ema_decay=recipe.ema_decay,
            snapshots=SNAPSHOTS,
            keep=recipe.keep,
            freeze_d=recipe.freeze_d,
        ),
        begins=begins,
        device=device,
        judge=Judge(extractor.extract(real), extractor.extract, real),
    )
    return result.model, {
        "images_shown": epochs * count,
        "epochs": epochs,
        "batch_size": batch,
        "seconds_an_image": an_image,
        "seconds": time.perf_counter() - started,
        "cpu_seconds": time.process_time() - cpu,
        "kept_epoch": next(
            (j.epoch for j in result.judgements if j.step == result.model.step), epochs
        ),
        "judgements": [found.as_dict() for found in result.judgements],
        "notices": result.notices,
    }


def pretrained_file(recipe: Recipe, arguments: argparse.Namespace) -> Path:
    """Where a GAN's networks lie that have learnt from the other classes; one for all counts."""
    folder: Path = arguments.work / "models"
    return folder / f"pretrained-{recipe.gan}-{arguments.size}.safetensors"


def pretrain(recipe: Recipe, arguments: argparse.Namespace, packed: Path) -> None:
    """Learn from the other classes' training images, for half of a training's time."""
    file = pretrained_file(recipe, arguments)
    if file.exists():
        return
    torch.set_num_threads(arguments.threads)
    device = torch.device(arguments.device)
    images = Images(packed, arguments.work, arguments.size, arguments.rare_class)
    others = np.array(images.small["train"][images.labels["train"] != images.rare])
    epochs, an_image = epochs_for(
        made(recipe, arguments.size, device),
        others,
        recipe.batch_size,
        0.5 * arguments.seconds,
        device,
    )
    # Less than an epoch, perhaps: then as many of the images as there is time for.
    some = others[: max(recipe.batch_size, round(0.5 * arguments.seconds / an_image))]
    gan = made(recipe, arguments.size, device)
    config = TrainConfig(
        batch_size=recipe.batch_size, epochs=epochs, ema_decay=recipe.ema_decay, snapshots=0
    )
    result = train(gan, some, config, device=device)
    file.parent.mkdir(exist_ok=True)
    Start.of(gan, result.model.weights).save(file)


def classified(
    arms: list[str],
    data: BenchmarkData,
    of: tuple[int, int],
    arguments: argparse.Namespace,
    fakes: Fakes | None = None,
) -> list[dict[str, Any]]:
    """Rows of the arms for each classifier asked for; ``of`` is real count and subset."""
    count, subset = of
    found = evaluate_arms(
        dict.fromkeys(arguments.classifiers, arms),
        data,
        real_count=count,
        real_count_label=str(count),
        subset=subset,
        seeds=[0],
        seed_cnn=SeedCnnConfig(epochs=arguments.epochs, batch_size=8),
        sources={} if fakes is None else {FAKES: fakes},
        device=arguments.device,
    )
    keys = ("arm", "classifier", *FIGURES)
    return [{key: row.model_dump()[key] for key in keys} for row in found.rows]


def bar(count: int, subset: int, arguments: argparse.Namespace, packed: Path) -> Any:
    """The arms without a GAN, and real images of the class in the place of fakes' figures."""
    torch.set_num_threads(arguments.threads)
    images = Images(packed, arguments.work, arguments.size, arguments.rare_class)
    result: dict[str, Any] = {"recipe": "no GAN", "real_count": count, "subset": subset}
    result |= settings_of(arguments)
    labels, features = images.labels["train"], np.asarray(images.features["train"])
    chosen = nested_subset(labels, images.rare, count, subset)
    of_rare = np.flatnonzero(labels == images.rare)
    rest = np.random.default_rng(0).permutation(np.setdiff1d(of_rare, chosen))
    others = features[rest[:QUALITY_IMAGES]]
    held_out = np.asarray(images.features["test"])[images.labels["test"] == images.rare]
    kid, kid_sd = kernel_distance(held_out, others)
    density, coverage = density_and_coverage(held_out, others)
    precision, recall = precision_and_recall(held_out, others)
    result |= {"kid": kid, "kid_sd": kid_sd, "density": density, "coverage": coverage}
    result |= {"precision": precision, "recall": recall}
    result["authenticity"] = authenticity(features[chosen], others)
    small = np.asarray(images.small["train"])
    copies = near_copies(small[rest], small[chosen])[0]
    result["copy_rate"] = float((copies <= 8).mean())
    result["arms"] = classified(list(BASE_ARMS), images.data(), (count, subset), arguments)
    return result


def settings_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """What all cells of a table have in common."""
    return {name: getattr(arguments, name) for name in ("size", "seconds", "device")}


def table(found: list[dict[str, Any]]) -> str:
    """All cells as a table in Markdown."""
    names = ["no GAN", *RECIPES]
    lines = ["| " + " | ".join(COLUMNS) + " |", "|---" * len(COLUMNS) + "|"]
    order = sorted(found, key=lambda f: (f["real_count"], names.index(f["recipe"]), f["subset"]))
    for one in order:
        for number, row in enumerate(one["arms"]):
            head = [one["recipe"], str(one["real_count"]), f"{one.get('images_shown', 0):,}"]
            head.append(f"{one.get('cpu_seconds', 0):.0f}")
            head += [f"{1000 * one['kid']:.0f} ± {1000 * one['kid_sd']:.0f}"]
            head += [f"{one[key]:.2f}" for key in ("density", "coverage")]
            head += [f"{one['copy_rate']:.1%}", f"{one['authenticity']:.2f}"]
            shown = head if number == 0 else [""] * len(head)
            figures = [f"{row[key]:.3f}" for key in ("balanced_accuracy", "sensitivity", "roc_auc")]
            lines.append(
                "| " + " | ".join([*shown, row["classifier"], row["arm"], *figures]) + " |"
            )
    return "\n".join(lines)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--recipes", nargs="+", default=list(RECIPES), choices=list(RECIPES))
    parser.add_argument("--counts", nargs="+", type=int, default=[10, 50, 100, 200])
    parser.add_argument("--subsets", nargs="+", type=int, default=[0])
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=240, help="of training, each")
    parser.add_argument("--classifiers", nargs="+", default=["probe"])
    parser.add_argument("--epochs", type=int, default=30, help="of the CNN")
    parser.add_argument("--rare-class", default=None)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--threads", type=int, default=1, help="of each process")
    parser.add_argument("--print", action="store_true", dest="only_print")
    return parser.parse_args()


def main() -> None:
    arguments = parsed()
    work: Path = arguments.work
    work.mkdir(parents=True, exist_ok=True)
    results = work / "gans.jsonl"
    found = []
    if results.exists():
        found = [json.loads(line) for line in results.read_text().splitlines()]
    asked = settings_of(arguments)
    if any({name: one[name] for name in asked} != asked for one in found):
        sys.exit(f"{results} holds cells with other settings than {asked}: choose another --work.")
    if not arguments.only_print:
        packed = work / "packed"
        if not packed.exists():
            pack(arguments.dataset, packed, image_size=SIDE)
        Images.prepare(packed, work, arguments.size, arguments.device)
        done = {(f["recipe"], f["real_count"], f["subset"]) for f in found}
        pool = ProcessPoolExecutor(arguments.processes, mp_context=get_context("spawn"))
        with pool, results.open("a") as file:
            first = {RECIPES[name].gan: RECIPES[name] for name in arguments.recipes}
            wanted = {RECIPES[n].gan for n in arguments.recipes if RECIPES[n].pretrain != "none"}
            for future in [
                pool.submit(pretrain, first[gan], arguments, packed) for gan in sorted(wanted)
            ]:
                future.result()
            running = [
                pool.submit(bar, count, subset, arguments, packed)
                for subset in arguments.subsets
                for count in arguments.counts
                if ("no GAN", count, subset) not in done
            ] + [
                pool.submit(cell, name, count, subset, arguments, packed)
                for subset in arguments.subsets
                for count in sorted(arguments.counts, key=lambda c: abs(c - 100))
                for name in arguments.recipes
                if (name, count, subset) not in done
            ]
            for number, future in enumerate(as_completed(running), 1):
                one = future.result()
                found.append(one)
                file.write(json.dumps(one) + "\n")
                file.flush()
                print(
                    f"[{number}/{len(running)}] {one['recipe']}, {one['real_count']} real:"
                    f" KID {one['kid']:.3f}, coverage {one['coverage']:.2f}",
                    file=sys.stderr,
                    flush=True,
                )
    print(table(found))


if __name__ == "__main__":
    main()
