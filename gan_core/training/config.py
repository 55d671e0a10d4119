"""How to train, whatever the GAN, and what of it decides how a training goes."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from gan_core.gans.base import Gan
from gan_core.training.precision import Precision, compute_dtype
from gan_core.training.privacy import PrivateTraining
from gan_core.training.start import Start
from gan_core.training.timing import CHECKPOINT_SHARE

CHECKPOINT_FORMAT = 3

Keep = Literal["best", "last"]


@dataclass(frozen=True)
class TrainConfig:
    """How to train, whatever the GAN.

    Attributes:
        batch_size: Real images a step; the last batch of an epoch may be smaller.
        epochs: Passes over the real images.
        seed: Of the weights, the order of the images, latents and dropout; 0 .. 2**32 - 1.
        precision: "auto" computes in bfloat16 where the hardware does.
        ema_decay: Of the generator's moving average, a step; None samples from the raw weights.
        snapshots: How many times to look at samples, evenly spaced, the end included; 0 for never.
            Where there is a judge, they are judged, too.
        keep: Which generator a training leaves: the "best" that was judged, or the "last".
        stop_early: Whether to end where the judgements say that going on is of no use.
        sample_count: Images in a snapshot, made from the seeds 0, 1, 2, ...
        checkpoint_seconds: Time from one checkpoint to the next, at least.
        checkpoint_share: Of the time, what at most goes into checkpoints: where the disk is slow
            they come more rarely. 1 sets no limit.
        freeze_d: How many blocks of the discriminator, those nearest the image first, keep the
            weights that the training begins from.
        privacy: Train with differential privacy: batches are then Poisson samples, of
            ``privacy.batch_size`` images on average. None trains without.
        label: What progress calls this training ("infogan, 100 real").
    """

    batch_size: int
    epochs: int
    seed: int = 0
    precision: Precision = "auto"
    ema_decay: float | None = None
    snapshots: int = 4
    keep: Keep = "last"
    stop_early: bool = False
    sample_count: int = 16
    checkpoint_seconds: float = 60.0
    checkpoint_share: float = CHECKPOINT_SHARE
    freeze_d: int = 0
    privacy: PrivateTraining | None = None
    label: str = "training"

    def __post_init__(self) -> None:
        if self.batch_size < 1 or self.epochs < 1:
            raise ValueError("batch_size and epochs are at least 1")
        if self.snapshots < 0 or self.sample_count < 1:
            raise ValueError("snapshots is at least 0 and sample_count at least 1")
        if self.ema_decay is not None and not 0 <= self.ema_decay < 1:
            raise ValueError("ema_decay is at least 0 and below 1")
        if self.freeze_d < 0:
            raise ValueError("freeze_d is at least 0")
        if self.privacy is not None and (self.keep == "best" or self.stop_early):
            raise ValueError("what is chosen by the real images is not covered by privacy")


def training_identity(
    gan: Gan,
    images: NDArray[np.uint8],
    config: TrainConfig,
    device: torch.device,
    *,
    judged: bool = False,
    begins: Start | None = None,
    labels: NDArray[np.int64] | None = None,
) -> str:
    """A hash of everything that decides how a training goes.

    What happens on the way (a smaller learning rate, a plan for less memory) is no part of it: it
    is in the checkpoints.
    """
    decides = {
        "format": CHECKPOINT_FORMAT,
        "gan": gan.name,
        "settings": gan.settings_dict(),
        "networks": {
            f"{name}.{key}": list(value.shape)
            for name, network in gan.networks().items()
            for key, value in network.state_dict().items()
        },
        "images": images_digest(images),
        "batch_size": config.batch_size,
        "epochs": config.epochs,
        "seed": config.seed,
        "ema_decay": config.ema_decay,
        "compute": f"{device.type} {compute_dtype(config.precision, device)}",
        "snapshots": config.snapshots,
        "keep": config.keep,
        "stop_early": config.stop_early,
        "judged": judged,
        "sample_count": config.sample_count,
    }
    if begins is not None:
        decides["begins"] = begins.digest
    if labels is not None:
        decides["labels"] = hashlib.sha256(labels.tobytes()).hexdigest()
    if config.freeze_d:
        decides["freeze_d"] = config.freeze_d
    if config.privacy is not None:
        # With less noise than before, what has been spent would be more than is counted.
        decides["privacy"] = asdict(config.privacy)
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()


def images_digest(images: NDArray[np.uint8]) -> str:
    """SHA-256 of the images' shape and pixels, hexadecimal."""
    sha256 = hashlib.sha256(str(images.shape).encode())
    sha256.update(np.ascontiguousarray(images).data)
    return sha256.hexdigest()
