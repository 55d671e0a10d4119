"""The report of a study of which some columns failed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gan_core.phantoms import draw_phantoms
from gan_core.progress import Progress, never_stop
from gan_core.reading import PackedDataset, pack
from gan_core.report.failures import failed_columns
from gan_core.spec import StudySpec, plan_study, resolve
from gan_core.spec.results import ResultRow, Results
from gan_core.steps import StepContext, StepSettings, run_step
from gan_core.steps.report import _lost_trainings
from gan_core.study import facts

HISTORY = [{"epoch": float(e), "generator": 10.0**e, "discriminator": 0.01} for e in range(1, 6)]
LOST = "train:infogan:6:s1"
FAILED = {
    "step": LOST,
    "code": "diverged",
    "detail": "The training diverged by epoch 6.",
    "hint": "Lower the learning rate.",
    "evidence": {"history": HISTORY},
}


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    counts = {"train": {"benign": 14, "malignant": 10}, "test": {"benign": 6, "malignant": 6}}
    draw_phantoms(folder / "pictures", counts=counts, image_size=64)
    pack(folder / "pictures", folder / "packed", image_size=64)
    return folder / "packed"


def evaluated(folder: Path, arms: list[str], subset: int, n_test: int) -> Path:
    """What an evaluation leaves, with figures made up."""
    folder.mkdir()
    chance = np.random.default_rng([subset, len(arms)])
    rows = [
        ResultRow(
            arm=arm,
            gan="infogan" if arm == "gan:infogan" else None,
            real_count=6,
            real_count_label="6",
            subset=subset,
            seed=0,
            classifier="probe",
            n_real=6,
            n_fake=4 if arm == "gan:infogan" else 0,
            n_other=14,
            seconds=1.0,
            **dict.fromkeys(
                (
                    *("accuracy", "balanced_accuracy", "sensitivity", "specificity"),
                    *("roc_auc", "pr_auc"),
                ),
                0.5,
            ),
        ).model_dump()
        for arm in arms
    ]
    (folder / "rows.json").write_text(json.dumps(rows))
    np.save(folder / "scores.npy", chance.random((len(arms), n_test), dtype=np.float32))
    (folder / "curves.json").write_text("[]")
    return folder


@pytest.fixture(scope="module")
def told() -> list[Progress]:
    """What the report said of its progress."""
    return []


@pytest.fixture(scope="module")
def outputs(packed: Path, told: list[Progress], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of two subsets, on the second of which the GAN's training diverged."""
    folder = tmp_path_factory.mktemp("step")
    dataset = PackedDataset.open(packed)
    asked = {
        "profile": "quick",
        "real_counts": [6],
        "gans": [{"name": "infogan", "image_size": 32, "epochs": 6, "batch_size": 4}],
        "benchmark": {"classifiers": ["probe"], "subsets": [0, 1]},
    }
    spec = resolve(StudySpec.model_validate(asked), facts(dataset).train_counts())
    (planned,) = [s for s in plan_study(spec, facts(dataset)).steps if s.kind == "report"]
    n_test = len(dataset.labels("test"))
    base = ["real-only", "class-weights", "oversample"]
    inputs = {
        "dataset": packed,
        "evaluate-real-6-s0": evaluated(folder / "real-0", base, 0, n_test),
        "evaluate-real-6-s1": evaluated(folder / "real-1", base, 1, n_test),
        "evaluate-infogan-6-s0": evaluated(folder / "gan-0", ["gan:infogan"], 0, n_test),
    }
    for name in ("outputs", "checkpoints"):
        (folder / name).mkdir()
    params: dict[str, Any] = {**planned.params, "failed": [FAILED]}
    context = StepContext(
        name="report",
        kind="report",
        key="k",
        params=params,
        inputs=inputs,
        outputs=folder / "outputs",
        checkpoints=folder / "checkpoints",
        settings=StepSettings(device="cpu", cache_dir=folder / "cache"),
        job={},
        on_progress=told.append,
        should_stop=never_stop,
    )
    run_step(context)
    return folder / "outputs"


def test_the_results_tell_which_column_failed_and_why(outputs: Path) -> None:
    results = Results.model_validate_json((outputs / "results.json").read_text())
    (told,) = results.failed
    assert told["arm"] == "gan:infogan"
    assert (told["real_count"], told["subset"], told["stage"]) == ("6", "1", "train")
    assert (told["code"], told["detail"]) == ("diverged", "The training diverged by epoch 6.")
    assert {row.arm for row in results.rows} >= {"real-only", "gan:infogan"}


def test_the_page_names_it_and_shows_the_curves_that_it_left(outputs: Path) -> None:
    page = (outputs / "report.html").read_text()
    assert "InfoGAN, 6 real images, subset 1: training failed" in page
    assert page.count("The training diverged by epoch 6.") >= 2
    # No other GAN has curves here, so these are the failed one's.
    assert (outputs / "curves.png").stat().st_size > 0


def test_a_verdict_says_how_many_of_its_trainings_failed(outputs: Path) -> None:
    results = Results.model_validate_json((outputs / "results.json").read_text())
    (verdict,) = results.verdicts
    assert any("failed" in caveat for caveat in verdict.caveats), verdict.caveats


def test_the_report_gives_signs_of_life_while_it_computes(
    outputs: Path, told: list[Progress]
) -> None:
    # The bootstrap of a large study takes longer than a worker waits for a silent step.
    assert outputs.exists()
    runs = len(json.loads((outputs / "results.json").read_text())["rows"])
    assert len(told) >= runs


def test_a_verdict_counts_the_trainings_that_a_pretraining_took_along() -> None:
    lost = [f"train:fastgan:50:s{subset}" for subset in range(3)] + ["train:fastgan:all:s0"]
    told = failed_columns([{"step": "pretrain:fastgan", "code": "diverged", "lost": lost}])
    assert _lost_trainings(told) == {("fastgan", "50"): 3, ("fastgan", "all"): 1}
