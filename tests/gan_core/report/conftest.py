"""A small study with everything that a report can show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from gan_core.report import (
    DatasetSection,
    GanSection,
    LearningCurve,
    ReportData,
    Snapshot,
    Sweep,
    render_report,
)
from gan_core.spec.job import StudySpec
from gan_core.spec.profiles import resolve
from gan_core.spec.results import ArmSummary, Interval, ResultRow, Results, Verdict

FIGURES = ("accuracy", "balanced_accuracy", "sensitivity", "specificity", "roc_auc", "pr_auc")
ARMS = {"real-only": 0.60, "class-weights": 0.70, "oversample": 0.69, "gan:infogan": 0.62}
COUNTS = [("10", 10), ("50", 50), ("all", 120)]


@pytest.fixture
def results() -> Results:
    return build_results()


def build_results(classifiers: Sequence[str] = ("probe", "seed-cnn")) -> Results:
    rows, summaries, verdicts = [], [], []
    for classifier in classifiers:
        for place, (label, count) in enumerate(COUNTS):
            for arm, base in ARMS.items():
                is_gan = arm.startswith("gan:")
                if is_gan and label == "all":
                    continue
                value = base + 0.05 * place
                figures = dict.fromkeys(FIGURES, value)
                same = {
                    "arm": arm,
                    "gan": "infogan" if is_gan else None,
                    "real_count": count,
                    "real_count_label": label,
                    "classifier": classifier,
                }
                rows += [
                    ResultRow(
                        **same,
                        subset=subset,
                        seed=0,
                        n_real=count,
                        n_fake=120 - count if is_gan else 0,
                        n_other=200,
                        seconds=1.5,
                        **figures,
                    )
                    for subset in (0, 1)
                ]
                interval = {
                    name: Interval(mean=v, sd=0.01, low=v - 0.03, high=v + 0.03)
                    for name, v in figures.items()
                }
                summaries.append(ArmSummary(**same, n_runs=2, figures=interval))
    for label, count, outcome in (("10", 10, "harms"), ("50", 50, "helps")):
        verdicts.append(
            Verdict(
                real_count=count,
                real_count_label=label,
                classifier="probe",
                gan="infogan",
                outcome=outcome,
                sentence=f"With {count} real images it {outcome}.",
                against="class-weights",
                differences={"roc_auc": Interval(mean=-0.0449, low=-0.06, high=0.003)},
                n_runs=2,
                caveats=["Two runs only."],
            )
        )
    return Results(
        rare_class="malignant",
        classes={"benign": {"train": 200, "test": 60}, "malignant": {"train": 120, "test": 40}},
        rows=rows,
        summaries=summaries,
        verdicts=verdicts,
    )


@pytest.fixture
def gan_section() -> Callable[..., GanSection]:
    return build_gan_section


def build_gan_section(count: int = 10, subset: int = 0, size: int = 16) -> GanSection:
    chance = np.random.default_rng(count + subset)

    def some(*shape: int) -> np.ndarray:
        return chance.integers(0, 256, (*shape, 3), dtype=np.uint8)

    return GanSection(
        gan="infogan",
        real_count=count,
        real_count_label=str(count),
        subset=subset,
        real=some(8, 2 * size, 2 * size),
        snapshots=[
            Snapshot(label=f"epoch {epoch}", images=some(8, size, size)) for epoch in (5, 10)
        ],
        upscaled=some(8, 2 * size, 2 * size),
        history=[
            {"epoch": float(e), "generator": 1.0 / e, "discriminator": 0.2} for e in (1, 5, 10)
        ],
        sweeps=[Sweep(code=code, images=some(3, 5, size, size)) for code in (0, 1)],
        facts={"epochs": "10"},
    )


@pytest.fixture
def data() -> ReportData:
    return build_data()


@pytest.fixture(scope="session")
def whole_page() -> str:
    """The page of ``data``, rendered once."""
    return render_report(build_data())


@pytest.fixture
def untested(data: ReportData) -> ReportData:
    """The same study without a classifier: rendered in a moment."""
    empty = Results(rare_class="malignant", classes={}, rows=[], summaries=[], verdicts=[])
    return replace(data, results=empty, curves=[])


def build_data() -> ReportData:
    results = build_results(["probe"])
    spec = resolve(StudySpec(profile="quick"), {"benign": 200, "malignant": 120})
    points = [
        {
            "epoch": float(epoch),
            "train_loss": 1.0 / epoch,
            "val_loss": 1.2 / epoch,
            "train_accuracy": 1 - 0.5 / epoch,
            "val_accuracy": 1 - 0.6 / epoch,
        }
        for epoch in (1, 2, 3)
    ]
    return ReportData(
        results=results,
        spec=spec.model_dump(mode="json"),
        dataset=DatasetSection(
            digest="0123456789abcdef" * 4,
            image_size=224,
            classes=results.classes,
            problems=[{"code": "truncated", "detail": "The file is cut off.", "entry": "17"}],
            exact_duplicates=1,
            near_duplicates=4,
            across_splits=2,
        ),
        version="0.1.0",
        gans=[build_gan_section(10), build_gan_section(50)],
        curves=[
            LearningCurve(
                classifier="seed-cnn",
                arm=arm,
                real_count=10,
                real_count_label="10",
                subset=0,
                seed=0,
                points=points,
            )
            for arm in ARMS
        ],
        advice=["Ask for more runs."],
        environment={"torch": "2.15.0"},
        steps={"train:infogan:10:s0": "ab" * 32},
        created_at="2026-01-02T03:04:05+00:00",
    )
