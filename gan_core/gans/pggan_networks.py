"""PGGAN's networks, and how far they have grown.

Karras et al., 2018, arXiv:1710.10196: figure 2 and table 2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_core.gans.base import Latents
from gan_core.gans.checks import doublings, first_size
from gan_core.gans.equalised import (
    EqualisedConv2d,
    EqualisedLinear,
    pixel_norm,
    with_batch_deviation,
)

SHRINKS_AFTER = 3
"""Doublings with all channels; each one after them halves the channels (table 2)."""


class NetworkSettings(Protocol):
    """The settings that decide the networks' shapes."""

    @property
    def image_size(self) -> int: ...  # noqa: D102
    @property
    def latent_dim(self) -> int: ...  # noqa: D102
    @property
    def width(self) -> int: ...  # noqa: D102


@dataclass(frozen=True)
class Growth:
    """How far the networks have grown.

    Attributes:
        stage: Doublings in use.
        share: Of the newest doubling in what is seen, (0, 1]; 1 once it has faded in.
    """

    stage: int
    share: float

    @classmethod
    def at(cls, fraction: float, stages: int) -> Growth:
        """Each of the stages 0 .. ``stages`` gets as much of the training, half of it to fade in.

        Args:
            fraction: Of the training that is done, 0 .. 1.
            stages: Doublings at the full size.
        """
        position = min(max(fraction, 0.0), 1.0) * (stages + 1)
        stage = min(int(position), stages)
        faded = min(1.0, 2 * (position - stage))
        # The first stage has nothing to fade from.
        return cls(stage, 1.0 if stage == 0 else max(faded, 1e-3))


class Generator(nn.Module):
    """Noise -> images, of the full size whatever the stage: smaller ones are repeated pixelwise.

    Attributes:
        fraction: Of the training that is done, part of the state: it decides the growth.
    """

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        channels = _channels(settings)
        self.first_size = first_size(settings.image_size)
        self.stages = doublings(settings.image_size)
        self.fraction = 0.0
        # The paper's is a 4x4 convolution of one padded pixel: 16 times the inputs.
        self.project = EqualisedLinear(
            settings.latent_dim, channels[0] * self.first_size**2, gain=math.sqrt(2) / 4
        )
        self.first = EqualisedConv2d(channels[0], channels[0], 3, gain=math.sqrt(2))
        self.blocks = nn.ModuleList(
            nn.ModuleList(
                [
                    EqualisedConv2d(inputs, outputs, 3, gain=math.sqrt(2)),
                    EqualisedConv2d(outputs, outputs, 3, gain=math.sqrt(2)),
                ]
            )
            for inputs, outputs in pairwise(channels)
        )
        self.to_image = nn.ModuleList(EqualisedConv2d(width, 3, 1) for width in channels)

    def reset_parameters(self) -> None:
        """Begin small."""
        self.fraction = 0.0

    def get_extra_state(self) -> Tensor:
        """The fraction, float64: no buffer, as reading one would make the device wait."""
        return torch.tensor(self.fraction, dtype=torch.float64)

    def set_extra_state(self, state: Tensor) -> None:
        """Take over a fraction."""
        self.fraction = float(state)

    def forward(self, latents: Latents) -> Tensor:
        """Make images [N, 3, S, S], about [-1, 1], from noise [N, latent_dim]."""
        growth = Growth.at(self.fraction, self.stages)
        image = self.draw(latents["noise"], growth)
        repeats = 2.0 ** (self.stages - growth.stage)
        return F.interpolate(image, scale_factor=repeats, mode="nearest")

    def draw(self, noise: Tensor, growth: Growth) -> Tensor:
        """Make images [N, 3, s, s], float32, at the stage's own size s."""
        features = self.project(pixel_norm(noise)).unflatten(1, (-1, *[self.first_size] * 2))
        features = features.contiguous(memory_format=torch.channels_last)
        features = _normalised(_normalised(features), self.first)
        before = features
        for block in self.blocks[: growth.stage]:
            before = features
            features = F.interpolate(features, scale_factor=2.0, mode="nearest")
            for convolution in block.children():
                features = _normalised(features, convolution)
        image: Tensor = self.to_image[growth.stage](features).float()
        if growth.share < 1:
            old = self.to_image[growth.stage - 1](before).float()
            old = F.interpolate(old, scale_factor=2.0, mode="nearest")
            image = torch.lerp(old, image, growth.share)
        return image


class Critic(nn.Module):
    """Images at a stage's size -> scores; the generator's mirror image."""

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        channels = _channels(settings)
        gain = math.sqrt(2)
        self.from_image = nn.ModuleList(
            EqualisedConv2d(3, width, 1, gain=gain) for width in channels
        )
        self.blocks = nn.ModuleList(
            nn.ModuleList(
                [
                    EqualisedConv2d(inputs, inputs, 3, gain=gain),
                    EqualisedConv2d(inputs, outputs, 3, gain=gain),
                ]
            )
            for outputs, inputs in pairwise(channels)
        )
        width, side = channels[0], first_size(settings.image_size)
        self.last = EqualisedConv2d(width + 1, width, 3, gain=gain)
        self.hidden = EqualisedLinear(width * side**2, width, gain=gain)
        self.score = EqualisedLinear(width, 1)

    def judge(self, images: Tensor, growth: Growth) -> Tensor:
        """[N, 3, s, s] -> scores [N, 1]."""
        features = _activate(self.from_image[growth.stage](images))
        for stage in reversed(range(growth.stage)):
            for convolution in self.blocks[stage].children():
                features = _activate(convolution(features))
            features = F.avg_pool2d(features, 2)
            if stage == growth.stage - 1 and growth.share < 1:
                old = _activate(self.from_image[stage](F.avg_pool2d(images, 2)))
                features = old + (features - old) * growth.share
        features = _activate(self.last(with_batch_deviation(features)))
        scores: Tensor = self.score(_activate(self.hidden(features.flatten(1))))
        return scores


def _normalised(features: Tensor, convolution: nn.Module | None = None) -> Tensor:
    return pixel_norm(_activate(features if convolution is None else convolution(features)))


def _activate(features: Tensor) -> Tensor:
    return F.leaky_relu(features, 0.2)


def _channels(settings: NetworkSettings) -> list[int]:
    return [
        max(2, settings.width // 2 ** max(0, stage - SHRINKS_AFTER))
        for stage in range(doublings(settings.image_size) + 1)
    ]
