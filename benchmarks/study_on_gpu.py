"""The seed study's whole table on one machine in one command, and the time of every stage.

    python benchmarks/study_on_gpu.py DATASET --work DIR [--gan fastgan] [--device cuda]

DATASET is a zip or folder of class folders. Seven real counts, InfoGAN and one modern GAN, all of
their images upscaled by Real-ESRGAN ×4 as in the study, five classifier seeds in every arm. It goes
through ``gan_core.study``, like any study, so that it can be stopped and goes on where it was; the
seconds of the stages add up over the calls (DIR/stages.json). At the end it prints the stages and
the table as they go into ``docs/results.md``, and writes both to DIR/table.md; DIR/study holds the
report, the zip and every step.

    python benchmarks/study_on_gpu.py --tiny --work DIR

is the same with drawn phantoms, two real counts, a few steps and two seeds: it shows in minutes on
a CPU that the whole goes through. Its figures mean nothing.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from gan_core.phantoms import draw_phantoms
from gan_core.phantoms.writing import Counts
from gan_core.progress import Progress
from gan_core.spec.job import StudySpec
from gan_core.spec.results import ArmSummary, Results
from gan_core.steps import StepSettings
from gan_core.study import run_study

COUNTS = [10, 50, 100, 200, 250, 300, 500]
TINY: Counts = {
    "train": {"benign": 10, "malignant": 8},
    "test": {"benign": 6, "malignant": 6},
}
FIGURES = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "roc_auc": "ROC-AUC",
}
STAGES = ("ingest", "features", "train", "generate", "upscale", "evaluate", "report", "package")


def study_spec(gan: str, seeds: int, epochs: int | None) -> StudySpec:
    """Describe the study's own settings (``profile: seed``), with one GAN more."""
    modern: dict[str, Any] = {"name": gan}
    if epochs is not None:
        modern["epochs"] = epochs
    return StudySpec.model_validate(
        {
            "profile": "seed",
            "name": f"The study's table: InfoGAN and {gan}",
            "real_counts": COUNTS,
            "gans": [{"name": "infogan"}, modern],
            "benchmark": {"classifiers": ["seed-cnn", "probe"], "seeds": list(range(seeds))},
        }
    )


def tiny_spec(gan: str) -> StudySpec:
    """Describe the same study, so small that two CPU cores do it in minutes."""
    short = {"epochs": 2, "batch_size": 4, "image_size": 32}
    return StudySpec.model_validate(
        {
            "profile": "seed",
            "name": f"Tiny: InfoGAN and {gan}",
            "real_counts": [4, 6],
            "gans": [{"name": "infogan", **short}, {"name": gan, **short}],
            "balance_to": 8,
            "upscale": {"engine": "realesrgan", "size": 224},
            "benchmark": {
                "classifiers": ["seed-cnn", "probe"],
                "seeds": [0, 1],
                "seed_cnn": {"epochs": 1, "batch_size": 4},
            },
        }
    )


class Stages:
    """Adds up the seconds of each kind of step, as the study tells of its beginnings."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.seconds: dict[str, float] = (
            json.loads(path.read_text()) if path.exists() else dict.fromkeys(STAGES, 0.0)
        )
        # Before its first step a study reads and packs the images.
        self._kind, self._since = "ingest", time.perf_counter()
        self._told = 0.0

    def hear(self, progress: Progress) -> None:
        """Take note of a step's beginning, and say now and then what is going on."""
        kind = progress.detail.split(":")[0]
        is_beginning = kind in STAGES and " " not in progress.detail
        if is_beginning or progress.detail == "done":
            self.turn(kind if is_beginning else "package")
        now = time.perf_counter()
        if is_beginning or now - self._told > 10:
            self._told = now
            print(f"{progress.fraction:6.1%}  {progress.detail}", flush=True)

    def turn(self, kind: str) -> None:
        """End a stage, begin the next, and write down what there is."""
        now = time.perf_counter()
        self.seconds[self._kind] += now - self._since
        self._kind, self._since = kind, now
        self._path.write_text(json.dumps(self.seconds))

    def lines(self) -> list[str]:
        """Lay the stages out as Markdown."""
        total = sum(self.seconds.values())
        rows = [
            f"| {name} | {seconds:.0f} | {seconds / max(total, 1e-9):.0%} |"
            for name, seconds in self.seconds.items()
        ]
        return [
            "| stage | seconds | share |",
            "|---|---|---|",
            *rows,
            f"| **all** | **{total:.0f}** ({total / 60:.1f} min) | |",
        ]


def table_lines(summaries: Iterable[ArmSummary]) -> list[str]:
    """Lay the table out as Markdown: means over runs and 95% bootstrap intervals."""
    lines = [
        f"| classifier | arm | real | runs | {' | '.join(FIGURES.values())} |",
        "|---" * (4 + len(FIGURES)) + "|",
    ]
    for one in summaries:
        cells = [one.classifier, one.arm, one.real_count_label, str(one.n_runs)]
        for name in FIGURES:
            figure = one.figures.get(name)
            text = "–" if figure is None else f"{figure.mean:.3f}"
            if figure is not None and figure.low is not None and figure.high is not None:
                text += f" [{figure.low:.3f}, {figure.high:.3f}]"
            cells.append(text)
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def written(results: Results, stages: Stages, device: str) -> str:
    """Lay out what goes into ``docs/results.md``."""
    name = (
        torch.cuda.get_device_name() if device == "cuda" else f"{torch.get_num_threads()} threads"
    )
    failed = [f"- {column['detail']}" for column in results.failed]
    sentences = [f"- {verdict.sentence}" for verdict in results.verdicts]
    parts = [
        [f"One run on {device} ({name}), torch {torch.__version__}."],
        stages.lines(),
        table_lines(results.summaries),
        sentences,
        ["Columns that failed:", *failed] if failed else [],
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path, nargs="?")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--gan", default="fastgan", help="the modern one")
    parser.add_argument("--gan-epochs", type=int, default=None, help="null: its profile's")
    parser.add_argument("--seeds", type=int, default=5, help="of the classifiers, in every arm")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--cache-dir", type=Path, default=None, help="of converted weights")
    parser.add_argument("--tiny", action="store_true")
    arguments = parser.parse_args()
    if arguments.dataset is None and not arguments.tiny:
        parser.error("a data set is needed, or --tiny")
    return arguments


def main() -> None:
    arguments = parsed()
    work: Path = arguments.work
    work.mkdir(parents=True, exist_ok=True)
    data = arguments.dataset
    if data is None:
        data = work / "phantoms"
        if not data.exists():
            counts = {
                "train": {"benign": 10, "malignant": 8},
                "test": {"benign": 6, "malignant": 6},
            }
            draw_phantoms(data, counts=counts)
    spec = (
        tiny_spec(arguments.gan)
        if arguments.tiny
        else study_spec(arguments.gan, arguments.seeds, arguments.gan_epochs)
    )
    settings = StepSettings(
        device=arguments.device, cache_dir=arguments.cache_dir or work / "cache"
    )
    stages = Stages(work / "stages.json")
    try:
        results = run_study(data, spec, work / "study", settings=settings, on_progress=stages.hear)
    finally:
        stages.turn("package")
    text = written(results, stages, arguments.device)
    (work / "table.md").write_text(text)
    print("\n" + text)


if __name__ == "__main__":
    main()
