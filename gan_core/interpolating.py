"""Images on the way from one seed's image to another's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gan_core.gans.base import Latents
from gan_core.generating import TrainedGenerator, batches_of, gan_of
from gan_core.progress import ShouldStop, never_stop
from gan_core.spec.errors import GraftError

_SMALLEST_SINE = 1e-6


def generate_between(
    model: TrainedGenerator,
    first_seed: int,
    last_seed: int,
    steps: int,
    *,
    positions: Sequence[int] | None = None,
    truncation: float | None = None,
    category: int | None = None,
    codes: Sequence[float] | None = None,
    device: str | torch.device = "cpu",
    should_stop: ShouldStop = never_stop,
) -> Iterator[NDArray[np.uint8]]:
    """Make the images on the way from one seed's image to another's, some at a time.

    The first is the image of ``first_seed``, bit for bit; the last is that of ``last_seed`` but for
    what cannot be between (see ``latents_between``).

    Args:
        model: What to make them with.
        first_seed: 0 .. 2**32 - 1.
        last_seed: 0 .. 2**32 - 1.
        steps: Images in all, both ends included; 2 or more.
        positions: Which of them, from 0; None: all.
        truncation: As for ``generate_batches``.
        category: As for ``generate_batches``; None: that of the first.
        codes: As for ``generate_batches``; None: they go from those of the one to the other's.
        device: Where to compute.
        should_stop: Asked before each batch.

    Yields:
        uint8 [n, S, S, 3], n at most ``generating.BATCH``, in the order of the positions.

    Raises:
        GraftError: As ``generate_batches``; too_few_steps.
        Stopped: should_stop() said so.
    """
    if steps < 2:
        raise GraftError(
            "too_few_steps",
            f"A way from one image to another in {steps} steps has no two ends.",
            "Ask for 2 steps or more.",
        )
    gan = gan_of(model)
    wanted = range(steps) if positions is None else positions
    ends = gan.latents_for(
        [first_seed, last_seed], truncation=truncation, category=category, codes=codes
    )

    def some(start: int, stop: int) -> Latents:
        shares = [place / (steps - 1) for place in wanted[start:stop]]
        return latents_between(ends, shares, is_round=gan.noise_is_normal)

    return batches_of(gan, some, len(wanted), torch.device(device), should_stop)


def latents_between(ends: Latents, shares: Sequence[float], *, is_round: bool) -> Latents:
    """Latents on the way from one image to another.

    Normal noise goes along the sphere (White, "Sampling generative networks", 2016): on the
    straight line it would become shorter than any that the generator was trained on. Other numbers
    go straight. What cannot be between (a category, the key of the noise in a generator's layers)
    stays that of the first.

    Args:
        ends: Of two images.
        shares: How much of the way, each from 0 (the first image) to 1 (the second).
        is_round: Whether the "noise" is normal.

    Returns:
        Latents of one image for each share.
    """
    found: Latents = {}
    for name, (first, last) in ends.items():
        if not first.is_floating_point():
            found[name] = first.expand(len(shares), *first.shape).clone()
            continue
        mix = spherical if is_round and name == "noise" else torch.lerp
        found[name] = torch.stack([mix(first, last, share) for share in shares])
    return found


def spherical(first: Tensor, last: Tensor, share: float) -> Tensor:
    """Go a share of the way along the arc from one vector to another (Shoemake, 1985).

    Args:
        first: [D]; where share 0 is.
        last: [D]; where share 1 is.
        share: From 0 to 1.
    """
    a, b = first.double(), last.double()
    cosine = (a @ b) / (a.norm() * b.norm()).clamp_min(torch.finfo(torch.float64).tiny)
    angle = torch.arccos(cosine.clamp(-1, 1))
    # The same direction; or opposite ones, between which no arc is the shortest.
    if angle.sin() < _SMALLEST_SINE:
        return torch.lerp(first, last, share)
    # The sine of the whole angle divided by itself is 1: both ends are met exactly.
    weights = torch.sin((1 - share) * angle) / angle.sin(), torch.sin(share * angle) / angle.sin()
    return (weights[0] * a + weights[1] * b).to(first.dtype)
