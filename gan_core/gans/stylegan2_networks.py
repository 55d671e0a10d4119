"""StyleGAN2's networks: mapping, synthesis with skips to the image, residual discriminator.

Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2020, arXiv:1912.04958:
modulated convolutions (section 2.2), generator with skips and residual discriminator (section 4.1),
with their filter [1, 3, 3, 1] wherever the side is doubled or halved.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_core.gans.base import Latents
from gan_core.gans.checks import doublings, first_size
from gan_core.gans.conditioning import embedding
from gan_core.gans.equalised import (
    EqualisedConv2d,
    EqualisedLinear,
    pixel_norm,
    with_batch_deviation,
)
from gan_core.gans.noise import keyed_normal

SLOPE = 0.2
"""Of the leaky ReLU for negative values."""
GAIN = math.sqrt(2)
"""What keeps the variance of a normal input through the leaky ReLU."""


class NetworkSettings(Protocol):
    """The settings that decide the networks' shapes."""

    @property
    def image_size(self) -> int: ...  # noqa: D102
    @property
    def latent_dim(self) -> int: ...  # noqa: D102
    @property
    def width(self) -> int: ...  # noqa: D102
    @property
    def channel_base(self) -> int | None: ...  # noqa: D102
    @property
    def mapping_layers(self) -> int: ...  # noqa: D102
    @property
    def truncation(self) -> float: ...  # noqa: D102
    @property
    def classes(self) -> int: ...  # noqa: D102


class Generator(nn.Module):
    """Noise -> styles -> images.

    Attributes:
        layers: How many places take a style, L.
        style_mean: The running mean of styles, a buffer [latent_dim].
    """

    style_mean: Tensor

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        size, dim = settings.image_size, settings.latent_dim
        first, steps = first_size(size), doublings(size)
        channels = [_channels(settings, first * 2**step) for step in range(steps + 1)]
        self.truncation = settings.truncation
        self.classes = embedding(settings.classes, dim)
        self.mapping = nn.ModuleList(
            EqualisedLinear(dim, dim, rate=0.01) for _ in range(settings.mapping_layers)
        )
        self.constant = nn.Parameter(torch.empty(1, channels[0], first, first))
        self.register_buffer("style_mean", torch.zeros(dim))
        self.convolutions = nn.ModuleList([StyledConv2d(channels[0], channels[0], dim, 0)])
        self.to_image = nn.ModuleList([ModulatedConv2d(channels[0], 3, 1, dim, demodulates=False)])
        for inputs, outputs in pairwise(channels):
            number = len(self.convolutions)
            self.convolutions.append(StyledConv2d(inputs, outputs, dim, number, upsamples=True))
            self.convolutions.append(StyledConv2d(outputs, outputs, dim, number + 1))
            self.to_image.append(ModulatedConv2d(outputs, 3, 1, dim, demodulates=False))
        self.image_bias = nn.Parameter(torch.empty(3))
        self.layers = len(self.convolutions) + 1
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the constant anew, and forget the mean style."""
        nn.init.normal_(self.constant)
        nn.init.zeros_(self.style_mean)
        nn.init.zeros_(self.image_bias)

    def forward(self, latents: Latents) -> Tensor:
        """Make images [N, 3, S, S], about [-1, 1], truncated in eval mode.

        Args:
            latents: noise [N, latent_dim], key int64 [N]; truncation float32 [N, 1] where it is to
                be another than the settings'; label int64 [N] where there are classes. What a class
                adds to a style is not truncated.
        """
        style = self.style(latents["noise"])
        if not self.training:
            share = latents.get("truncation", self.truncation)
            style = torch.lerp(self.style_mean.expand_as(style), style, share)
        if self.classes is not None:
            style = style + self.classes(latents["label"])
        return self.synthesise(style[:, None].expand(-1, self.layers, -1), latents["key"])

    def style(self, noise: Tensor) -> Tensor:
        """The mapping, in float32: [N, latent_dim] -> [N, latent_dim]."""
        with torch.autocast(noise.device.type, enabled=False):
            style = pixel_norm(noise)
            for layer in self.mapping:
                style = _activate(layer(style))
        return style

    def synthesise(self, styles: Tensor, key: Tensor) -> Tensor:
        """Styles [N, L, latent_dim] and keys [N] -> images [N, 3, S, S], float32."""
        constant = self.constant.expand(len(styles), -1, -1, -1)
        features = constant.contiguous(memory_format=torch.channels_last)
        image: Tensor | None = None
        for step, to_image in enumerate(self.to_image):
            for layer in (2 * step - 1, 2 * step) if step else (0,):
                features = self.convolutions[layer](features, styles[:, layer], key)
            drawn = to_image(features, styles[:, 2 * step + 1]).float()
            if image is not None:
                # Bilinear interpolation x2 is the filter [1, 3, 3, 1] between the pixels.
                drawn = drawn + F.interpolate(image, scale_factor=2.0, mode="bilinear")
            image = drawn
        assert image is not None  # noqa: S101 - there always is a first step
        return image + self.image_bias[:, None, None]


class ModulatedConv2d(nn.Module):
    """A convolution whose input channels a style weighs (and whose output is normalised for it).

    Equation 3 as written, applied to features instead of weights: scale each input channel by the
    style, convolve with the common weight, divide each output channel by the norm of what its
    weights have then become. No kernel is built for each image; the equalised learning rate's
    constant goes into the style's scales, too.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        style_dim: int,
        *,
        upsamples: bool = False,
        demodulates: bool = True,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs, kernel, kernel))
        self.scale = 1 / math.sqrt(inputs * kernel**2)
        self.to_scales = EqualisedLinear(style_dim, inputs, first_bias=1.0)
        self.upsamples, self.demodulates = upsamples, demodulates
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weight anew."""
        nn.init.normal_(self.weight)

    def forward(self, features: Tensor, style: Tensor) -> Tensor:
        """[N, in, H, W] and [N, style_dim] -> [N, out, H, W], or twice the side if it upsamples."""
        features, norm = self.convolve(features, style)
        return features if norm is None else features * norm.to(features.dtype)

    def convolve(self, features: Tensor, style: Tensor) -> tuple[Tensor, Tensor | None]:
        """As ``forward``, but for the normalisation: the caller multiplies by it.

        Returns:
            Features; and [N, out, 1, 1] in float32, None where the layer does not demodulate.
        """
        with torch.autocast(features.device.type, enabled=False):
            scales = self.to_scales(style) * self.scale
            norm = None
            if self.demodulates:
                power = scales.square() @ self.weight.square().sum((2, 3)).t()
                norm = (power + 1e-8).rsqrt()[:, :, None, None]
        features = features * scales[:, :, None, None].to(features.dtype)
        if self.upsamples:
            grown = F.conv_transpose2d(features, self.weight.transpose(0, 1), stride=2)
            return blur(grown, padding=1, gain=4), norm
        return F.conv2d(features, self.weight, padding=self.weight.shape[-1] // 2), norm


class StyledConv2d(nn.Module):
    """Modulated 3x3 convolution, noise, bias, leaky ReLU."""

    def __init__(
        self, inputs: int, outputs: int, style_dim: int, layer: int, *, upsamples: bool = False
    ) -> None:
        super().__init__()
        self.layer = layer
        self.convolution = ModulatedConv2d(inputs, outputs, 3, style_dim, upsamples=upsamples)
        self.noise_strength = nn.Parameter(torch.empty(1))
        self.bias = nn.Parameter(torch.empty(outputs))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Begin with no noise and no bias."""
        nn.init.zeros_(self.noise_strength)
        nn.init.zeros_(self.bias)

    def forward(self, features: Tensor, style: Tensor, key: Tensor) -> Tensor:
        """[N, in, H, W], [N, style_dim], [N] -> [N, out, H', W']."""
        features, norm = self.convolution.convolve(features, style)
        assert norm is not None  # noqa: S101 - this convolution demodulates
        noise = self.noise_strength * keyed_normal(key, self.layer, features.shape[-1])
        # The gain enters before the leaky ReLU, which passes it on: a pass over the features less.
        kind = features.dtype
        features = torch.addcmul((noise * GAIN).to(kind), features, (norm * GAIN).to(kind))
        return F.leaky_relu(features + (self.bias * GAIN).to(kind)[:, None, None], SLOPE)


class Discriminator(nn.Module):
    """Images -> logits: residual blocks that halve the side, then the deviation in the batch."""

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        size = settings.image_size
        first, steps = first_size(size), doublings(size)
        channels = [_channels(settings, size // 2**step) for step in range(steps + 1)]
        self.from_image = EqualisedConv2d(3, channels[0], 1)
        self.blocks = nn.ModuleList(
            ResidualBlock(channels[step], channels[step + 1]) for step in range(steps)
        )
        last = channels[-1]
        self.last = EqualisedConv2d(last + 1, last, 3)
        self.hidden = EqualisedLinear(last * first**2, last)
        self.judge = EqualisedLinear(last, 1)
        self.classes = embedding(settings.classes, last)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """[N, 3, S, S] and, where there are classes, labels [N] -> logits [N, 1]."""
        features = _activate(self.from_image(images))
        for block in self.blocks:
            features = block(features)
        features = _activate(self.last(with_batch_deviation(features, 4)))
        hidden = _activate(self.hidden(features.flatten(1)))
        logits: Tensor = self.judge(hidden)
        if self.classes is not None and labels is not None:
            logits = logits + self.classes.project(hidden, labels)
        return logits


class ResidualBlock(nn.Module):
    """[N, in, H, W] -> [N, out, H/2, W/2]: two convolutions, and one 1x1 beside them."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = EqualisedConv2d(inputs, inputs, 3)
        self.second = EqualisedConv2d(inputs, outputs, 3, stride=2, padding=0)
        # Their sum is divided by the root of 2, too: here in the weights of the one way, and on
        # the other by leaving out the gain of its activation, which is that root.
        self.skip = EqualisedConv2d(inputs, outputs, 1, stride=2, bias=False, gain=1 / GAIN)

    def forward(self, features: Tensor) -> Tensor:
        """See the class."""
        main = _activate(self.first(features))
        main = F.leaky_relu(self.second(blur(main, padding=2)), SLOPE)
        halved: Tensor = main + self.skip(blur(features, padding=1))
        return halved


def blur(features: Tensor, padding: int, *, gain: int = 1) -> Tensor:
    """Filter with [1, 3, 3, 1] / 8 along both sides: [N, C, H, W] -> H + 2 * padding - 3.

    Args:
        features: Float, [N, C, H, W].
        padding: Zeros on each side.
        gain: What the result is multiplied by.
    """
    # Made on the device: a constant would have to be carried there, or lie among the weights.
    place = torch.arange(4, device=features.device)
    taps = (place * (3 - place) + 1) / 8
    channels = features.shape[1]
    kernel = (torch.outer(taps, taps) * gain).to(features.dtype).expand(channels, 1, 4, 4)
    return F.conv2d(features, kernel, padding=padding, groups=channels)


def _activate(features: Tensor) -> Tensor:
    """Leaky ReLU that keeps the variance of a normal input."""
    return F.leaky_relu(features, SLOPE) * GAIN


def _channels(settings: NetworkSettings, side: int) -> int:
    base = settings.channel_base or 32 * settings.width
    return max(2, min(settings.width, base // side))
