"""Every arm of the benchmark with the probe, for GANs that ``gans.py`` has trained: the table.

    python benchmarks/gans.py DATASET --work DIR --recipes fastgan --counts 10 50 100 200 500 \
        --subsets 0 1 2 3 4 --seconds 120
    python benchmarks/arms.py DATASET --work DIR --recipe fastgan

DATASET is a zip or folder of class folders. The same functions are called as a job's steps call:
images are drawn (``--draw`` times as many as fill the class), screened at the GAN's size, upscaled
by the plain filter, matched, and the probe is trained in every arm, cross-fitted. Real counts
without a model (``all``) have the arms without a GAN. A finished cell is one file in DIR/arms, so
that the command goes on where it was stopped; ``--print`` trains nothing. It prints the study's
table, the honest one, the ratios and the verdicts, and writes DIR/arms.json, a ``Results``.
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
from numpy.typing import NDArray
from table import STUDY, packed_dataset

from gan_core.augmenting import augmented_uint8
from gan_core.benchmark.evaluate import evaluate_arms
from gan_core.benchmark.subsets import nested_subset, training_pool
from gan_core.benchmark.trials import BenchmarkData, Fakes
from gan_core.benchmark.verdict import judge
from gan_core.features import NAME, FeatureExtractor
from gan_core.generating import TrainedGenerator, generate
from gan_core.matching import matched
from gan_core.reading import PackedDataset
from gan_core.report.tables import study_table
from gan_core.screening import near_copies, thumbnails_of
from gan_core.screening.choosing import Limits, Scores, choose, counted
from gan_core.screening.confidence import fit_label_screen
from gan_core.screening.manifold import farthest_allowed, nearest_distances
from gan_core.set_quality import quality_of_set
from gan_core.spec.arms import GanArmName, arm_of_gan, control_arm
from gan_core.spec.findings import OfColumn, RatioPoint
from gan_core.spec.results import ResultRow, Results
from gan_core.steps.augment import seeds_of
from gan_core.training.fit import fit_to_size
from gan_core.unseen import unseen_images
from gan_core.upscaling.lanczos import LanczosUpscaler

SIDE = 224
BASE = ["real-only", "class-weights", "oversample", "classic-augment", "classic-augment+oversample"]
OF_GAN: tuple[GanArmName, ...] = (
    "gan",
    "gan+classic-augment",
    "gan@ratio",
    "gan-unscreened",
    "synthetic-only",
)
NEAR_COPY_RMS = 8.0


def up(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return LanczosUpscaler().upscale(images, size=SIDE)


class Prepared:
    """Features that all cells share, mapped from files that are made once."""

    def __init__(self, work: Path) -> None:
        folder = work / "arms-features"
        self.arrays = {
            file.stem: np.load(file, mmap_mode="r", allow_pickle=False)
            for file in folder.glob("*.npy")
        }

    @staticmethod
    def make(packed: Path, arguments: argparse.Namespace) -> None:
        """Write the files that are not there yet."""
        size, folder = arguments.size, arguments.work / "arms-features"
        folder.mkdir(parents=True, exist_ok=True)
        dataset = PackedDataset.open(packed)
        extractor = FeatureExtractor(device=arguments.device)
        train = dataset.images("train")

        def augment(copy: int) -> Any:
            def prepare(first: int, block: NDArray[np.uint8]) -> NDArray[np.uint8]:
                rows = np.arange(first, first + len(block))
                return matched(augmented_uint8(block, seeds_of(copy, rows)))

            return prepare

        def plain(_: int, block: NDArray[np.uint8]) -> NDArray[np.uint8]:
            return matched(block)

        def small(_: int, block: NDArray[np.uint8]) -> NDArray[np.uint8]:
            return matched(up(fit_to_size(block, size)))

        wanted: list[tuple[str, NDArray[np.uint8], Any]] = [
            ("train", train, plain),
            ("test", dataset.images("test"), plain),
            (f"small-{size}", train, small),
            *((f"copy-{copy}", train, augment(copy)) for copy in range(arguments.copies)),
        ]
        for name, images, prepare in wanted:
            path = folder / f"{name}.npy"
            if not path.exists():
                print(f"features: {name} ...", file=sys.stderr, flush=True)
                part = folder / f"{name}.part"
                extractor.extract_into(part, images, f"{dataset.digest} {name}", prepare=prepare)
                part.rename(path)


def drawn(
    arguments: argparse.Namespace, dataset: PackedDataset, prepared: Prepared, column: Any
) -> tuple[dict[str, Fakes], dict[str, Any]] | None:
    """Draw, screen and upscale a column's images; None where no GAN was trained for it."""
    count, subset, rare = column
    name = f"{arguments.recipe}-{count}-s{subset}-{arguments.size}.safetensors"
    file = arguments.work / "models" / name
    if not file.exists():
        return None
    labels, train = dataset.labels("train"), dataset.images("train")
    needed = int((labels == rare).sum()) - count
    chosen = nested_subset(labels, rare, count, subset)
    extractor = FeatureExtractor(device=arguments.device)
    images = generate(
        TrainedGenerator.load(file), range(round(needed * arguments.draw)), device=arguments.device
    )

    def features_of(some: NDArray[np.uint8]) -> NDArray[np.float32]:
        return extractor.extract(matched(some))

    large = up(images)
    features = features_of(large)
    small = prepared.arrays[f"small-{arguments.size}"]
    pool = training_pool(labels, rare, chosen)
    screen = fit_label_screen(np.asarray(small[pool]), (labels[pool] == rare).astype(np.int64))
    distance = nearest_distances(features, small[chosen]) / farthest_allowed(small[chosen])
    rows = np.flatnonzero(labels == rare)
    copies, _ = near_copies(images, thumbnails_of(train, rows))
    scores = Scores(near_copy_rms=copies, distance=distance, confidence=screen.confidence(features))
    reasons = choose(
        features,
        scores,
        Limits(near_copy_rms=NEAR_COPY_RMS, distance=1.0, confidence=screen.limit),
        count=needed,
        diverse=True,
    )
    kept = np.flatnonzero([reason is None for reason in reasons])

    def fakes(some: NDArray[np.int64]) -> Fakes:
        augmented = np.stack(
            [
                features_of(augmented_uint8(large[some], seeds_of(copy, np.arange(len(some)))))
                for copy in range(arguments.copies)
            ]
        )
        return Fakes(large[some], features[some], augmented)

    unseen = unseen_images(dataset, rare, chosen, without=np.empty(0, np.int64), seed=subset)
    real = np.asarray(prepared.arrays[unseen.split][unseen.rows])
    said: dict[str, Any] = {"drawn": len(images), "kept": len(kept), "reasons": counted(reasons)}
    for which, some in (("fakes", kept), ("unscreened", np.arange(needed))):
        quality = quality_of_set(
            real,
            features[some],
            OfColumn(
                gan=arguments.recipe, real_count=count, real_count_label=str(count), subset=subset
            ),
            features=f"{NAME} (ImageNet), matched images",
            against=unseen.source,
        )
        said[f"quality-{which}"] = None if quality is None else quality.model_dump()
    unscreened = Fakes(large[:needed], features[:needed])
    return {"fakes": fakes(kept), "unscreened": unscreened}, said


def cell(label: str, subset: int, arguments: argparse.Namespace, packed: Path) -> str:
    """One real count and subset, in a process of its own."""
    torch.set_num_threads(arguments.threads)
    started = time.perf_counter()
    dataset, prepared = PackedDataset.open(packed), Prepared(arguments.work)
    labels, rare = dataset.labels("train"), arguments.rare
    available = int((labels == rare).sum())
    count = available if label == "all" else int(label)
    data = BenchmarkData(
        dataset.images("train"),
        labels,
        dataset.images("test"),
        dataset.labels("test"),
        rare,
        np.asarray(prepared.arrays["train"]),
        np.asarray(prepared.arrays["test"]),
        np.stack([prepared.arrays[f"copy-{copy}"] for copy in range(arguments.copies)]),
    )
    arms, sources, said = list(BASE), {}, {}
    if count < available:
        arms.append(control_arm(arguments.size))
        rows = np.flatnonzero(labels == rare)
        small = np.asarray(prepared.arrays[f"small-{arguments.size}"][rows])
        control = Fakes(dataset.images("train")[rows[:1]].repeat(len(rows), 0), small, None, rows)
        sources[f"control-{arguments.size}"] = control
        if (made := drawn(arguments, dataset, prepared, (count, subset, rare))) is not None:
            arms += [arm_of_gan(arm, arguments.recipe) for arm in OF_GAN]
            sources |= made[0]
            said = made[1]
    found = evaluate_arms(
        {"probe": arms},
        data,
        real_count=count,
        real_count_label=label,
        subset=subset,
        seeds=[0],
        sources=sources,
        fill_to=available,
        ratios=[0, 0.5, 1, 2, 5, 10],
        device=arguments.device,
    )
    out = arguments.work / "arms" / f"{label}-s{subset}"
    np.save(out.with_suffix(".part.npy"), found.scores)
    out.with_suffix(".json").write_text(
        json.dumps(
            {
                "rows": [row.model_dump() for row in found.rows],
                "ratios": [point.model_dump() for point in found.ratios],
                "has_gan": bool(said),
                **said,
            }
        )
    )
    out.with_suffix(".part.npy").rename(out.with_suffix(".npy"))
    return f"{label} real, subset {subset}: {len(arms)} arms, {time.perf_counter() - started:.0f} s"


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--recipe", default="fastgan")
    parser.add_argument("--counts", nargs="+", default=["10", "50", "100", "200", "500", "all"])
    parser.add_argument("--subsets", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--draw", type=float, default=3.0)
    parser.add_argument("--copies", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--threads", type=int, default=1, help="of each process")
    parser.add_argument("--print", action="store_true", dest="only_print")
    return parser.parse_args()


def shown(results: Results) -> str:
    lines = ['Accuracy / balanced accuracy (the study\'s "AUC") at the threshold .5:', ""]
    table = study_table(results, "probe")
    lines.append("| | " + " | ".join(column.heading for column in table.columns) + " |")
    lines.append("|---" * (len(table.columns) + 1) + "|")
    study = [STUDY.get(column.label) for column in table.columns]
    cells = ["–" if cell is None else f"{cell[0]:.2f}/{cell[1]:.2f}" for cell in study]
    lines.append("| the study, real only | " + " | ".join(cells) + " |")
    lines += [f"| {arm} | " + " | ".join(cells) + " |" for arm, cells in table.rows]
    lines += ["", "Mean over subsets [95% interval over test images]:", ""]
    figures = ("roc_auc", "moved_balanced_accuracy", "moved_sensitivity", "moved_specificity")
    lines.append("| real | arm | " + " | ".join(figures) + " |")
    lines.append("|---" * (len(figures) + 2) + "|")
    for summary in results.summaries:
        cells = []
        for name in figures:
            figure = summary.figures.get(name)
            told = "–" if figure is None else f"{figure.mean:.3f}"
            if figure is not None and figure.low is not None and figure.high is not None:
                told += f" [{figure.low:.3f}, {figure.high:.3f}]"
            cells.append(told)
        lines.append(f"| {summary.real_count_label} | {summary.arm} | " + " | ".join(cells) + " |")
    lines += ["", *(f"- {one.sentence}" for one in results.conclusions)]
    lines += ["", *(f"- {one.arm}: {one.outcome}. {one.sentence}" for one in results.verdicts)]
    return "\n".join(lines)


def main() -> None:
    arguments = parsed()
    work: Path = arguments.work
    (work / "arms").mkdir(parents=True, exist_ok=True)
    packed = packed_dataset(arguments.dataset, work)
    dataset = PackedDataset.open(packed)
    arguments.rare = dataset.classes.index(dataset.rare_class())
    cells = [(label, subset) for subset in arguments.subsets for label in arguments.counts]

    def is_left(label: str, subset: int) -> bool:
        file = work / "arms" / f"{label}-s{subset}.json"
        if not file.exists() or not file.with_suffix(".npy").exists():
            return True
        name = f"{arguments.recipe}-{label}-s{subset}-{arguments.size}.safetensors"
        return (work / "models" / name).exists() and not json.loads(file.read_text())["has_gan"]

    if not arguments.only_print:
        Prepared.make(packed, arguments)
        left = [one for one in cells if is_left(*one)]
        pool = ProcessPoolExecutor(arguments.processes, mp_context=get_context("spawn"))
        with pool:
            running = [pool.submit(cell, *one, arguments, packed) for one in left]
            for number, future in enumerate(as_completed(running), 1):
                print(f"[{number}/{len(left)}] {future.result()}", file=sys.stderr, flush=True)
    rows: list[ResultRow] = []
    scores: list[NDArray[np.float32]] = []
    ratios: list[RatioPoint] = []
    for label, subset in sorted(cells, key=lambda one: (one[0] == "all", len(one[0]), one)):
        file = work / "arms" / f"{label}-s{subset}.json"
        if file.exists():
            found = json.loads(file.read_text())
            rows += [ResultRow.model_validate(row) for row in found["rows"]]
            ratios += [RatioPoint.model_validate(point) for point in found["ratios"]]
            scores += list(np.load(file.with_suffix(".npy")))
    judged = judge(rows, scores, dataset.labels("test") == arguments.rare)
    results = Results(
        rare_class=dataset.rare_class(),
        classes=dataset.counts,
        rows=rows,
        summaries=judged.summaries,
        verdicts=judged.verdicts,
        conclusions=judged.conclusions,
        ratios=ratios,
    )
    (work / "arms.json").write_text(results.model_dump_json(indent=1))
    print(shown(results))


if __name__ == "__main__":
    main()
