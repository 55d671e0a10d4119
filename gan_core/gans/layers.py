"""Layers that more than one GAN is built from."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class UpsampleConv2d(nn.Conv2d):
    """Nearest-neighbour upsampling x2, then a 3x3 convolution with padding 1, in one pass.

    Of the nine weights that meet a pixel of the upsampled image, several meet the same pixel of the
    small image, so they can be added up first: the two layers equal one transposed convolution
    with stride 2 and a 4x4 kernel, with 2.25 times fewer products and no large image in between.
    The parameters stay those of the plain convolution ([out, in, 3, 3] and [out]), and so do their
    gradients, up to rounding.

    Maps [N, in, H, W] to [N, out, 2H, 2W].
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, kernel_size=3, padding=1)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - PyTorch's own name
        """[N, in, H, W] -> [N, out, 2H, 2W]."""
        kernel = upsampling_kernel(self.weight)
        return F.conv_transpose2d(input, kernel, self.bias, stride=2, padding=1)


def upsampling_kernel(weight: Tensor) -> Tensor:
    """Turn a 3x3 kernel [out, in, 3, 3] into the 4x4 transposed one [in, out, 4, 4].

    Each weight reaches the 2x2 block that a pixel becomes when it is upsampled: the 4x4 kernel is
    the sum of the 3x3 kernel at the four offsets of that block, flipped, as a transposed
    convolution runs backwards.
    """
    padded = F.pad(weight, (1, 1, 1, 1))
    columns = padded[..., :-1] + padded[..., 1:]
    kernel = columns[..., :-1, :] + columns[..., 1:, :]
    return torch.flip(kernel, (2, 3)).transpose(0, 1)
