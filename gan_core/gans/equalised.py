"""Layers with an equalised learning rate, and what goes with them in PGGAN and StyleGAN2.

Karras et al., "Progressive Growing of GANs", 2018, arXiv:1710.10196, section 4.1: weights are kept
as N(0, 1) and multiplied by He's constant in every pass, so that Adam, which steps alike whatever a
weight's size, learns equally fast in all layers.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

IMAGES_A_BATCH = 8
"""About as many."""


class EqualisedConv2d(nn.Module):
    """A k x k convolution with zero padding that keeps the size (divided by ``stride``).

    Attributes:
        weight: [out, in, k, k], N(0, 1) at first.
        bias: [out], 0 at first; None without.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        *,
        gain: float = 1.0,
        stride: int = 1,
        padding: int | None = None,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.empty(outputs)) if bias else None
        self.scale = gain / math.sqrt(inputs * kernel**2)
        self.stride, self.padding = stride, kernel // 2 if padding is None else padding
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weight anew."""
        nn.init.normal_(self.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, features: Tensor) -> Tensor:
        """[N, in, H, W] -> [N, out, H / stride, W / stride]."""
        weight: Tensor = self.weight
        # What is smaller is scaled: deep layers have more weights than an image has features. The
        # choice must not depend on the batch at hand, nor an image's bits on its company.
        if features[0].numel() * IMAGES_A_BATCH < weight.numel():
            features = features * self.scale
        else:
            weight = weight * self.scale
        return F.conv2d(features, weight, self.bias, self.stride, self.padding)


class EqualisedLinear(nn.Module):
    """A linear layer, which may learn at its own share of the learning rate.

    Attributes:
        weight: [out, in], N(0, 1 / rate) at first.
        bias: [out], such that it acts as ``first_bias`` at first.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        gain: float = 1.0,
        first_bias: float = 0.0,
        rate: float = 1.0,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs))
        self.bias = nn.Parameter(torch.empty(outputs))
        self.rate, self.first_bias = rate, first_bias
        self.scale = gain * rate / math.sqrt(inputs)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weight anew."""
        nn.init.normal_(self.weight, 0.0, 1 / self.rate)
        nn.init.constant_(self.bias, self.first_bias / self.rate)

    def forward(self, features: Tensor) -> Tensor:
        """[N, in] -> [N, out]."""
        # The features are scaled: they are fewer than the weights.
        return F.linear(features * self.scale, self.weight, self.bias * self.rate)


def pixel_norm(features: Tensor) -> Tensor:
    """Scale each pixel's (or row's) features to a root mean square of 1, over dimension 1."""
    mean_square = features.float().square().mean(1, keepdim=True)
    return features * (mean_square + 1e-8).rsqrt().to(features.dtype)


def with_batch_deviation(features: Tensor, group: int | None = None) -> Tensor:
    """Append one channel that tells how much the images of a batch differ.

    Section 3 of the PGGAN paper: the standard deviation over the images, averaged over channels and
    pixels. StyleGAN2 takes groups of 4; a batch that cannot be cut so is taken whole.

    Args:
        features: [N, C, H, W].
        group: Images in a group; None takes the batch.

    Returns:
        [N, C + 1, H, W].
    """
    count, _, height, width = features.shape
    if group is None or count % group:
        group = count
    grouped = features.float().reshape(group, count // group, *features.shape[1:])
    variance = (grouped - grouped.mean(0)).square().mean(0)
    deviation = (variance + 1e-8).sqrt().mean((1, 2, 3))
    channel = deviation.to(features.dtype).repeat(group).view(count, 1, 1, 1)
    return torch.cat([features, channel.expand(-1, -1, height, width)], 1)
