"""FastGAN: a light generator with skip-layer excitation, and a discriminator that must remember.

Liu et al., "Towards Faster and Stabilized GAN Training for High-fidelity Few-shot Image
Synthesis", 2021, arXiv:2101.04775: skip-layer channel-wise excitation (section 3.1, figure 3), the
self-supervised discriminator with decoders (section 3.2, figure 4), hinge loss, and DiffAugment,
spectral normalisation and gated linear units as in its baseline (section 4).

Reconstructions are compared by absolute difference: the paper's perceptual distance takes a network
trained on other people's photographs. Noise in the generator's layers comes from one key an image,
so that an image depends on its seed alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_core.gans.adversarial import AdversarialGan, AdversarialSettings
from gan_core.gans.base import Latents
from gan_core.gans.checks import doublings, first_size
from gan_core.gans.conditioning import embedding, random_labels
from gan_core.gans.layers import GatedLinearUnit, ProjectionConv2d, UpsampleConv2d
from gan_core.gans.noise import keyed_normal, random_keys
from gan_core.gans.spectral import SpectralConv2d

WIDTHS = (16, 8, 4, 2, 2, 1, 0.5)
"""Channels in multiples of ``width``, from the first size on, a doubling each."""
EXCITED_AFTER = 4
"""A layer is excited by the one that is so many doublings below it: 8 -> 128, 16 -> 256."""
DECODED = 128
"""Reconstructions have at most this side, pixels."""


@dataclass(frozen=True)
class FastGANSettings(AdversarialSettings):
    """Settings of a FastGAN: those of ``AdversarialSettings``, with the paper's as defaults."""

    kind: ClassVar[str] = "FastGAN"

    latent_dim: int = 256
    loss: str = "hinge"


class Generator(nn.Module):
    """Noise -> images; high-resolution features are gated by low-resolution ones."""

    def __init__(self, settings: FastGANSettings) -> None:
        super().__init__()
        self.classes = embedding(settings.classes, settings.latent_dim)
        steps = doublings(settings.image_size)
        channels = [_channels(settings, step) for step in range(steps + 1)]
        self.first = nn.Sequential(
            ProjectionConv2d(settings.latent_dim, 2 * channels[0], first_size(settings.image_size)),
            nn.BatchNorm2d(2 * channels[0]),
            GatedLinearUnit(),
        )
        # Every second block is the deeper one, with noise.
        self.blocks = nn.ModuleList(
            UpBlock(channels[step], channels[step + 1], 2 * step if step % 2 else None)
            for step in range(steps)
        )
        self.excitations = nn.ModuleDict(
            {
                str(step): SkipExcitation(channels[step - EXCITED_AFTER], channels[step])
                for step in range(EXCITED_AFTER, steps + 1)
            }
        )
        self.to_image = nn.Conv2d(channels[-1], 3, 3, padding=1)

    def forward(self, latents: Latents) -> Tensor:
        """Make images [N, 3, S, S] in [-1, 1].

        Args:
            latents: noise [N, latent_dim], key int64 [N]; label int64 [N] where there are classes.
        """
        noise = latents["noise"]
        if self.classes is not None:
            noise = noise + self.classes(latents["label"])
        features = [self.first(noise[:, :, None, None])]
        for step, block in enumerate(self.blocks, 1):
            made = block(features[-1], latents["key"])
            if str(step) in self.excitations:
                made = made * self.excitations[str(step)](features[step - EXCITED_AFTER])
            features.append(made)
        return torch.tanh(self.to_image(features[-1]))


class UpBlock(nn.Module):
    """Doubles the side: upsample, 3x3 convolution, BatchNorm, GLU; once more, if with noise."""

    def __init__(self, inputs: int, outputs: int, noise_layer: int | None) -> None:
        super().__init__()
        self.noise_layer = noise_layer
        self.convolutions = nn.ModuleList([UpsampleConv2d(inputs, 2 * outputs, bias=False)])
        if noise_layer is not None:
            self.convolutions.append(nn.Conv2d(outputs, 2 * outputs, 3, 1, 1, bias=False))
            self.noise_strength = nn.Parameter(torch.zeros(2))
        self.norms = nn.ModuleList(nn.BatchNorm2d(2 * outputs) for _ in self.convolutions)
        self.gate = GatedLinearUnit()

    def reset_parameters(self) -> None:
        """Noise begins without strength."""
        if self.noise_layer is not None:
            nn.init.zeros_(self.noise_strength)

    def forward(self, features: Tensor, key: Tensor) -> Tensor:
        """[N, in, H, W] and keys [N] -> [N, out, 2H, 2W]."""
        for number, (convolve, norm) in enumerate(zip(self.convolutions, self.norms, strict=True)):
            features = convolve(features)
            if self.noise_layer is not None:
                noise = keyed_normal(key, self.noise_layer + number, features.shape[-1])
                features = features + (self.noise_strength[number] * noise).to(features.dtype)
            features = self.gate(norm(features))
        return features


class SkipExcitation(nn.Module):
    """Small features [N, in, h, w] -> a gate in (0, 1) for each large channel, [N, out, 1, 1]."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.AdaptiveAvgPool2d(4),
            nn.Conv2d(inputs, outputs, 4),
            nn.LeakyReLU(0.1),
            nn.Conv2d(outputs, outputs, 1),
            nn.Sigmoid(),
        )

    def forward(self, small: Tensor) -> Tensor:
        """See the class."""
        gate: Tensor = self.body(small)
        return gate


class Discriminator(nn.Module):
    """Images -> a grid of logits; and decoders that must rebuild the images from its features."""

    def __init__(self, settings: FastGANSettings) -> None:
        super().__init__()
        size, first = settings.image_size, first_size(settings.image_size)
        steps = doublings(size)
        self.first = nn.Sequential(
            SpectralConv2d(3, _channels(settings, steps), 3, padding=1), nn.LeakyReLU(0.2)
        )
        # Down to 8 (or 7) pixels; features are read one halving before the end, and there.
        last = 1 if first == 4 else 0
        self.blocks = nn.ModuleList(
            DownBlock(_channels(settings, step + 1), _channels(settings, step))
            for step in reversed(range(last, steps))
        )
        inputs = _channels(settings, last)
        self.classes = embedding(settings.classes, inputs)
        self.judge = nn.Sequential(
            SpectralConv2d(inputs, inputs, 1, bias=False),
            nn.BatchNorm2d(inputs),
            nn.LeakyReLU(0.2),
            SpectralConv2d(inputs, 1, 4),
        )
        self.small = first * 2**last
        self.decode_whole = Decoder(inputs, self.small, min(size, DECODED))
        part = min(size // 2, DECODED)
        self.decode_part = Decoder(_channels(settings, last + 1), self.small, part)

    def features(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images -> features of twice the smallest side (16 or 14), and of the smallest."""
        larger = smaller = self.first(images)
        for block in self.blocks:
            larger, smaller = smaller, block(smaller)
        return larger, smaller

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """[N, 3, S, S] -> logits [N, 1, 5, 5] (4 x 4 for sizes that start from 7).

        Where there are classes and labels [N], a class adds the same to all logits of its image.
        """
        return self.logits(self.features(images)[1], labels)

    def logits(self, smaller: Tensor, labels: Tensor | None) -> Tensor:
        """Judge the smallest features; see ``forward``."""
        logits: Tensor = self.judge(smaller)
        if self.classes is not None and labels is not None:
            logits = logits + self.classes.project(smaller.mean((2, 3)), labels)[:, :, None, None]
        return logits

    def judge_and_rebuild(
        self, images: Tensor, random: torch.Generator, labels: Tensor | None = None
    ) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        """Logits; and pairs (rebuilt, original) of the whole images and of a random quarter."""
        larger, smaller = self.features(images)
        count, small = len(images), self.small
        corners = torch.randint(small + 1, (2, count), generator=random, device=random.device)
        cell = images.shape[-1] // (2 * small)
        part = crop(images, corners * cell, small * cell)
        pairs = [
            (self.decode_whole(smaller), images),
            (self.decode_part(crop(larger, corners, small)), part),
        ]
        return self.logits(smaller, labels), pairs


class DownBlock(nn.Module):
    """Halves the side along two ways: strided convolutions, and pooling with a 1x1 one."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            SpectralConv2d(inputs, outputs, 4, 2, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.LeakyReLU(0.2),
            SpectralConv2d(outputs, outputs, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.LeakyReLU(0.2),
        )
        self.direct = nn.Sequential(
            nn.AvgPool2d(2),
            SpectralConv2d(inputs, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.LeakyReLU(0.2),
        )

    def forward(self, features: Tensor) -> Tensor:
        """[N, in, H, W] -> [N, out, H/2, W/2]."""
        halved: Tensor = (self.main(features) + self.direct(features)) / 2
        return halved


class Decoder(nn.Sequential):
    """Features [N, in, s, s] -> images [N, 3, S, S]: upsample, convolution, BatchNorm, GLU."""

    def __init__(self, inputs: int, size: int, image_size: int) -> None:
        layers: list[nn.Module] = []
        while size < image_size:
            outputs = max(2, inputs // 2)
            layers += [
                UpsampleConv2d(inputs, 2 * outputs, bias=False),
                nn.BatchNorm2d(2 * outputs),
                GatedLinearUnit(),
            ]
            inputs, size = outputs, size * 2
        super().__init__(*layers, nn.Conv2d(inputs, 3, 3, padding=1), nn.Tanh())


class FastGAN(AdversarialGan):
    """Hinge loss with DiffAugment; the discriminator also rebuilds the real images it sees."""

    name = "fastgan"
    settings_type = FastGANSettings

    discriminator: Discriminator

    def __init__(self, settings: FastGANSettings | None = None) -> None:
        settings = settings or FastGANSettings()
        super().__init__(settings)
        self.generator = Generator(settings)
        self.discriminator = Discriminator(settings)
        self.initialise()

    def discriminator_blocks(self) -> Sequence[nn.Module]:
        """The first layer and the halvings; neither the judge nor the decoders."""
        return [self.discriminator.first, *self.discriminator.blocks]

    def random_latents(self, count: int, random: torch.Generator) -> Latents:
        """Standard normal noise [N, latent_dim], each image's key, a label if there are classes."""
        shape = (count, self.settings.latent_dim)
        noise = torch.randn(shape, generator=random, device=random.device)
        latents = {"noise": noise, "key": random_keys(count, random)}
        if self.settings.classes:
            latents["label"] = random_labels(count, self.settings.classes, random)
        return latents

    def judge_real(
        self, seen: Tensor, random: torch.Generator, *labels: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Logits, and the loss "reconstruction": mean absolute difference, whole and part."""
        logits, pairs = self.discriminator.judge_and_rebuild(seen, random, *labels)
        loss = torch.zeros((), device=seen.device)
        for rebuilt, original in pairs:
            wanted = F.adaptive_avg_pool2d(original.float(), rebuilt.shape[-1])
            loss = loss + F.l1_loss(rebuilt.float(), wanted)
        return logits, {"reconstruction": loss}


def crop(images: Tensor, corners: Tensor, side: int) -> Tensor:
    """Cut a square out of each image.

    Args:
        images: [N, C, H, W].
        corners: Rows and columns of the squares' upper left pixels, int64 [2, N].
        side: Of the squares, pixels.
    """
    along = torch.arange(side, device=images.device)
    rows = (corners[0][:, None] + along).view(-1, 1, side, 1)
    columns = (corners[1][:, None] + along).view(-1, 1, 1, side)
    return torch.take_along_dim(torch.take_along_dim(images, rows, 2), columns, 3)


def _channels(settings: FastGANSettings, step: int) -> int:
    return max(2, round(WIDTHS[step] * settings.width))
