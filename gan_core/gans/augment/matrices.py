"""Homogeneous matrices of geometric and colour transformations, one for each image.

Geometry acts on (x, y, 1), colour on (red, green, blue, 1); both in units where images span
[-1, 1].
"""

from __future__ import annotations

import torch
from torch import Tensor


def translate(offsets: Tensor) -> Tensor:
    """Move by ``offsets`` [N, D] -> [N, D + 1, D + 1]."""
    count, dimensions = offsets.shape
    matrix = torch.eye(dimensions + 1, device=offsets.device).repeat(count, 1, 1)
    matrix[:, :dimensions, dimensions] = offsets
    return matrix


def scale(factors: Tensor) -> Tensor:
    """Multiply coordinate d by ``factors[:, d]``: [N, D] -> [N, D + 1, D + 1]."""
    return torch.diag_embed(torch.cat([factors, torch.ones_like(factors[:, :1])], 1))


def scale_all(factor: Tensor, rows: int = 3) -> Tensor:
    """Multiply all coordinates alike: [N] -> [N, rows, rows]."""
    return scale(factor[:, None].expand(-1, rows - 1))


def rotate(angle: Tensor) -> Tensor:
    """Turn the plane by ``angle`` [N], radians -> [N, 3, 3]."""
    matrix = torch.eye(3, device=angle.device).repeat(len(angle), 1, 1)
    matrix[:, 0, 0] = matrix[:, 1, 1] = angle.cos()
    matrix[:, 0, 1], matrix[:, 1, 0] = -angle.sin(), angle.sin()
    return matrix


def flip(is_flipped: Tensor) -> Tensor:
    """Mirror x where ``is_flipped`` (bool [N]) -> [N, 3, 3]."""
    sign = 1 - 2 * is_flipped.float()
    return scale(torch.stack([sign, torch.ones_like(sign)], 1))


def about_axis(angle: Tensor) -> Tensor:
    """Turn colours about the grey axis by ``angle`` [N], radians -> [N, 4, 4].

    Rodrigues' formula for the axis (1, 1, 1) / sqrt 3.
    """
    third = torch.full((3, 3), 1 / 3, device=angle.device)
    skew = torch.tensor([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]], device=angle.device) / 3**0.5
    cos, sin = angle.cos()[:, None, None], angle.sin()[:, None, None]
    matrix = torch.eye(4, device=angle.device).repeat(len(angle), 1, 1)
    matrix[:, :3, :3] = torch.lerp(third, matrix[:, :3, :3], cos) + sin * skew
    return matrix


def flip_along(is_flipped: Tensor) -> Tensor:
    """Mirror brightness, and keep hue, where ``is_flipped`` (bool [N]) -> [N, 4, 4].

    A reflection in the plane through 0 that stands on the grey axis.
    """
    matrix = torch.eye(4, device=is_flipped.device).repeat(len(is_flipped), 1, 1)
    matrix[:, :3, :3] -= is_flipped.float()[:, None, None] * (2 / 3)
    return matrix
