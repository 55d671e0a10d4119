"""One training and test of one classifier in one arm, and how many of them are done together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from gan_core.benchmark.arms import Arm, balanced_weights
from gan_core.benchmark.subsets import training_pool
from gan_core.classifiers.images import ImageRows, StackedImages
from gan_core.classifiers.probe import fit_probe
from gan_core.classifiers.seed_cnn import (
    EpochRecord,
    SeedCnnConfig,
    SeedCnnRun,
    balanced_order,
    predict_together,
    train_seed_cnns,
)
from gan_core.progress import OnProgress, Progress, ShouldStop, part
from gan_core.spec.errors import GraftError

FloatArray = NDArray[np.float32]
IndexArray = NDArray[np.int64]
Points = list[dict[str, float]]


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
class Trial:
    """One training: a classifier, an arm, a seed, and the images of the arm.

    Attributes:
        classifier: "seed-cnn" or "probe".
        arm: The arm.
        seed: Of the training.
        real_rows: int64 [n], rows of the real training images.
        labels: int64 [n + n_fake], 1 for the rare class: real, then synthetic images.
        n_fake: Synthetic images.
    """

    classifier: str
    arm: Arm
    seed: int
    real_rows: IndexArray
    labels: IndexArray
    n_fake: int

    @property
    def counts(self) -> tuple[int, int]:
        """Images of the other classes and of the rare one."""
        rare = int(self.labels.sum())
        return len(self.labels) - rare, rare

    @property
    def class_weights(self) -> tuple[float, float] | None:
        """Of the loss, for (other, rare)."""
        return balanced_weights(*self.counts) if self.arm.has_class_weights else None


def prepare_trial(
    data: BenchmarkData, classifier: str, arm: Arm, seed: int, *, chosen: IndexArray, n_fake: int
) -> Trial:
    """Put a trial together.

    Args:
        data: The real images.
        classifier: Its name.
        arm: The arm.
        seed: Of the training.
        chosen: int64, rows of the rare class's subset.
        n_fake: Synthetic images that an arm of a GAN adds.

    Raises:
        GraftError: ``fakes_missing``, ``unknown_classifier``.
    """
    if classifier not in ("seed-cnn", "probe"):
        raise GraftError(
            "unknown_classifier",
            f"There is no classifier {classifier!r}.",
            "Known are: seed-cnn, probe.",
        )
    if arm.gan and not n_fake:
        raise GraftError(
            "fakes_missing",
            f"The arm {arm.name} needs synthetic images, and there are none.",
            "Generate images first, or leave the arm out.",
        )
    rows = training_pool(data.train_labels, data.rare_index, chosen)
    real = (data.train_labels[rows] == data.rare_index).astype(np.int64)
    n_fake = n_fake if arm.gan else 0
    labels = np.concatenate([real, np.ones(n_fake, np.int64)])
    return Trial(classifier, arm, seed, rows, labels, n_fake)


def probe_scores(trial: Trial, data: BenchmarkData, fakes: Fakes | None) -> FloatArray:
    """Fit a probe and return its scores [M] of the test images.

    Raises:
        GraftError: ``features_missing``.
    """
    if data.train_features is None or data.test_features is None:
        raise GraftError(
            "features_missing",
            "The probe needs the features of the real images, and there are none.",
            "Extract features first.",
        )
    features = data.train_features[trial.real_rows]
    if trial.n_fake and fakes is not None:
        if fakes.features is None:
            raise GraftError(
                "features_missing",
                "The probe needs the features of the synthetic images, and there are none.",
                "Extract features first.",
            )
        features = np.concatenate([features, fakes.features])
    labels = trial.labels
    if trial.arm.sampling == "oversample":
        rng = np.random.default_rng(trial.seed)
        shown = balanced_order(labels, np.arange(len(labels)), rng)
        features, labels = features[shown], labels[shown]
    return fit_probe(features, labels, class_weights=trial.class_weights).predict(
        data.test_features
    )


def seed_cnn_scores(
    trials: Sequence[Trial],
    data: BenchmarkData,
    fakes: Fakes | None,
    *,
    config: SeedCnnConfig,
    label: str,
    device: torch.device | str,
    checkpoint_dir: Path | None,
    checkpoint_seconds: float,
    on_progress: OnProgress,
    should_stop: ShouldStop,
) -> tuple[FloatArray, list[Points]]:
    """Train the seed CNNs of all trials, side by side where the device likes that, and test them.

    The images are those of the trials' arms: all share the real ones, and lie on a GPU once.

    Args:
        trials: Their arms share the real images.
        data: The real images.
        fakes: The synthetic images.
        config: Settings but for seed, class weights and sampling.
        label: The real count, as progress tells it.
        device: Where to train.
        checkpoint_dir: Gets a folder for each trial.
        checkpoint_seconds: As ``train_seed_cnns``.
        on_progress: Told of the whole.
        should_stop: Asked before every step.

    Returns:
        Scores float32 [trials, M] of the test images, and each training's curve.

    Raises:
        GraftError: Those of ``train_seed_cnns``.
        Stopped: ``should_stop`` said so.
    """
    most = max(trials, key=lambda trial: trial.n_fake)
    parts: list[tuple[ImageRows, IndexArray]] = [(data.train_images, most.real_rows)]
    if most.n_fake and fakes is not None:
        parts.append((fakes.images, np.arange(most.n_fake)))
    runs = []
    for trial in trials:
        rows = np.arange(len(trial.labels))
        folder = f"seed-cnn-{trial.arm.name}-{trial.seed}".replace(":", "-")
        runs.append(
            SeedCnnRun(
                rows,
                trial.labels,
                rows < len(trial.real_rows),
                replace(
                    config,
                    seed=trial.seed,
                    class_weights=trial.class_weights,
                    sampling=trial.arm.sampling,
                ),
                checkpoint_dir and checkpoint_dir / folder,
                f"{trial.arm.name}, {label} real, seed-cnn",
            )
        )
    results = train_seed_cnns(
        StackedImages(parts),
        runs,
        device=device,
        checkpoint_seconds=checkpoint_seconds,
        on_progress=part(on_progress, 0.0, 0.97),
        should_stop=should_stop,
    )
    scores = predict_together(
        results,
        data.test_images,
        on_progress=lambda told: on_progress(
            Progress(0.97 + 0.03 * told.fraction, f"{label} real, {told.detail}")
        ),
        should_stop=should_stop,
    )
    return scores, [[_point(record) for record in result.history] for result in results]


def _point(record: EpochRecord) -> dict[str, float]:
    values = {
        "epoch": float(record.epoch),
        "train_loss": record.train_loss,
        "train_accuracy": record.train_accuracy,
        "val_loss": record.validation_loss,
        "val_accuracy": record.validation_accuracy,
    }
    return {name: value for name, value in values.items() if value is not None}
