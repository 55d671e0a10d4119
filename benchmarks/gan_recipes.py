"""The recipes that ``gans.py`` compares, and how long each may train.

Compute is made equal by time: a few steps of each recipe are timed (the process's own CPU time, so
that other work on the machine does not count; on a GPU the clock), and its epochs follow.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gan_core.gans.base import Gan
from gan_core.gans.registry import create
from gan_core.training.precision import compute_dtype

TIMED_STEPS = 24


@dataclass(frozen=True)
class Recipe:
    """One way to train a GAN.

    Attributes:
        gan: Its kind.
        batch_size: Real images a step, at most the real count.
        settings: Of the kind, at 64 pixels on a CPU.
        large: Settings that take their place on a GPU.
        ema_decay: Of the moving average; None for none.
        keep: "best" or "last".
        pretrain: "none" or "other-classes": half of the time goes into images of the other class.
        freeze_d: Lowest blocks of the discriminator that stay as they were pretrained.
    """

    gan: str
    batch_size: int
    settings: dict[str, Any] = field(default_factory=dict)
    large: dict[str, Any] = field(default_factory=dict)
    ema_decay: float | None = 0.995
    keep: Any = "best"
    pretrain: str = "none"
    freeze_d: int = 0


_FASTGAN = Recipe("fastgan", 8, {"width": 16})
_STYLEGAN2 = Recipe("stylegan2", 8, {"width": 64, "latent_dim": 128, "mapping_layers": 4})

RECIPES: dict[str, Recipe] = {
    # The study's: its batches, no moving average, the last step.
    "infogan-seed": Recipe("infogan", 64, ema_decay=None, keep="last"),
    "infogan": Recipe("infogan", 16),
    "dcgan": Recipe("dcgan", 16, {"width": 32, "loss": "relativistic"}, {"loss": "relativistic"}),
    "pggan": Recipe("pggan", 16, {"width": 64}),
    "fastgan": _FASTGAN,
    "stylegan2": _STYLEGAN2,
    "fastgan-pretrained": replace(_FASTGAN, pretrain="other-classes"),
    "stylegan2-pretrained": replace(_STYLEGAN2, pretrain="other-classes"),
    "fastgan-pretrained-freeze": replace(_FASTGAN, pretrain="other-classes", freeze_d=2),
}

STUDY_BATCHES = ((10, 8), (50, 16), (100, 64))


def batch_of(name: str, recipe: Recipe, real_count: int) -> int:
    """The batch of a recipe, for "infogan-seed" the study's own."""
    if name == "infogan-seed":
        return next((batch for most, batch in STUDY_BATCHES if real_count <= most), 128)
    return min(recipe.batch_size, real_count)


def made(recipe: Recipe, size: int, device: torch.device) -> Gan:
    """A GAN of a recipe, untrained."""
    settings = recipe.large if device.type == "cuda" else recipe.settings
    return create(recipe.gan, image_size=size, **settings)


def epochs_for(
    gan: Gan, images: NDArray[np.uint8], batch_size: int, seconds: float, device: torch.device
) -> tuple[int, float]:
    """How many epochs take so many seconds.

    Returns:
        Epochs, and the seconds of one image.
    """
    gan.initialise()
    gan.prepare_training(device, compute_dtype("auto", device))
    random = torch.Generator(device).manual_seed(0)
    batch = torch.from_numpy(np.resize(images, (batch_size, *images.shape[1:]))).to(device)
    real = batch.permute(0, 3, 1, 2).float().div(127.5).sub(1)
    took = []
    for _ in range(4):  # the first steps warm up
        gan.step(real, random, 1.0)
    for number in range(TIMED_STEPS):
        # Stages of a growing GAN differ, so the steps are spread over the training.
        start = _clock(device)
        gan.step(real, random, number / TIMED_STEPS)
        took.append(_clock(device) - start)
    # The mean counts the penalties, which come every few steps.
    an_image = statistics.mean(took) / batch_size
    return max(1, round(seconds / (an_image * len(images)))), an_image


def _clock(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        return time.perf_counter()
    return time.process_time()
