"""ADA: augmentation whose probability follows how far the discriminator overfits.

Karras et al., "Training Generative Adversarial Networks with Limited Data", 2020,
arXiv:2006.06676: pixel blitting, geometric and colour transformations (their "bgc"), each applied
to an image with probability p. An overfitting discriminator calls real images real too surely:
p rises while the mean sign of its real logits is above a target, and falls below it.

Two simplifications: images are resampled bilinearly, without the paper's wavelet filters, and the
mean sign is a running one instead of that of every four batches.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from gan_core.gans.augment.base import Augment
from gan_core.gans.augment.matrices import (
    about_axis,
    flip,
    flip_along,
    rotate,
    scale,
    scale_all,
    translate,
)

MOST = 0.8
"""p's ceiling: beyond about .8 transformations begin to show in the samples (section 2.2)."""
SIGN_WEIGHT = 0.25
"""Of the newest batch in the running mean of signs: a memory of about four batches."""


class AdaptiveAugment(Augment):
    """Transforms images with a probability that it adapts; both are in its state.

    Attributes:
        probability: p, a buffer: float32 scalar, 0 at first.
        mean_sign: The running mean of the sign of real logits, a buffer.
    """

    probability: Tensor
    mean_sign: Tensor

    def __init__(self, *, target: float = 0.6, images_to_full: int = 100_000) -> None:
        """Args tell how p moves.

        Args:
            target: The mean sign that is aimed at.
            images_to_full: Real images after which p could at the earliest have gone from 0 to 1.
        """
        super().__init__()
        self.target, self.images_to_full = target, images_to_full
        self.register_buffer("probability", torch.zeros(()))
        self.register_buffer("mean_sign", torch.zeros(()))

    def reset_parameters(self) -> None:
        """Begin anew: nothing is augmented, nothing seen."""
        self.probability.zero_()
        self.mean_sign.zero_()

    @torch.no_grad()
    def adapt(self, real_logits: Tensor) -> None:
        """Take a batch's real logits, [N, ...], into account; nothing waits for the device."""
        signs = real_logits.detach().float().sign().mean()
        self.mean_sign.lerp_(signs, SIGN_WEIGHT)
        step = len(real_logits) / self.images_to_full
        self.probability.add_((self.mean_sign - self.target).sign() * step).clamp_(0, MOST)

    def forward(self, images: Tensor, random: torch.Generator) -> Tensor:
        """Float [N, 3, S, S] -> float32 of the same shape, channels_last.

        Differentiable once (PyTorch has no second derivative of grid_sample): take penalties at
        images that have been augmented already.
        """
        images = images.float()
        moved = warp(images, self._geometry(len(images), images.shape[-1], random))
        coloured = recolour(moved, self._colour(len(images), random))
        return coloured.contiguous(memory_format=torch.channels_last)

    def _chance(self, count: int, random: torch.Generator) -> Tensor:
        """Which images get the next transformation; bool [N]."""
        return torch.rand(count, generator=random, device=random.device) < self.probability

    def _geometry(self, count: int, size: int, random: torch.Generator) -> Tensor:
        """Matrices [N, 3, 3] from where a pixel goes to where it comes from; [-1, 1] units."""
        device = random.device

        def uniform(*shape: int) -> Tensor:
            return torch.rand(count, *shape, generator=random, device=device)

        def normal(*shape: int) -> Tensor:
            return torch.randn(count, *shape, generator=random, device=device)

        def sometimes(matrix: Tensor) -> Tensor:
            return torch.where(self._chance(count, random)[:, None, None], matrix, identity)

        identity = torch.eye(3, device=device).expand(count, 3, 3)
        # Pixel blitting: exact on the pixel grid.
        matrix = sometimes(flip(uniform() < 0.5))
        matrix = matrix @ sometimes(rotate((uniform() * 4).floor() * (math.pi / 2)))
        whole = ((uniform(2) * 2 - 1) * 0.125 * size).round() * (2 / size)
        matrix = matrix @ sometimes(translate(whole))
        # General geometry. A rotation before and one after the uneven scaling, each with the
        # chance that makes the two together as likely as the others: 1 - sqrt(1 - p).
        matrix = matrix @ sometimes(scale_all(torch.exp2(0.2 * normal())))
        rare = 1 - (1 - self.probability).sqrt()
        for turn in range(2):
            chosen = torch.rand(count, generator=random, device=device) < rare
            angle = (uniform() * 2 - 1) * math.pi
            matrix = matrix @ torch.where(chosen[:, None, None], rotate(angle), identity)
            if turn == 0:
                factor = torch.exp2(0.2 * normal())
                matrix = matrix @ sometimes(scale(torch.stack([factor, 1 / factor], 1)))
        return matrix @ sometimes(translate(normal(2) * 0.125 * 2))

    def _colour(self, count: int, random: torch.Generator) -> Tensor:
        """Matrices [N, 4, 4] that act on (red, green, blue, 1)."""
        device = random.device

        def normal() -> Tensor:
            return torch.randn(count, generator=random, device=device)

        def uniform() -> Tensor:
            return torch.rand(count, generator=random, device=device)

        def sometimes(matrix: Tensor) -> Tensor:
            return torch.where(self._chance(count, random)[:, None, None], matrix, identity)

        identity = torch.eye(4, device=device).expand(count, 4, 4)
        brightness = (0.2 * normal())[:, None].expand(-1, 3)
        matrix = sometimes(translate(brightness))
        matrix = sometimes(scale_all(torch.exp2(0.5 * normal()), 4)) @ matrix  # contrast
        matrix = sometimes(flip_along(uniform() < 0.5)) @ matrix  # luma, mirrored
        matrix = sometimes(about_axis((uniform() * 2 - 1) * math.pi)) @ matrix  # hue
        return sometimes(saturate(torch.exp2(normal()))) @ matrix


def saturate(factor: Tensor) -> Tensor:
    """Stretch colours away from the grey axis: [N] -> [N, 4, 4]."""
    grey = torch.zeros(4, 4, device=factor.device)
    grey[:3, :3] = 1 / 3
    grey[3, 3] = 1
    return torch.lerp(grey, torch.eye(4, device=factor.device), factor[:, None, None])


def warp(images: Tensor, matrices: Tensor) -> Tensor:
    """Resample [N, 3, S, S] where ``matrices`` [N, 3, 3] say; beyond the edge it is mirrored."""
    grid = F.affine_grid(matrices[:, :2], list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, "bilinear", "reflection", align_corners=False)


def recolour(images: Tensor, matrices: Tensor) -> Tensor:
    """Apply colour matrices [N, 4, 4] to [N, 3, S, S]."""
    turned = torch.einsum("nij,njhw->nihw", matrices[:, :3, :3], images)
    return turned + matrices[:, :3, 3, None, None]
