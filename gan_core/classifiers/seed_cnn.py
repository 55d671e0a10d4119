"""Trains the seed study's plain CNN, with the study's schedule and without its slips.

Adam 1e-3, betas (.9, .999), weight decay 1e-4 (added to the gradient, as ``torch.optim.Adam`` has
it), batch 8, 30 epochs, cross-entropy on logits, the network of the last epoch.

The study held out a random 20% of the training folder for its loss and accuracy plot. So does
this: 20% of the real images, and 20% of the synthetic ones, do not train, so that as many steps
are made as in the study; but only the real ones among them are scored for the plot (scored on
synthetic images, the study's validation read .92 where the test said .68). Nothing is selected
by these figures. The real images held out depend on the seed and on the real images alone, so
arms of one seed hold out the same ones (but where chance would leave a class without any).

Many can be trained side by side, seeds and arms, as one computation on a GPU that a single one
would leave idle. Nothing of a training depends on those beside it but the last bits: a checkpoint
is a run's own, and goes on alone or in another company.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from gan_core.classifiers.device_images import DeviceImages
from gan_core.classifiers.images import ImageRows, IndexArray
from gan_core.classifiers.seed_cnn_course import Course, EpochRecord, SideBySide
from gan_core.classifiers.seed_cnn_network import (
    SeedCnn,
    batches,
    check_size,
    fast_logits,
    stacked,
)
from gan_core.classifiers.seed_cnn_order import (
    SeedCnnConfig,
    SeedCnnRun,
    balanced_order,
    epoch_order,
    held_out,
    shared_label,
)
from gan_core.classifiers.seed_cnn_training import images_scored_at_once, measure_images
from gan_core.out_of_memory import free_memory, is_out_of_memory
from gan_core.progress import OnProgress, Progress, ShouldStop, Stopped, ignore_progress, never_stop
from gan_core.spec.errors import GraftError
from gan_core.training.precision import compute_dtype

__all__ = [
    "EpochRecord",
    "SeedCnnConfig",
    "SeedCnnResult",
    "SeedCnnRun",
    "balanced_order",
    "epoch_order",
    "held_out",
    "predict_together",
    "train_seed_cnn",
    "train_seed_cnns",
    "trained_at_once",
]


@dataclass(frozen=True)
class SeedCnnResult:
    """A trained seed CNN.

    Attributes:
        network: In evaluation mode.
        history: A record an epoch.
        n_train: Images that trained.
        n_validation: Real images that were held out and scored.
    """

    network: SeedCnn
    history: list[EpochRecord]
    n_train: int
    n_validation: int
    dtype: torch.dtype = field(repr=False)

    def predict(
        self,
        images: ImageRows,
        *,
        on_progress: OnProgress = ignore_progress,
        should_stop: ShouldStop = never_stop,
    ) -> NDArray[np.float32]:
        """Probability of the rare class, float32 [N]; see ``predict_together``."""
        scores: NDArray[np.float32] = predict_together(
            [self], images, on_progress=on_progress, should_stop=should_stop
        )[0]
        return scores


def predict_together(
    results: Sequence[SeedCnnResult],
    images: ImageRows,
    *,
    on_progress: OnProgress = ignore_progress,
    should_stop: ShouldStop = never_stop,
) -> NDArray[np.float32]:
    """Probability of the rare class by each of K networks for the same images.

    Args:
        results: Networks on one device.
        images: uint8 [N, 224, 224, 3]; each goes to the device once for all networks.
        on_progress: Told of the share of images that is done.
        should_stop: Asked before each batch.

    Returns:
        float32 [K, N].

    Raises:
        GraftError: ``classifier_image_size``.
        Stopped: ``should_stop`` said so.
    """
    check_size(images.shape)
    count = images.shape[0]
    scores = np.empty((len(results), count), np.float32)
    with torch.inference_mode():
        stack = stacked([result.network for result in results])
        device = stack["linear.weight"].device
        for rows in batches(count, images_scored_at_once(len(results))):
            if should_stop():
                raise Stopped
            chosen = torch.from_numpy(images[np.arange(rows.start, rows.stop)]).to(device)
            logits = fast_logits(stack, chosen[None], results[0].dtype, None)
            scores[:, rows] = logits.softmax(2)[..., 1].float().cpu().numpy()
            on_progress(Progress(rows.stop / count, "seed-cnn, scoring"))
    return scores


def trained_at_once(device: torch.device | str) -> int:
    """How many trainings go side by side on a device: one on a CPU, which one keeps busy.

    There the patches of five crowd each other out of the cache: on one core a step of five took 1.8
    times as long, each, as a step of one (``benchmarks/bench_seed_cnn.py``). A GPU waits for the
    launches of a single small network; 64 hold about 5 GB of its memory, and fewer go at once where
    that is not there.
    """
    return 1 if torch.device(device).type == "cpu" else 64


def _checked(images: ImageRows, runs: Sequence[SeedCnnRun]) -> None:
    check_size(images.shape)
    ours = {
        "seed": 0,
        "class_weights": None,
        "sampling": "natural",
        "augment": False,
        "validation_fraction": 0.0,
    }
    for run in runs:
        if not len(run.rows) == len(run.labels) == len(run.is_real):
            raise ValueError(
                f"{len(run.rows)} images, but {len(run.labels)} labels and"
                f" {len(run.is_real)} origins"
            )
        if not np.isin(run.labels, (0, 1)).all():
            raise ValueError("labels are 0 (other) and 1 (rare)")
        if replace(run.config, **ours) != replace(runs[0].config, **ours):  # type: ignore[arg-type]
            raise ValueError("trainings side by side have the same epochs, batches and rates")
        if len(np.unique(run.labels[run.split[0]])) < 2:
            raise GraftError(
                "one_class_only",
                "A classifier needs training images of the rare class and of others.",
                "Raise the real count, or check the data set's class folders.",
            )


def train_seed_cnn(
    images: ImageRows,
    labels: IndexArray,
    config: SeedCnnConfig,
    *,
    is_real: NDArray[np.bool_] | None = None,
    device: torch.device | str = "cpu",
    checkpoint_dir: Path | None = None,
    checkpoint_seconds: float = 60.0,
    on_progress: OnProgress = ignore_progress,
    should_stop: ShouldStop = never_stop,
) -> SeedCnnResult:
    """Train the study's CNN to tell the rare class from all others.

    Args:
        images: uint8 [N, 224, 224, 3]: an array, a memory map or ``StackedImages``.
        labels: int64 [N], 1 for the rare class and 0 for all others.
        config: Settings.
        is_real: Bool [N]; None: all are. Only real images are scored for the plot.
        device: Where to train.
        checkpoint_dir: Where the state is kept; a training that finds its own there goes on from
            it, and on the CPU ends bit for bit as if undisturbed. Keep one directory a run.
        checkpoint_seconds: Time from one checkpoint to the next, at least; see ``CheckpointTimer``.
        on_progress: Told of epochs.
        should_stop: Asked before every step.

    Returns:
        The network of the last epoch and the curves.

    Raises:
        GraftError: ``classifier_image_size``, ``one_class_only``, ``checkpoint_mismatch``.
        Stopped: ``should_stop`` said so; the state is in ``checkpoint_dir``.
    """
    real = np.ones(len(labels), np.bool_) if is_real is None else np.asarray(is_real, np.bool_)
    run = SeedCnnRun(np.arange(images.shape[0]), labels, real, config, checkpoint_dir)
    (result,) = train_seed_cnns(
        images,
        [run],
        device=device,
        checkpoint_seconds=checkpoint_seconds,
        on_progress=on_progress,
        should_stop=should_stop,
    )
    return result


def train_seed_cnns(
    images: ImageRows,
    runs: Sequence[SeedCnnRun],
    *,
    device: torch.device | str = "cpu",
    at_once: int | None = None,
    checkpoint_seconds: float = 60.0,
    on_progress: OnProgress = ignore_progress,
    should_stop: ShouldStop = never_stop,
) -> list[SeedCnnResult]:
    """Train several of the study's CNNs on parts of one set of images, side by side.

    Each is the training that ``train_seed_cnn`` makes of its images, labels and settings: the
    steps are the same, up to the rounding of batched matrix products.

    Args:
        images: uint8 [N, 224, 224, 3], all images that any of them sees.
        runs: The trainings. Their seeds, class weights, sampling, augmentation and images may
            differ, all else in their settings may not.
        device: Where to train.
        at_once: How many side by side at most; None: ``trained_at_once``. Where memory runs out
            they are halved, and the trainings go on from what was kept of them.
        checkpoint_seconds: As ``train_seed_cnn``.
        on_progress: Told of epochs.
        should_stop: Asked before every step.

    Returns:
        The results in the order of ``runs``.

    Raises:
        ValueError: Labels that are not 0 and 1 or of another number than the rows, settings that
            cannot be trained together.
        GraftError: ``classifier_image_size``, ``one_class_only``, ``checkpoint_mismatch``.
        Stopped: ``should_stop`` said so; the states are in the checkpoint directories.
    """
    _checked(images, runs)
    on_device = DeviceImages(images, torch.device(device))
    trains = np.unique(np.concatenate([run.rows[run.split[0]] for run in runs]))
    moments = measure_images(on_device, trains, should_stop, on_progress, shared_label(runs))
    courses = [Course(run, moments) for run in runs]
    side_by_side = SideBySide(
        on_device, moments, courses, checkpoint_seconds, on_progress, should_stop
    )
    size = at_once or trained_at_once(device)
    while left := [course for course in courses if course.network is None]:
        try:
            side_by_side.train(left, size)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error) or (size == 1 and on_device.resident is None):
                raise
        else:
            continue
        # Outside the except block, whose traceback holds the images. A step that was cut short may
        # have moved the statistics already: it goes on from what was kept, not from what is there.
        if size == 1:
            on_device.leave_device()
        size = max(1, min(size, len(left)) // 2)
        free_memory()
    dtype = compute_dtype(runs[0].config.precision, on_device.device)
    return [
        SeedCnnResult(
            course.network,
            [EpochRecord(**record) for record in course.at.history],
            n_train=len(course.run.split[0]),
            n_validation=len(course.run.split[1]),
            dtype=dtype,
        )
        for course in courses
        if course.network is not None
    ]
