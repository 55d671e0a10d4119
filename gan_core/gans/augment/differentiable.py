"""DiffAugment: colour, translation and cutout, on every image that the discriminator sees.

Zhao et al., "Differentiable Augmentation for Data-Efficient GAN Training", 2020, arXiv:2006.10738;
the policy "color + translation + cutout", which is theirs for the smallest data sets.

Every function maps float [N, 3, H, W] in [-1, 1] to the same shape, is twice differentiable, and
draws one set of numbers for each image from ``random``, which lies on the images' device.
"""

from __future__ import annotations

import torch
from torch import Tensor

from gan_core.gans.augment.base import Augment

BRIGHTNESS = 0.5
"""Added to all pixels: uniform within ± this (images span 2)."""
TRANSLATION = 0.125
"""The largest shift, as a share of the side."""
CUTOUT = 0.5
"""The side of the hole, as a share of the image's."""


class DiffAugment(Augment):
    """Colour, then translation, then cutout, on every image."""

    def forward(self, images: Tensor, random: torch.Generator) -> Tensor:
        """Float [N, 3, S, S] in [-1, 1] -> float32 of the same shape, channels_last."""
        augmented = cutout(translate(jitter_colour(images.float(), random), random), random)
        return augmented.contiguous(memory_format=torch.channels_last)


def jitter_colour(images: Tensor, random: torch.Generator) -> Tensor:
    """Brightness ± .5; saturation times 0 .. 2; contrast times .5 .. 1.5, about the mean."""
    images = images + (_uniform(images, random) * 2 - 1) * BRIGHTNESS
    grey = images.mean(1, keepdim=True)
    images = grey + (images - grey) * (_uniform(images, random) * 2)
    mean = images.mean((1, 2, 3), keepdim=True)
    return mean + (images - mean) * (_uniform(images, random) + 0.5)


def translate(images: Tensor, random: torch.Generator) -> Tensor:
    """Shift by whole pixels, up to an eighth of the side each way; what comes in is 0 (grey)."""
    for dimension in (2, 3):
        side = images.shape[dimension]
        reach = round(side * TRANSLATION)
        shift = torch.randint(
            -reach, reach + 1, (len(images), 1), generator=random, device=random.device
        )
        source = torch.arange(side, device=images.device) - shift
        is_inside = (source >= 0) & (source < side)
        shape = [len(images), 1, 1, 1]
        shape[dimension] = side
        index = source.clamp(0, side - 1).view(shape)
        images = torch.take_along_dim(images, index, dimension) * is_inside.view(shape)
    return images


def cutout(images: Tensor, random: torch.Generator) -> Tensor:
    """Set a square of half the side to 0 (grey); its centre lies anywhere in the image."""
    is_hole = torch.ones((len(images), 1, 1, 1), dtype=torch.bool, device=images.device)
    for dimension in (2, 3):
        side = images.shape[dimension]
        length = round(side * CUTOUT)
        centre = torch.randint(side, (len(images), 1), generator=random, device=random.device)
        offset = torch.arange(side, device=images.device) - (centre - length // 2)
        shape = [len(images), 1, 1, 1]
        shape[dimension] = side
        is_hole = is_hole & ((offset >= 0) & (offset < length)).view(shape)
    return images * ~is_hole


def _uniform(images: Tensor, random: torch.Generator) -> Tensor:
    """One number from [0, 1) for each image; [N, 1, 1, 1]."""
    return torch.rand(len(images), 1, 1, 1, generator=random, device=random.device)
