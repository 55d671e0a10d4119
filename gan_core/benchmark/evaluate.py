"""Trains the classifiers of some arms at one real count and tests them on the real test images."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import numpy as np
import torch

from gan_core.benchmark.arms import arm_named
from gan_core.benchmark.metrics import figures
from gan_core.benchmark.subsets import nested_subset
from gan_core.benchmark.trials import (
    BenchmarkData,
    Fakes,
    FloatArray,
    Points,
    prepare_trial,
    probe_scores,
    seed_cnn_scores,
)
from gan_core.classifiers.seed_cnn import SeedCnnConfig
from gan_core.progress import (
    OnProgress,
    Progress,
    ShouldStop,
    Stopped,
    ignore_progress,
    never_stop,
    part,
)
from gan_core.spec.results import ResultRow

__all__ = ["BenchmarkData", "Curve", "Evaluation", "Fakes", "evaluate_arms"]


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
    """

    rows: list[ResultRow]
    scores: FloatArray
    curves: list[Curve] = field(default_factory=list)


def evaluate_arms(
    arms: Sequence[str],
    data: BenchmarkData,
    *,
    real_count: int,
    real_count_label: str,
    subset: int,
    seeds: Sequence[int],
    classifiers: Sequence[str],
    seed_cnn: SeedCnnConfig = SeedCnnConfig(),  # noqa: B008 - frozen
    fakes: Fakes | None = None,
    device: torch.device | str = "cpu",
    checkpoint_dir: Path | None = None,
    checkpoint_seconds: float = 60.0,
    on_progress: OnProgress = ignore_progress,
    should_stop: ShouldStop = never_stop,
) -> Evaluation:
    """Train every classifier with every seed in every arm, and test each on the real test images.

    On a GPU the seed CNNs of all arms and seeds train side by side (``train_seed_cnns``).

    Args:
        arms: Names; arms of a GAN use all of ``fakes``.
        data: The real images.
        real_count: Real images of the rare class in training.
        real_count_label: The real count as it was asked for.
        subset: Seed of the nested subset.
        seeds: Of the classifiers' training. The probe's loss is convex: its runs differ with the
            subset, and with the seed only when oversampled.
        classifiers: "seed-cnn", "probe".
        seed_cnn: Its settings; seed, class weights and sampling are set here.
        fakes: Made by a GAN that saw this subset alone.
        device: Where to train.
        checkpoint_dir: An evaluation that was stopped goes on from here.
        checkpoint_seconds: Time from one checkpoint of a training to the next, at least.
        on_progress: Told of the whole.
        should_stop: Asked before every step of a training.

    Returns:
        Rows in the order classifiers × arms × seeds. The seconds of a seed CNN are those of all,
        shared out.

    Raises:
        GraftError: ``unknown_arm``, ``unknown_classifier``, ``fakes_missing``,
            ``features_missing``, ``real_count_too_large``, and the classifiers' own.
        Stopped: ``should_stop`` said so.
    """
    chosen = nested_subset(data.train_labels, data.rare_index, real_count, subset)
    n_fake = 0 if fakes is None else fakes.images.shape[0]
    trials = [
        prepare_trial(data, classifier, arm, seed, chosen=chosen, n_fake=n_fake)
        for classifier, arm, seed in product(classifiers, [arm_named(name) for name in arms], seeds)
    ]
    positive = data.test_labels == data.rare_index
    scores = np.zeros((len(trials), len(positive)), np.float32)
    seconds = np.zeros(len(trials))
    points: list[Points] = [[] for _ in trials]
    cnns = [n for n, one in enumerate(trials) if one.classifier == "seed-cnn"]
    probes = [n for n, one in enumerate(trials) if one.classifier == "probe"]
    # A probe takes less than a second: it is not worth a share of the bar.
    share = len(cnns) / max(len(cnns) + 0.01 * len(probes), 1e-9)
    if should_stop():
        raise Stopped
    if cnns:
        started = time.perf_counter()
        scores[cnns], curves = seed_cnn_scores(
            [trials[n] for n in cnns],
            data,
            fakes,
            config=seed_cnn,
            label=real_count_label,
            device=device,
            checkpoint_dir=checkpoint_dir,
            checkpoint_seconds=checkpoint_seconds,
            on_progress=part(on_progress, 0.0, share),
            should_stop=should_stop,
        )
        seconds[cnns] = (time.perf_counter() - started) / len(cnns)
        for n, curve in zip(cnns, curves, strict=True):
            points[n] = curve
    for done, n in enumerate(probes, 1):
        if should_stop():
            raise Stopped
        started = time.perf_counter()
        scores[n] = probe_scores(trials[n], data, fakes)
        seconds[n] = time.perf_counter() - started
        fraction = share + (1 - share) * done / len(probes)
        detail = f"{trials[n].arm.name}, {real_count_label} real, probe"
        on_progress(Progress(fraction, detail))
    where = {
        "real_count": real_count,
        "real_count_label": real_count_label,
        "subset": subset,
    }
    rows = [
        ResultRow(
            arm=one.arm.name,
            gan=one.arm.gan,
            seed=one.seed,
            classifier=one.classifier,
            n_real=len(chosen),
            n_fake=one.n_fake,
            n_other=one.counts[0],
            seconds=float(seconds[n]),
            **where,
            **figures(scores[n], positive),
        )
        for n, one in enumerate(trials)
    ]
    found = [
        Curve(one.classifier, one.arm.name, real_count, real_count_label, subset, one.seed, curve)
        for one, curve in zip(trials, points, strict=True)
        if curve
    ]
    return Evaluation(rows, scores, found)
