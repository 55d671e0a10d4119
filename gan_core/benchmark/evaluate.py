"""Trains the classifiers of some arms at one real count and tests them on the real test images."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from gan_core.benchmark.arms import Arm, arm_named, balanced_weights
from gan_core.benchmark.metrics import figures
from gan_core.benchmark.subsets import nested_subset, training_pool
from gan_core.classifiers.images import ImageRows, StackedImages
from gan_core.classifiers.probe import fit_probe
from gan_core.classifiers.seed_cnn import (
    EpochRecord,
    SeedCnnConfig,
    balanced_order,
    train_seed_cnn,
)
from gan_core.progress import (
    OnProgress,
    Progress,
    ShouldStop,
    Stopped,
    ignore_progress,
    never_stop,
    part,
)
from gan_core.spec.errors import GraftError
from gan_core.spec.results import ResultRow

FloatArray = NDArray[np.float32]
IndexArray = NDArray[np.int64]


@dataclass(frozen=True)
class BenchmarkData:
    """The real images.

    Attributes:
        train_images: uint8 [N, 224, 224, 3].
        train_labels: int64 [N], class of each.
        test_images: uint8 [M, 224, 224, 3]: nothing is ever chosen by them.
        test_labels: int64 [M].
        rare_index: The rare class; all others together are the other side of the question.
        train_features: float32 [N, D], for the probe.
        test_features: float32 [M, D].
    """

    train_images: ImageRows
    train_labels: IndexArray
    test_images: ImageRows
    test_labels: IndexArray
    rare_index: int
    train_features: FloatArray | None = None
    test_features: FloatArray | None = None


@dataclass(frozen=True)
class Fakes:
    """Synthetic images of the rare class: uint8 [M, 224, 224, 3], and features float32 [M, D]."""

    images: ImageRows
    features: FloatArray | None = None


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


@dataclass(frozen=True)
class _TrainingSet:
    """Rows of real images, labels 0/1 of real then synthetic ones."""

    real_rows: IndexArray
    labels: IndexArray
    n_fake: int

    @property
    def is_real(self) -> NDArray[np.bool_]:
        return np.arange(len(self.labels)) < len(self.real_rows)

    @property
    def counts(self) -> tuple[int, int]:
        rare = int(self.labels.sum())
        return len(self.labels) - rare, rare


def _training_set(data: BenchmarkData, arm: Arm, chosen: IndexArray, n_fake: int) -> _TrainingSet:
    rows = training_pool(data.train_labels, data.rare_index, chosen)
    real = (data.train_labels[rows] == data.rare_index).astype(np.int64)
    n_fake = n_fake if arm.gan else 0
    return _TrainingSet(rows, np.concatenate([real, np.ones(n_fake, np.int64)]), n_fake)


def _point(record: EpochRecord) -> dict[str, float]:
    values = {
        "epoch": float(record.epoch),
        "train_loss": record.train_loss,
        "train_accuracy": record.train_accuracy,
        "val_loss": record.validation_loss,
        "val_accuracy": record.validation_accuracy,
    }
    return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True)
class _Runner:
    data: BenchmarkData
    fakes: Fakes | None
    config: SeedCnnConfig
    device: torch.device | str
    checkpoint_dir: Path | None
    checkpoint_seconds: float
    should_stop: ShouldStop

    def run(
        self, classifier: str, arm: Arm, made_of: _TrainingSet, seed: int, tell: OnProgress
    ) -> tuple[FloatArray, list[dict[str, float]]]:
        """Train and score; returns scores [M] and the curve's points."""
        weights = balanced_weights(*made_of.counts) if arm.has_class_weights else None
        if classifier == "probe":
            return self._probe(arm, made_of, seed, weights), []
        if classifier != "seed-cnn":
            raise GraftError(
                "unknown_classifier",
                f"There is no classifier {classifier!r}.",
                "Known are: seed-cnn, probe.",
            )
        config = replace(self.config, seed=seed, class_weights=weights, sampling=arm.sampling)
        parts: list[tuple[ImageRows, IndexArray]] = [(self.data.train_images, made_of.real_rows)]
        if made_of.n_fake and self.fakes is not None:
            parts.append((self.fakes.images, np.arange(made_of.n_fake)))
        folder = f"seed-cnn-{arm.name}-{seed}".replace(":", "-")
        result = train_seed_cnn(
            StackedImages(parts),
            made_of.labels,
            config,
            is_real=made_of.is_real,
            device=self.device,
            checkpoint_dir=self.checkpoint_dir and self.checkpoint_dir / folder,
            checkpoint_seconds=self.checkpoint_seconds,
            on_progress=part(tell, 0.0, 0.97),
            should_stop=self.should_stop,
        )
        scores = result.predict(
            self.data.test_images,
            on_progress=part(tell, 0.97, 1.0),
            should_stop=self.should_stop,
        )
        return scores, [_point(record) for record in result.history]

    def _probe(
        self, arm: Arm, made_of: _TrainingSet, seed: int, weights: tuple[float, float] | None
    ) -> FloatArray:
        if self.data.train_features is None or self.data.test_features is None:
            raise GraftError(
                "features_missing",
                "The probe needs the features of the real images, and there are none.",
                "Extract features first.",
            )
        features = self.data.train_features[made_of.real_rows]
        if made_of.n_fake and self.fakes is not None:
            if self.fakes.features is None:
                raise GraftError(
                    "features_missing",
                    "The probe needs the features of the synthetic images, and there are none.",
                    "Extract features first.",
                )
            features = np.concatenate([features, self.fakes.features])
        labels = made_of.labels
        if arm.sampling == "oversample":
            shown = balanced_order(labels, np.arange(len(labels)), np.random.default_rng(seed))
            features, labels = features[shown], labels[shown]
        probe = fit_probe(features, labels, class_weights=weights)
        return probe.predict(self.data.test_features)


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
        Rows in the order classifiers × arms × seeds.

    Raises:
        GraftError: ``unknown_arm``, ``unknown_classifier``, ``fakes_missing``,
            ``features_missing``, ``real_count_too_large``, and the classifiers' own.
        Stopped: ``should_stop`` said so.
    """
    chosen = nested_subset(data.train_labels, data.rare_index, real_count, subset)
    n_fake = 0 if fakes is None else fakes.images.shape[0]
    positive = data.test_labels == data.rare_index
    runner = _Runner(data, fakes, seed_cnn, device, checkpoint_dir, checkpoint_seconds, should_stop)
    runs = list(product(classifiers, [arm_named(name) for name in arms], seeds))
    # A probe takes less than a second: it is not worth a share of the bar.
    costs = np.cumsum([0.0] + [1.0 if run[0] == "seed-cnn" else 0.01 for run in runs])
    rows: list[ResultRow] = []
    scores = np.zeros((len(runs), len(positive)), np.float32)
    curves: list[Curve] = []
    for number, (classifier, arm, seed) in enumerate(runs):
        if should_stop():
            raise Stopped
        if arm.gan and not n_fake:
            raise GraftError(
                "fakes_missing",
                f"The arm {arm.name} needs synthetic images, and there are none.",
                "Generate images first, or leave the arm out.",
            )
        made_of = _training_set(data, arm, chosen, n_fake)
        label = f"{arm.name}, {real_count_label} real, "
        whole = part(on_progress, costs[number] / costs[-1], costs[number + 1] / costs[-1])

        def tell(progress: Progress, whole: OnProgress = whole, label: str = label) -> None:
            whole(Progress(progress.fraction, label + progress.detail))

        started = time.perf_counter()
        scores[number], points = runner.run(classifier, arm, made_of, seed, tell)
        tell(Progress(1.0, classifier))
        rows.append(
            ResultRow(
                arm=arm.name,
                gan=arm.gan,
                real_count=real_count,
                real_count_label=real_count_label,
                subset=subset,
                seed=seed,
                classifier=classifier,
                n_real=len(chosen),
                n_fake=made_of.n_fake,
                n_other=made_of.counts[0],
                seconds=time.perf_counter() - started,
                **figures(scores[number], positive),
            )
        )
        if points:
            curves.append(
                Curve(classifier, arm.name, real_count, real_count_label, subset, seed, points)
            )
    return Evaluation(rows, scores, curves)
