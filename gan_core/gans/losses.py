"""Adversarial losses and gradient penalties, written once for all kinds of GAN.

Everything here computes in float32 whatever precision the logits come in. Penalties differentiate
a gradient, so they run the discriminator outside autocast and uncompiled: bfloat16 would round the
inner gradient away, and ``torch.compile`` refuses a second backward pass.

Real and fake logits are raw outputs of a discriminator, of any shape with first dimension N.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

Discriminate = Callable[[Tensor], Tensor]
"""Images [N, 3, S, S] -> logits [N, ...]."""


@dataclass(frozen=True)
class AdversarialLoss:
    """What discriminator and generator each minimise.

    Attributes:
        discriminator: (real logits, fake logits) -> scalar.
        generator: (real logits, fake logits) -> scalar.
        is_paired: Whether the generator's loss reads the real logits; where it does not, they need
            not be computed, and None may stand for them.
    """

    discriminator: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor | None, Tensor], Tensor]
    is_paired: bool = False


def logistic_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """Goodfellow 2014, arXiv:1406.2661, eq. 1, as a loss: -log D(real) - log(1 - D(fake))."""
    return F.softplus(-real.float()).mean() + F.softplus(fake.float()).mean()


def non_saturating_generator(real: Tensor | None, fake: Tensor) -> Tensor:  # noqa: ARG001
    """Goodfellow 2014, section 3: -log D(fake), whose gradient does not vanish at the beginning."""
    return F.softplus(-fake.float()).mean()


def least_squares_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """Mao 2016, arXiv:1611.04076, eq. 9: real to 1, fake to 0, halved."""
    return ((real.float() - 1).square().mean() + fake.float().square().mean()) / 2


def least_squares_generator(real: Tensor | None, fake: Tensor) -> Tensor:  # noqa: ARG001
    """Mao 2016, eq. 9: fake to 1, halved."""
    return (fake.float() - 1).square().mean() / 2


def hinge_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """Lim and Ye 2017, arXiv:1705.02894: nothing is gained beyond a margin of 1."""
    return F.relu(1 - real.float()).mean() + F.relu(1 + fake.float()).mean()


def wasserstein_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """Arjovsky 2017, arXiv:1701.07875: the critic's estimate of the distance, negated."""
    return fake.float().mean() - real.float().mean()


def wasserstein_generator(real: Tensor | None, fake: Tensor) -> Tensor:  # noqa: ARG001
    """Arjovsky 2017; the generator's side of the hinge loss as well."""
    return -fake.float().mean()


def relativistic_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """Jolicoeur-Martineau 2018, arXiv:1807.00734: each real above the fake it is paired with."""
    return F.softplus(fake.float() - real.float()).mean()


def relativistic_generator(real: Tensor | None, fake: Tensor) -> Tensor:
    """The same pairs, the other way round (R3GAN: Huang 2024, arXiv:2501.05441, eq. 2)."""
    if real is None:
        raise ValueError("the relativistic loss compares fakes with reals")
    return F.softplus(real.float() - fake.float()).mean()


ADVERSARIAL_LOSSES: dict[str, AdversarialLoss] = {
    "non-saturating": AdversarialLoss(logistic_discriminator, non_saturating_generator),
    "least-squares": AdversarialLoss(least_squares_discriminator, least_squares_generator),
    "hinge": AdversarialLoss(hinge_discriminator, wasserstein_generator),
    "relativistic": AdversarialLoss(
        relativistic_discriminator, relativistic_generator, is_paired=True
    ),
}
"""Those that a kind offers as its setting ``loss``; "relativistic" comes with R1 and R2."""


def squared_gradient(discriminate: Discriminate, images: Tensor) -> Tensor:
    """Mean over the images of the squared norm of the logits' gradient; times gamma/2 it is R1.

    Mescheder 2018, arXiv:1801.04406, eq. 9: R1 at real images, R2 at fake ones.

    Args:
        discriminate: Must be twice differentiable; its weights receive the penalty's gradient.
        images: [N, 3, S, S]; need not require gradients.

    Returns:
        A float32 scalar (float64 for float64 images) to be weighted and descended.
    """
    return _gradients(discriminate, images).square().sum((1, 2, 3)).mean()


def gradient_penalty(
    critic: Discriminate, real: Tensor, fake: Tensor, random: torch.Generator
) -> Tensor:
    """WGAN-GP's penalty, unweighted: mean of (|gradient| - 1)^2 between real and fake images.

    Gulrajani 2017, arXiv:1704.00028, algorithm 1. Each pair is mixed at one uniform point.
    """
    shares = torch.rand(len(real), 1, 1, 1, generator=random, device=random.device)
    mixed = torch.lerp(real.detach(), fake.detach().to(real.dtype), shares.to(real.dtype))
    squared = _gradients(critic, mixed).square().sum((1, 2, 3))
    # The square root has no second derivative at 0, where a dead critic lies.
    return ((squared + 1e-12).sqrt() - 1).square().mean()


def rising_gamma(fraction: float, start: float, end: float) -> float:
    """The penalty's weight at a share of the training: half a cosine wave from start to end.

    R3GAN's schedule (Huang 2024, appendix), run upwards as small medical sets need it.
    """
    return start + (end - start) * (1 - math.cos(math.pi * min(max(fraction, 0.0), 1.0))) / 2


def _gradients(discriminate: Discriminate, images: Tensor) -> Tensor:
    """The gradient of each image's logit at it, differentiable itself; [N, 3, S, S].

    Where an image has many logits, one a patch, it is that of their mean, as in the losses.
    """
    with torch.autocast(images.device.type, enabled=False), torch.enable_grad():
        images = images.detach()
        if images.dtype is not torch.float64:  # float64 is what tests compare with
            images = images.float()
        images.requires_grad_(True)
        logits = discriminate(images).reshape(len(images), -1).mean(1)
        (gradients,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return gradients
