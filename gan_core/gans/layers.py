"""Layers that more than one GAN is built from."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PIXELS_A_CHANNEL = 2
"""An image with more pixels than this for each channel is upsampled and convolved in one pass.

Measured in bfloat16, forwards and backwards: 256 channels of 16x16 take alike, 128 of 32x32 two
thirds of the time; 512 of 8x8 would take three times as long.
"""


class UpsampleConv2d(nn.Conv2d):
    """Nearest-neighbour upsampling x2, then a 3x3 convolution with padding 1, in one pass.

    Of the nine weights that meet a pixel of the upsampled image, several meet the same pixel of the
    small image, so they can be added up first: the two layers equal one transposed convolution
    with stride 2 and a 4x4 kernel, with 2.25 times fewer products and no large image in between.
    The parameters stay those of the plain convolution ([out, in, 3, 3] and [out]), and so do their
    gradients, up to rounding.

    Adding the weights up has its price, too, which small images with many channels do not pay back:
    these take the two layers one after the other. The choice depends on the shapes alone, and not
    on the batch, so that an image's bits do not depend on its company.

    Maps [N, in, H, W] to [N, out, 2H, 2W].
    """

    def __init__(self, in_channels: int, out_channels: int, *, bias: bool = True) -> None:
        super().__init__(in_channels, out_channels, kernel_size=3, padding=1, bias=bias)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - PyTorch's own name
        """[N, in, H, W] -> [N, out, 2H, 2W]."""
        if input.shape[-2] * input.shape[-1] <= PIXELS_A_CHANNEL * self.in_channels:
            large = F.interpolate(input, scale_factor=2.0, mode="nearest")
            return F.conv2d(large, self.weight, self.bias, padding=1)
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


class ProjectionConv2d(nn.ConvTranspose2d):
    """A transposed convolution of single pixels, [N, in, 1, 1] -> [N, out, k, k].

    That is one product of matrices, computed as such and in the order in which a channels_last
    image lies in memory: a third of the time of the convolution. Its parameters are those of
    ``nn.ConvTranspose2d`` without a bias, [in, out, k, k].
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int) -> None:
        super().__init__(in_channels, out_channels, kernel_size, bias=False)

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:  # noqa: A002, ARG002 - PyTorch's own names
        """See the class."""
        height, width = self.weight.shape[2:]
        matrix = self.weight.permute(0, 2, 3, 1).flatten(1)
        pixels = (input.flatten(1) @ matrix).view(len(input), height, width, self.out_channels)
        return pixels.permute(0, 3, 1, 2)


class GatedLinearUnit(nn.Module):
    """The first half of the channels, each times the sigmoid of one of the second half.

    Dauphin et al. 2016, arXiv:1612.08083. ``nn.GLU`` is the same, but its gradient comes back in
    another memory format, which costs the layers before it several times what it computes itself.
    """

    def forward(self, features: Tensor) -> Tensor:
        """[N, 2 C, H, W] -> [N, C, H, W]."""
        values, gates = features.chunk(2, 1)
        return values * gates.sigmoid()
