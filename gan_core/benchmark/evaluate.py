"""Trains the classifiers of some arms at one real count and tests them on the real test images."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gan_core.benchmark.arms import arm_named
from gan_core.benchmark.cnn_trials import Means, seed_cnn_runs
from gan_core.benchmark.crossfit import HeldOut, folds_of
from gan_core.benchmark.finetune_trials import finetune_runs
from gan_core.benchmark.metrics import figures
from gan_core.benchmark.probe_trials import ProbeRun, probe_runs
from gan_core.benchmark.trials import (
    BenchmarkData,
    BoolArray,
    Column,
    Fakes,
    FloatArray,
    Ground,
    Points,
    Sources,
    Trial,
    prepare_trial,
)
from gan_core.classifiers.finetune import FinetuneConfig
from gan_core.classifiers.seed_cnn import SeedCnnConfig
from gan_core.progress import (
    OnProgress,
    ShouldStop,
    Stopped,
    ignore_progress,
    never_stop,
    part,
)
from gan_core.spec.findings import RatioPoint
from gan_core.spec.results import ResultRow

__all__ = ["BenchmarkData", "Curve", "Evaluation", "Fakes", "evaluate_arms"]

RATIOS = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0)
FOLDS = 5
_SHARES = {"seed-cnn": 1.0, "finetune": 1.0, "probe": 0.002}
"""How long a trial takes, about, to the others: for the bar."""


@dataclass(frozen=True)
class Curve:
    """Loss and accuracy of one training; the validation images are real ones."""

    classifier: str
    arm: str
    real_count: int
    real_count_label: str
    subset: int
    seed: int
    points: list[dict[str, float]]


@dataclass(frozen=True)
class Evaluation:
    """What was found.

    Attributes:
        rows: One a run.
        scores: float32 [rows, M], each run's probability of the rare class for each test image.
        curves: Of the classifiers that train in epochs.
        ratios: Every ratio that was tried by an arm that chooses one.
    """

    rows: list[ResultRow]
    scores: FloatArray
    curves: list[Curve] = field(default_factory=list)
    ratios: list[RatioPoint] = field(default_factory=list)


@dataclass(frozen=True)
class _Run:
    trial: Trial
    scores: FloatArray
    held: HeldOut
    points: Points = field(default_factory=list)
    probe: ProbeRun | None = None


def evaluate_arms(
    arms: Mapping[str, Sequence[str]],
    data: BenchmarkData,
    *,
    real_count: int,
    real_count_label: str,
    subset: int,
    seeds: Sequence[int],
    sources: Sources | None = None,
    fill_to: int | None = None,
    folds: int = FOLDS,
    ratios: Sequence[float] = RATIOS,
    seed_cnn: SeedCnnConfig = SeedCnnConfig(),  # noqa: B008 - frozen
    finetune: FinetuneConfig = FinetuneConfig(),  # noqa: B008 - frozen
    device: torch.device | str = "cpu",
    checkpoint_dir: Path | None = None,
    checkpoint_seconds: float = 60.0,
    on_progress: OnProgress = ignore_progress,
    should_stop: ShouldStop = never_stop,
) -> Evaluation:
    """Train every classifier with every seed in every arm, and test each on the real test images.

    On a GPU the seed CNNs of all arms and seeds train side by side (``train_seed_cnns``), and
    everywhere all probes are fitted together (``fit_probes``).

    Args:
        arms: Classifier ("seed-cnn", "probe", "finetune") → full names of its arms.
        data: The real images.
        real_count: Real images of the rare class in training.
        real_count_label: The real count as it was asked for.
        subset: Seed of the nested subset, and of the folds.
        seeds: Of the classifiers' training. The probe's loss is convex: its runs differ with the
            subset, and with the seed only when oversampled.
        sources: Images that join the rare class, by name: ``fakes`` and ``unscreened``, made by a
            GAN that saw this subset alone, and ``control-<size>``.
        fill_to: Up to how many images these fill the rare class; None: with all that there are.
        folds: For cross-fitting the probe.
        ratios: Synthetic images to a real one, among which ``gan:…@ratio`` chooses.
        seed_cnn: Its settings; seed, class weights, sampling and augmentation are set here.
        finetune: The same.
        device: Where to train.
        checkpoint_dir: An evaluation that was stopped goes on from here.
        checkpoint_seconds: Time from one checkpoint of a training to the next, at least.
        on_progress: Told of the whole.
        should_stop: Asked before every step of a training.

    Returns:
        Rows in the order classifiers × arms × seeds. The seconds of a row are those of all of its
        classifier, shared out.

    Raises:
        GraftError: ``unknown_arm``, ``unknown_classifier``, ``fakes_missing``,
            ``features_missing``, ``real_count_too_large``, and the classifiers' own.
        Stopped: ``should_stop`` said so.
    """
    column = Column.of(data, real_count, subset, fill_to)
    ground = Ground(data, column, sources or {})
    trials = {
        classifier: [
            prepare_trial(ground, classifier, arm_named(name), seed)
            for name in names
            for seed in seeds
        ]
        for classifier, names in arms.items()
    }
    if should_stop():
        raise Stopped
    means = Means(
        real_count_label, device, checkpoint_dir, checkpoint_seconds, on_progress, should_stop
    )

    def probed(own: Sequence[Trial], with_: Means) -> list[_Run]:
        groups = None if data.groups is None else data.groups[column.pool]
        cut = folds_of(np.isin(column.pool, column.chosen), folds, subset, groups)
        found = probe_runs(
            own,
            ground,
            cut,
            ratios=ratios,
            device=device,
            on_progress=with_.on_progress,
            should_stop=should_stop,
        )
        return [_Run(one.best.trial, one.best.scores, one.best.held, probe=one) for one in found]

    def trained(own: Sequence[Trial], with_: Means) -> list[_Run]:
        if own[0].classifier == "seed-cnn":
            found = seed_cnn_runs(own, ground, seed_cnn, with_)
        else:
            found = finetune_runs(own, ground, finetune, with_)
        return [
            _Run(trial, one.scores, one.held, one.points)
            for trial, one in zip(own, found, strict=True)
        ]

    where = {"real_count": real_count, "real_count_label": real_count_label, "subset": subset}
    return _judged(_timed(trials, means, probed, trained), data, where)


def _timed(
    trials: Mapping[str, Sequence[Trial]],
    means: Means,
    probed: Callable[[Sequence[Trial], Means], list[_Run]],
    trained: Callable[[Sequence[Trial], Means], list[_Run]],
) -> list[tuple[_Run, float]]:
    """Do the trials of each classifier, and say how many seconds each run took."""
    shares = {name: _SHARES[name] * len(own) for name, own in trials.items()}
    whole, done = sum(shares.values()), 0.0
    found = []
    for name, own in trials.items():
        if not own:
            continue
        started = time.perf_counter()
        start, done = done, done + shares[name] / whole
        its = replace(means, on_progress=part(means.on_progress, start, done))
        runs = (probed if name == "probe" else trained)(own, its)
        seconds = (time.perf_counter() - started) / len(runs)
        found += [(run, seconds) for run in runs]
    return found


def _judged(
    runs: Sequence[tuple[_Run, float]], data: BenchmarkData, where: dict[str, Any]
) -> Evaluation:
    positive = data.test_labels == data.rare_index
    rows, curves, ratios = [], [], []
    scores = np.zeros((len(runs), len(positive)), np.float32)
    for line, (run, seconds) in enumerate(runs):
        trial, held = run.trial, run.held
        scores[line] = run.scores
        own = {"classifier": trial.classifier, "seed": trial.seed, **where}
        rows.append(
            ResultRow(
                arm=trial.arm.name,
                gan=trial.arm.gan,
                n_real=trial.n_real,
                n_fake=trial.n_fake,
                n_other=trial.n_other,
                ratio=trial.ratio,
                threshold=held.threshold,
                heldout_roc_auc=held.roc_auc,
                heldout_balanced_accuracy=held.balanced_accuracy,
                seconds=seconds,
                **own,
                **figures(run.scores, positive, held.threshold),
            )
        )
        if run.points:
            curves.append(Curve(arm=trial.arm.name, points=run.points, **own))
        if run.probe is not None:
            ratios += _points(run.probe, positive, own)
    return Evaluation(rows, scores, curves, ratios)


def _points(run: ProbeRun, positive: BoolArray, own: dict[str, Any]) -> list[RatioPoint]:
    points = []
    for tried in run.tried:
        found = figures(tried.scores, positive, tried.held.threshold)
        points.append(
            RatioPoint(
                gan=tried.trial.arm.gan or "",
                ratio=tried.ratio,
                n_fake=tried.trial.n_fake,
                heldout_roc_auc=tried.held.roc_auc,
                roc_auc=found["roc_auc"],
                moved_balanced_accuracy=found["moved_balanced_accuracy"],
                is_chosen=tried is run.best,
                **own,
            )
        )
    return points
