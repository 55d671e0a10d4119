"""DCGAN: strided convolutions, BatchNorm and nothing else.

Radford et al., "Unsupervised Representation Learning with Deep Convolutional Generative Adversarial
Networks", 2015, arXiv:1511.06434: the generator of figure 1 and the guidelines of section 3. Sizes
other than the paper's 64 take more doublings, or start from 7 pixels instead of 4.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn

from gan_core.gans.adversarial import AdversarialGan, AdversarialSettings
from gan_core.gans.base import Latents, check_truncation
from gan_core.gans.checks import check_choice, doublings, first_size
from gan_core.gans.conditioning import embedding, random_labels
from gan_core.gans.layers import ProjectionConv2d
from gan_core.training.privacy import PrivateTraining

GROUPS = 32


@dataclass(frozen=True)
class DCGANSettings(AdversarialSettings):
    """Settings of a DCGAN: those of ``AdversarialSettings``, with the paper's as defaults.

    The paper's ``width`` is 128, for millions of images; half of it is plenty here.

    Attributes:
        discriminator_norm: "batch", as in the paper; "group" normalises each image by itself, which
            training with differential privacy needs.
    """

    kind: ClassVar[str] = "DCGAN"

    augment: str = "none"
    discriminator_norm: str = "batch"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice(self.kind, "discriminator_norm", self.discriminator_norm, ("batch", "group"))


class Generator(nn.Module):
    """Noise -> images, through transposed convolutions that each double the side."""

    def __init__(self, settings: DCGANSettings) -> None:
        super().__init__()
        self.classes = embedding(settings.classes, settings.latent_dim)
        channels = _channels(settings)
        layers: list[nn.Module] = [
            ProjectionConv2d(settings.latent_dim, channels[0], first_size(settings.image_size))
        ]
        for inputs, outputs in zip(channels, [*channels[1:], 3], strict=True):
            layers += [nn.BatchNorm2d(inputs), nn.ReLU()]
            is_last = outputs == 3
            layers.append(nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=is_last))
        self.body = nn.Sequential(*layers, nn.Tanh())

    def forward(self, latents: Latents) -> Tensor:
        """Make images [N, 3, S, S] in [-1, 1] from noise [N, latent_dim] and label [N], if any."""
        noise = latents["noise"]
        if self.classes is not None:
            noise = noise + self.classes(latents["label"])
        images: Tensor = self.body(noise[:, :, None, None])
        return images


class Discriminator(nn.Module):
    """Images -> logits, through strided convolutions that each halve the side."""

    def __init__(self, settings: DCGANSettings) -> None:
        super().__init__()
        channels = _channels(settings)[::-1]
        self.classes = embedding(settings.classes, channels[-1])
        layers: list[nn.Module] = [nn.Conv2d(3, channels[0], 4, 2, 1), nn.LeakyReLU(0.2)]
        for inputs, outputs in pairwise(channels):
            layers.append(nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False))
            layers += [_norm(settings.discriminator_norm, outputs), nn.LeakyReLU(0.2)]
        layers.append(nn.Conv2d(channels[-1], 1, first_size(settings.image_size)))
        self.body = nn.Sequential(*layers)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """[N, 3, S, S] and, where there are classes, labels [N] -> logits [N, 1]."""
        features = self.body[:-1](images)
        logits: Tensor = self.body[-1](features).flatten(1)
        if self.classes is not None and labels is not None:
            logits = logits + self.classes.project(features.mean((2, 3)), labels)
        return logits


class DCGAN(AdversarialGan):
    """Weights start as N(0, .02), scales of BatchNorm as N(1, .02); noise is uniform (-1, 1)."""

    name = "dcgan"
    noise_is_normal = False
    settings_type = DCGANSettings

    settings: DCGANSettings
    discriminator: Discriminator

    def __init__(self, settings: DCGANSettings | None = None) -> None:
        settings = settings or DCGANSettings()
        super().__init__(settings)
        self.generator = Generator(settings)
        self.discriminator = Discriminator(settings)
        self.initialise()

    def random_latents(self, count: int, random: torch.Generator) -> Latents:
        """Noise [N, latent_dim], uniform in (-1, 1), and a label where there are classes."""
        shape = (count, self.settings.latent_dim)
        latents = {"noise": torch.rand(shape, generator=random, device=random.device) * 2 - 1}
        if self.settings.classes:
            latents["label"] = random_labels(count, self.settings.classes, random)
        return latents

    def discriminator_blocks(self) -> Sequence[nn.Module]:
        """A strided convolution with what follows it, each; the last one judges and is none."""
        body = self.discriminator.body
        return [body[:2], *(body[place : place + 3] for place in range(2, len(body) - 1, 3))]

    def learn_privately(self, terms: PrivateTraining, noise: torch.Generator) -> None:
        """See ``Gan.learn_privately``; the discriminator must take each image by itself.

        Raises:
            GraftError: privacy_not_offered, with batch normalisation in the discriminator, labels,
                the loss "relativistic" or the augmentation "ada".
        """
        from gan_core.gans.private import LOSSES_OF_IMAGES, PrivateStep

        settings = self.settings
        if (
            settings.discriminator_norm != "group"
            or settings.classes
            or settings.loss not in LOSSES_OF_IMAGES
            or settings.augment == "ada"
        ):
            super().learn_privately(terms, noise)
        self.private = PrivateStep(self, terms, noise)

    def truncate(self, latents: Latents, truncation: float) -> Latents:
        """Draw the noise from (-truncation, truncation) instead; 0 to 1.

        Raises:
            GraftError: truncation_out_of_range.
        """
        check_truncation(self.name, truncation, 0, 1)
        return {**latents, "noise": latents["noise"] * truncation}


def _norm(kind: str, channels: int) -> nn.Module:
    if kind == "batch":
        return nn.BatchNorm2d(channels)
    # Wu and He 2018, arXiv:1803.08494: 32 groups, where there are so many channels.
    return nn.GroupNorm(math.gcd(channels, GROUPS), channels)


def _channels(settings: DCGANSettings) -> list[int]:
    """Channels at the first size and after each doubling but the last, at most 8 x width."""
    steps = doublings(settings.image_size)
    return [settings.width * min(8, 2 ** (steps - 1 - step)) for step in range(steps)]
