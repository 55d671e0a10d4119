"""Fine-tunes the ImageNet network, end to end, to tell the rare class from all others.

The recipe follows what was found for few images; nothing in it was chosen on test images:

- The head begins as the probe of the network's own features, fitted to the same images with the
  same weights, and then everything learns: from a random head the first steps distort the features
  (Kumar et al. 2022, arXiv:2202.10054). So a training also begins where the probe ends.
- Batch normalisation keeps ImageNet's statistics, folded into the convolutions. Statistics of the
  batch would differ between arms: they would be those of a blend of synthetic and real images, or
  of classes in other proportions, where all test images are real. They are also poor in small
  batches, and twice as slow.
- AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101), one learning rate for all layers, a short
  rise, then a cosine down to nearly 0, after which there is nothing left to choose: the network of
  the last step is used. No mixup, no label smoothing: scores are judged as probabilities.

20% of the real images of each class do not train: they give the curves, and scores by which a
threshold may be chosen. Synthetic ones all train.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from gan_core.classifiers.device_images import DeviceImages
from gan_core.classifiers.finetune_course import FinetuneCourse
from gan_core.classifiers.finetune_network import FinetuneNet, of_images
from gan_core.classifiers.finetune_order import FinetuneConfig, stratified_held_out
from gan_core.classifiers.images import ImageRows, IndexArray
from gan_core.classifiers.seed_cnn_checkpoint import Checkpoint, digest_of
from gan_core.classifiers.seed_cnn_course import EpochRecord
from gan_core.progress import OnProgress, Progress, ShouldStop, Stopped, ignore_progress, never_stop
from gan_core.spec.errors import GraftError
from gan_core.training.timing import CheckpointTimer

__all__ = ["EpochRecord", "FinetuneConfig", "FinetuneResult", "train_finetune"]

FloatArray = NDArray[np.float32]
_ROWS_AT_A_TIME = 64


@dataclass(frozen=True)
class FinetuneResult:
    """A fine-tuned network.

    Attributes:
        network: Of the last step.
        history: A record an epoch.
        heldout_rows: int64 [m], real images that did not train, ascending.
        heldout_scores: float32 [m], the network's scores of them.
        n_train: Images that trained.
    """

    network: FinetuneNet
    history: list[EpochRecord]
    heldout_rows: IndexArray
    heldout_scores: FloatArray
    n_train: int

    def predict(
        self,
        images: ImageRows,
        *,
        on_progress: OnProgress = ignore_progress,
        should_stop: ShouldStop = never_stop,
    ) -> FloatArray:
        """Score images.

        Args:
            images: uint8 [N, S, S, 3].
            on_progress: Told of the share of images that is done.
            should_stop: Asked before each batch.

        Returns:
            Probability of the rare class, float32 [N].

        Raises:
            Stopped: ``should_stop`` said so.
        """
        on_device = DeviceImages(images, self.network.head.weight.device, is_resident=False)
        count = len(on_device)
        logits = of_images(
            self.network,
            on_device,
            np.arange(count),
            tell=lambda done: on_progress(Progress(done / count, "finetune, scoring")),
            should_stop=should_stop,
        )
        return _probabilities(logits)


def train_finetune(
    images: ImageRows,
    labels: IndexArray,
    config: FinetuneConfig,
    *,
    is_real: NDArray[np.bool_] | None = None,
    copy_of: IndexArray | None = None,
    device: torch.device | str = "cpu",
    checkpoint_dir: Path | None = None,
    checkpoint_seconds: float = 60.0,
    label: str = "finetune",
    on_progress: OnProgress = ignore_progress,
    should_stop: ShouldStop = never_stop,
) -> FinetuneResult:
    """Train EfficientNet-Lite0 from its ImageNet weights.

    Args:
        images: uint8 [N, S, S, 3]: an array, a memory map or ``StackedImages``. Any S; the network
            sees them at 224.
        labels: int64 [N], 1 for the rare class and 0 for all others.
        config: Settings.
        is_real: Bool [N]; None: all are. Only real images are held out.
        copy_of: int64 [N], row of the image that an image is made of (by scaling it down and up,
            say), -1 for none: copies of what is held out do not train. None: there are none.
        device: Where to train.
        checkpoint_dir: Where the state is kept; a training that finds its own there goes on from
            it, and on the CPU ends bit for bit as if undisturbed. Keep one directory a training.
        checkpoint_seconds: Time from one checkpoint to the next, at least; see ``CheckpointTimer``.
        label: What its progress is told as.
        on_progress: Told of epochs.
        should_stop: Asked before every step.

    Returns:
        The network of the last step, the curves, the held-out images and their scores.

    Raises:
        ValueError: Labels that are not 0 and 1, or of another number than the images.
        GraftError: ``one_class_only``, ``checkpoint_mismatch``, ``checkpoint_not_written``,
            ``weights_missing``, ``weights_unrecognised``.
        Stopped: ``should_stop`` said so; the state is in ``checkpoint_dir``.
        MemoryError, RuntimeError: There was not enough memory for a single image.
    """
    real = np.ones(len(labels), np.bool_) if is_real is None else np.asarray(is_real, np.bool_)
    _check(images, labels, real)
    trains, held = stratified_held_out(
        labels, real, config.validation_fraction, config.seed, copy_of=copy_of
    )
    if len(np.unique(labels[trains])) < 2:
        raise GraftError(
            "one_class_only",
            "A classifier needs training images of the rare class and of others.",
            "Raise the real count, or check the data set's class folders.",
        )
    digest = digest_of(asdict(config), labels, trains, held, _fingerprint(images, should_stop))
    course = FinetuneCourse(
        DeviceImages(images, torch.device(device)),
        labels,
        (trains, held),
        config,
        Checkpoint(checkpoint_dir, digest, "finetune"),
    )
    timer = CheckpointTimer(checkpoint_seconds)
    network, logits = course.train(timer, label, on_progress, should_stop)
    history = [EpochRecord(**record) for record in course.at.history]
    return FinetuneResult(network, history, held, _probabilities(logits), len(trains))


def _check(images: ImageRows, labels: IndexArray, is_real: NDArray[np.bool_]) -> None:
    if not images.shape[0] == len(labels) == len(is_real):
        raise ValueError(
            f"{images.shape[0]} images, but {len(labels)} labels and {len(is_real)} origins"
        )
    if not np.isin(labels, (0, 1)).all():
        raise ValueError("labels are 0 (other) and 1 (rare)")


def _fingerprint(images: ImageRows, should_stop: ShouldStop) -> NDArray[np.uint8]:
    """SHA-256 of all images, uint8 [32]."""
    sha256 = hashlib.sha256(str(images.shape).encode())
    for start in range(0, images.shape[0], _ROWS_AT_A_TIME):
        if should_stop():
            raise Stopped
        rows = np.arange(start, min(start + _ROWS_AT_A_TIME, images.shape[0]))
        sha256.update(np.ascontiguousarray(images[rows]).data)
    return np.frombuffer(sha256.digest(), np.uint8)


def _probabilities(logits: FloatArray) -> FloatArray:
    scores: FloatArray = torch.from_numpy(logits).sigmoid().numpy()
    return scores
