"""The seed study's table without a GAN, on your own images: the bar that a GAN has to pass.

    python benchmarks/table.py DATASET --work DIR [--counts 10 50 100 200 500 all] ...

DATASET is a zip or folder of class folders, or a packed data set. Every finished run is one line
of DIR/results.jsonl (its figures and its score for each test image), so that the command can be
stopped, and goes on where it was; ``--print`` shows the tables of what is there and trains nothing.

Each process trains with one thread: on two cores, two runs side by side are done sooner than one
after the other on both, and do not wait for each other's threads when the machine has other work.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gan_core.benchmark.evaluate import BenchmarkData, evaluate_arms
from gan_core.benchmark.verdict import summarise
from gan_core.classifiers.seed_cnn import SeedCnnConfig
from gan_core.features import FeatureExtractor
from gan_core.reading import PackedDataset, pack
from gan_core.spec.results import ArmSummary, ResultRow

STUDY = {  # accuracy / "AUC" (balanced accuracy), real images only, one run
    "10": (0.55, 0.50),
    "50": (0.58, 0.54),
    "100": (0.54, 0.50),
    "200": (0.62, 0.59),
    "250": (0.68, 0.65),
    "300": (0.73, 0.71),
    "500": (0.81, 0.81),
    "all": (0.83, 0.83),
}


ARMS = ("real-only", "class-weights", "oversample")
HONEST = {
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "balanced_accuracy": "balanced accuracy",
    "roc_auc": "ROC-AUC",
    "pr_auc": "PR-AUC",
}


@dataclass(frozen=True)
class Task:
    """One run."""

    classifier: str
    arm: str
    real_count_label: str
    subset: int
    seed: int
    epochs: int
    batch_size: int

    @property
    def key(self) -> str:
        """The settings as one string."""
        return json.dumps(asdict(self), sort_keys=True)


def run(task: Task, packed: Path, work: Path, rare: str, *, device: str, threads: int) -> Any:
    """Train and test once, in a process of its own."""
    torch.set_num_threads(threads)
    dataset = PackedDataset.open(packed)
    rare_index = dataset.classes.index(rare)
    features = {
        split: np.load(work / f"features-{split}.npy") if task.classifier == "probe" else None
        for split in ("train", "test")
    }
    data = BenchmarkData(
        dataset.images("train"),
        dataset.labels("train"),
        dataset.images("test"),
        dataset.labels("test"),
        rare_index,
        features["train"],
        features["test"],
    )
    available = int((data.train_labels == rare_index).sum())
    label = task.real_count_label
    found = evaluate_arms(
        {task.classifier: [task.arm]},
        data,
        real_count=available if label == "all" else int(label),
        real_count_label=label,
        subset=task.subset,
        seeds=[task.seed],
        seed_cnn=SeedCnnConfig(epochs=task.epochs, batch_size=task.batch_size),
        device=device,
        checkpoint_dir=work / "checkpoints" / f"{label}-s{task.subset}-e{task.epochs}",
    )
    return {
        "task": asdict(task),
        "row": found.rows[0].model_dump(),
        "scores": [round(float(score), 6) for score in found.scores[0]],
        "curve": found.curves[0].points if found.curves else [],
    }


def packed_dataset(source: Path, work: Path) -> Path:
    if (source / "index.json").is_file():
        return source
    packed = work / "packed"
    if not packed.exists():
        print(f"packing {source.name} ...", flush=True)
        pack(source, packed, image_size=224)
    return packed


def extract_features(packed: Path, work: Path, device: str) -> None:
    for split in ("train", "test"):
        path = work / f"features-{split}.npy"
        if not path.exists():
            print(f"features of {split} ...", flush=True)
            images = PackedDataset.open(packed).images(split)  # type: ignore[arg-type]
            part = path.with_suffix(".part.npy")
            np.save(part, FeatureExtractor(device=device).extract(images))
            part.replace(path)


def read(results: Path) -> list[dict[str, Any]]:
    if not results.exists():
        return []
    lines = results.read_text().splitlines()
    found = []
    for line in lines:
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError:  # the last line of a run that was cut off
            print("a line of the results was cut off; its run is done again", file=sys.stderr)
    return found


def tasks_asked(arguments: argparse.Namespace) -> Iterable[Task]:
    """Fast ones first, then run by run, so that a table is whole before the next run begins."""
    for classifier in sorted(arguments.classifiers):
        epochs = arguments.epochs if classifier == "seed-cnn" else 0
        batch = arguments.batch if classifier == "seed-cnn" else 0
        for subset in arguments.subsets:
            for seed in arguments.seeds:
                for label in arguments.counts:
                    for arm in arguments.arms:
                        yield Task(classifier, arm, label, subset, seed, epochs, batch)


def study_form(summaries: list[ArmSummary], labels: list[str]) -> str:
    lines = [
        'Accuracy / balanced accuracy (the study\'s "AUC"):',
        "",
        "| | " + " | ".join(labels) + " |",
        "|---" * (len(labels) + 1) + "|",
    ]
    study = [STUDY.get(label) for label in labels]
    cells = ["–" if cell is None else f"{cell[0]:.2f}/{cell[1]:.2f}" for cell in study]
    lines.append("| the study, real only | " + " | ".join(cells) + " |")
    for classifier, arm in dict.fromkeys((s.classifier, s.arm) for s in summaries):
        of_arm = {
            s.real_count_label: s for s in summaries if (s.classifier, s.arm) == (classifier, arm)
        }
        cells = []
        for label in labels:
            if label not in of_arm:
                cells.append("")
                continue
            figures = of_arm[label].figures
            both = (figures["accuracy"].mean, figures["balanced_accuracy"].mean)
            cells.append(f"{both[0]:.2f}/{both[1]:.2f}")
        lines.append(f"| {classifier}, {arm} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def honest_form(summaries: list[ArmSummary]) -> str:
    lines = [
        "Mean over runs, [95% bootstrap interval over test images]:",
        "",
        f"| classifier | arm | real | runs | {' | '.join(HONEST.values())} |",
        "|---" * 9 + "|",
    ]
    for s in summaries:
        cells = [s.classifier, s.arm, s.real_count_label, str(s.n_runs)]
        for name in HONEST:
            figure = s.figures.get(name)
            cells.append(
                "–"
                if figure is None or figure.low is None or figure.high is None
                else f"{figure.mean:.3f} [{figure.low:.3f}, {figure.high:.3f}]"
            )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def tables(found: list[dict[str, Any]], positive: np.ndarray, labels: list[str]) -> str:
    arms = list(ARMS)
    found = sorted(
        found,
        key=lambda f: (
            f["row"]["classifier"],
            f["row"]["real_count"],
            arms.index(f["row"]["arm"]),
            f["row"]["subset"],
            f["row"]["seed"],
        ),
    )
    rows = [ResultRow.model_validate(f["row"]) for f in found]
    scores = [np.asarray(f["scores"], np.float32) for f in found]
    summaries = summarise(rows, scores, positive)
    return study_form(summaries, labels) + "\n\n" + honest_form(summaries)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--counts", nargs="+", default=["10", "50", "100", "200", "500", "all"])
    parser.add_argument("--arms", nargs="+", default=["real-only", "class-weights"])
    parser.add_argument("--classifiers", nargs="+", default=["probe", "seed-cnn"])
    parser.add_argument("--subsets", nargs="+", type=int, default=[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--batch", type=int, default=8)
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
    packed = packed_dataset(arguments.dataset, work)
    dataset = PackedDataset.open(packed)
    rare = arguments.rare_class or dataset.rare_class()
    positive = dataset.labels("test") == dataset.classes.index(rare)
    results = work / "results.jsonl"
    asked = list(tasks_asked(arguments))
    done = {Task(**f["task"]).key for f in read(results)}
    left = [] if arguments.only_print else [task for task in asked if task.key not in done]
    if any(task.classifier == "probe" for task in left):
        extract_features(packed, work, arguments.device)
    started = time.perf_counter()
    pool = ProcessPoolExecutor(arguments.processes, mp_context=get_context("spawn"))
    with pool, results.open("a") as file:
        running = [
            pool.submit(
                run,
                task,
                packed,
                work,
                rare,
                device=arguments.device,
                threads=arguments.threads,
            )
            for task in left
        ]
        for number, future in enumerate(as_completed(running), 1):
            found = future.result()
            file.write(json.dumps(found) + "\n")
            file.flush()
            row = found["row"]
            print(
                f"[{number}/{len(left)}, {time.perf_counter() - started:.0f} s]"
                f" {row['classifier']} {row['arm']} {row['real_count_label']} real,"
                f" subset {row['subset']}, seed {row['seed']}: accuracy {row['accuracy']:.3f},"
                f" balanced {row['balanced_accuracy']:.3f}, ROC-AUC {row['roc_auc']:.3f}"
                f" ({row['seconds']:.0f} s)",
                flush=True,
            )
    keys = {task.key for task in asked}
    found = [f for f in read(results) if Task(**f["task"]).key in keys]
    if found:
        print("\n" + tables(found, positive, arguments.counts))


if __name__ == "__main__":
    main()
