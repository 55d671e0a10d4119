"""Spectral normalisation, which bounds how steep a discriminator's layers can be."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

IMAGES_A_BATCH = 8
"""About as many; the choice that hangs on it must not depend on the batch at hand."""


class SpectralConv2d(nn.Conv2d):
    """A convolution whose weight, as a matrix [out, in * k * k], is divided by its largest
    singular value.

    Miyato et al., 2018, arXiv:1802.05957, algorithm 1: one step of power iteration in each pass in
    train mode, from a vector that is a buffer. Its parameters are those of the plain convolution.
    """  # noqa: D205

    left: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, bias=bias)
        self.register_buffer("left", torch.empty(out_channels))
        self._restart()

    def reset_parameters(self) -> None:
        """Draw weight, bias and the iteration's vector anew."""
        super().reset_parameters()
        if "left" in self._buffers:  # the parent's constructor calls this before there is one
            self._restart()

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - PyTorch's own name
        """[N, in, H, W] -> [N, out, H', W']."""
        shrink = self.largest_singular_value().reciprocal()
        weight: Tensor = self.weight
        # What is smaller is divided: deep layers have more weights than an image has features.
        if input[0].numel() < weight.numel() // IMAGES_A_BATCH:
            input = input * shrink  # noqa: A001
        else:
            weight = weight * shrink
        return F.conv2d(input, weight, self.bias, self.stride, self.padding)

    def largest_singular_value(self) -> Tensor:
        """An estimate from below; float32 scalar, differentiable in the weight."""
        matrix = self.weight.flatten(1)
        with torch.no_grad(), torch.autocast(matrix.device.type, enabled=False):
            right = F.normalize(matrix.t() @ self.left, dim=0, eps=1e-12)
            left = F.normalize(matrix @ right, dim=0, eps=1e-12)
            if self.training:
                self.left.copy_(left)
        # Products and sums, not matmul: autocast would turn that into bfloat16.
        return (left * (matrix * right).sum(1)).sum()

    def _restart(self) -> None:
        with torch.no_grad():
            self.left.normal_()
            self.left.div_(self.left.norm() + 1e-12)
