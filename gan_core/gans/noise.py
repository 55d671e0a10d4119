"""Noise maps that follow from one number an image, wherever and however often they are made.

A generator with noise in its layers would need a map a layer among its latents: a megabyte an image
at 256 pixels. Instead an image's latents hold one key, and each pixel's noise is a hash of key,
layer and position turned into a normal value. So it depends neither on the other images of the
batch nor on any generator's state.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

_LOW = 0xFFFFFFFF
KEY_RANGE = 2**62
"""Keys are whole numbers from 0 up to, not with, this."""


def random_keys(count: int, random: torch.Generator) -> Tensor:
    """Draw keys for ``count`` images; int64 [N]."""
    return torch.randint(KEY_RANGE, (count,), generator=random, device=random.device)


def keyed_normal(keys: Tensor, layer: int, size: int) -> Tensor:
    """Standard normal noise of one layer.

    Args:
        keys: int64 [N].
        layer: Its number; other layers' noise is independent.
        size: Height and width.

    Returns:
        float32 [N, 1, size, size].
    """
    pixels = torch.arange(2 * size * size, device=keys.device)
    hashed = _mix(pixels + 0x9E3779B9 * (layer + 1))
    # The key enters in two halves with a round of mixing after each.
    hashed = _mix(hashed[None] ^ (keys[:, None] & _LOW))
    hashed = _mix(hashed ^ (keys[:, None] >> 32))
    # The upper 24 bits as numbers in (0, 1): all that a float32 can tell apart.
    uniform = ((hashed >> 8).float() + 0.5) / 2**24
    radius, angle = uniform.view(len(keys), 2, size, size).chunk(2, 1)
    # Box and Muller's transform, 1958.
    normal: Tensor = (-2 * radius.log()).sqrt() * (2 * math.pi * angle).cos()
    return normal


def truncated(normal: Tensor, limit: float) -> Tensor:
    """Turn standard normal values into such of the normal distribution cut off at ± ``limit``.

    By equal ranks, so that each value follows from its own and the order stays.
    """
    inside = torch.special.ndtr(normal.double())
    low = torch.special.ndtr(torch.tensor(-limit, dtype=torch.float64))
    cut: Tensor = torch.special.ndtri(low + inside * (1 - 2 * low))
    return cut.to(normal.dtype)


def _mix(value: Tensor) -> Tensor:
    """Scatter the bits of 32-bit numbers held in int64: the finaliser of Appleby's MurmurHash3."""
    value = value & _LOW
    value = ((value ^ (value >> 16)) * 0x85EBCA6B) & _LOW
    value = ((value ^ (value >> 13)) * 0xC2B2AE35) & _LOW
    return value ^ (value >> 16)
