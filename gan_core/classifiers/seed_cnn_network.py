"""The seed study's plain CNN (39,362 parameters), and a fast way through it that is exact.

Conv(3, 64, 3×3) – BatchNorm – ReLU – MaxPool 4 – Conv(64, 64, 3×3) – ReLU – MaxPool 24 – Flatten –
Linear(256, 2), on 224×224 images in [−1, 1]; outputs are logits (the study put a softmax there and
a second one into the loss: a slip that is not reproduced).

``SeedCnn.forward`` is that sentence in code. ``fast_logits`` computes the same function, and its
gradients, with about a tenth of the work. Nothing in it is an approximation:

1. Batch normalisation is a rising or falling line per channel, so it changes places with the max
   pooling (for a falling line, γ < 0, the filter's sign is turned first) and runs on 1/16 of the
   pixels. It is the same for ReLU.
2. The batch statistics of a convolution's outputs follow from those of its input patches: with the
   patches' mean m and covariance C, a filter w has the mean w·m and the variance w C wᵀ. The
   images never change, so their patches' moments are computed once (``patch_moments``).
3. Pooling 56×56 by 24 reads 48×48 of it. The rest of the second convolution, and of the first
   (all but 196×196 of 224×224), would only have been needed for the statistics.
4. ``pooled_convolution`` goes back through winning positions alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_core.classifiers.pooled_convolution import conv_max_pool, patch_rows, weight_rows
from gan_core.spec.errors import GraftError

IMAGE_SIZE = 224
FIRST_POOL, SECOND_POOL, CELLS = 4, 24, 2
READ = SECOND_POOL * CELLS  # side of the second convolution's output that pooling reads: 48
FIRST_SIDE = READ + 1  # pooled pixels that those 48 look at, the border apart
READ_PIXELS = FIRST_SIDE * FIRST_POOL  # image rows whose convolution is needed: 196
NORM_EPS, NORM_MOMENTUM = 1e-5, 0.1  # of torch.nn.BatchNorm2d


class SeedCnn(nn.Module):
    """The network as the study wrote it, but for the softmax at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 3, padding=1)
        self.norm = nn.BatchNorm2d(64, eps=NORM_EPS, momentum=NORM_MOMENTUM)
        self.conv2 = nn.Conv2d(64, 64, 3, padding=1)
        self.linear = nn.Linear(64 * CELLS * CELLS, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Logits [N, 2] of images [N, 3, 224, 224] in [−1, 1], layer by layer."""
        x = F.max_pool2d(F.relu(self.norm(self.conv1(x))), FIRST_POOL)
        x = F.max_pool2d(F.relu(self.conv2(x)), SECOND_POOL)
        logits: Tensor = self.linear(x.flatten(1))
        return logits


@dataclass(frozen=True)
class PatchMoments:
    """Moments of each image's 3×3 patches, zero padding included, in float64.

    Attributes:
        mean: [N, 27].
        second: [N, 27, 27], the mean of patch·patchᵀ.
    """

    mean: Tensor
    second: Tensor

    def __getitem__(self, rows: Tensor) -> PatchMoments:
        """Those of some images; rows [...] give moments [..., 27] and [..., 27, 27]."""
        return PatchMoments(self.mean[rows], self.second[rows])


def scaled(images: Tensor, dtype: torch.dtype) -> Tensor:
    """Images uint8 → [−1, 1], of the same shape."""
    # float32 first: bfloat16 would round 255 / 127.5 · x before the 1 is taken away.
    wide = torch.float64 if dtype == torch.float64 else torch.float32
    return images.to(wide).div_(127.5).sub_(1.0).to(dtype)


def patch_moments(images: Tensor, dtype: torch.dtype = torch.float32) -> PatchMoments:
    """Moments of the patches of images uint8 [N, 224, 224, 3].

    Args:
        images: The images.
        dtype: Type of the products. Each of the 224 rows is summed in it and the rows in float64,
            so that float32 loses nothing that a training could notice.
    """
    side = images.shape[1]
    padded = F.pad(scaled(images, dtype), (0, 0, 1, 1, 1, 1))
    table = padded.new_empty(side * side, 27)
    mean = torch.empty(len(images), 27, dtype=torch.float64, device=images.device)
    second = torch.empty(len(images), 27, 27, dtype=torch.float64, device=images.device)
    for n, image in enumerate(padded):
        rows = patch_rows(image, table).view(side, side, 27)
        mean[n] = rows.sum(1).double().sum(0) / side**2
        second[n] = torch.bmm(rows.transpose(1, 2), rows).double().sum(0) / side**2
    return PatchMoments(mean, second)


def check_size(shape: tuple[int, ...]) -> None:
    """Refuse images that are not [N, 224, 224, 3].

    Raises:
        GraftError: ``classifier_image_size``.
    """
    if tuple(shape[1:]) != (IMAGE_SIZE, IMAGE_SIZE, 3):
        raise GraftError(
            "classifier_image_size",
            f"The seed CNN reads RGB images of {IMAGE_SIZE}×{IMAGE_SIZE} pixels; these are"
            f" {'×'.join(str(side) for side in shape[1:])}.",
            f"Pack the data set, and upscale the synthetic images, to {IMAGE_SIZE} pixels.",
        )


Stack = dict[str, Tensor]
"""K networks side by side: what ``SeedCnn.state_dict`` holds, each with a first axis of K."""


def stacked(networks: Sequence[SeedCnn]) -> Stack:
    """Lay networks side by side (copies, through which gradients flow back to their parameters)."""
    states = [network.state_dict(keep_vars=True) for network in networks]
    return {name: torch.stack([state[name] for state in states]) for name in states[0]}


def fast_logits(
    stack: Stack,
    images: Tensor,
    dtype: torch.dtype,
    moments: PatchMoments | None,
    shares: Tensor | None = None,
) -> Tensor:
    """The logits [K, N, 2] that K networks give to images, with the gradients of their parameters.

    No network's numbers depend on another's.

    Args:
        stack: The networks; their running statistics are moved in training.
        images: uint8 [K, N, 224, 224, 3], each network's own; K may be 1 for images that all see.
        dtype: Type of the convolutions; all else is in the parameters' type.
        moments: [K, N, ...], those of these images: the networks are in training mode. None: in
            evaluation mode.
        shares: float64 [K, N], each image's share of the batch of its network, 1 / n for n images
            and 0 for those that only fill up the table. None: all have the same.
    """
    weight, networks = stack["norm.weight"], stack["norm.weight"].shape[0]
    # Line 196 of the image is the border of the last patches, the border above is padding.
    needed = images[:, :, : READ_PIXELS + 1, : READ_PIXELS + 1]
    x = F.pad(scaled(needed, dtype), (0, 0, 1, 0, 1, 0)).expand(networks, -1, -1, -1, -1)

    sign = torch.where(weight < 0, -1.0, 1.0).to(weight.dtype)
    filters = weight_rows(stack["conv1.weight"]) * sign[..., None]
    if moments is None:
        mean = (stack["norm.running_mean"] - stack["conv1.bias"]) * sign
        variance = stack["norm.running_var"]
    else:
        if shares is None:
            shares = moments.mean.new_full(moments.mean.shape[:2], 1 / images.shape[1])
        mean, variance = _statistics(stack, filters, sign, moments, shares)
    # The mean is taken away before rounding to ``dtype``, and what rounding it left, after.
    shift = -mean.detach().to(dtype)
    pooled = conv_max_pool(x, filters, FIRST_POOL, shift)
    scale = weight * sign * torch.rsqrt(variance + NORM_EPS)
    # The zero gives the cancelled bias its gradient, 0, so that Adam's weight decay reaches it.
    bias = 0.0 * stack["conv1.bias"]
    offset = stack["norm.bias"] - (mean + shift.to(mean.dtype)) * scale + bias
    hidden = F.relu(torch.addcmul(_per_channel(offset), pooled, _per_channel(scale)))

    hidden = F.pad(hidden, (0, 0, 1, 0, 1, 0)).to(dtype)
    cells = conv_max_pool(hidden, weight_rows(stack["conv2.weight"]), SECOND_POOL)
    cells = F.relu(cells + _per_channel(stack["conv2.bias"]))
    flat = cells.movedim(-1, -3).flatten(2)
    return torch.baddbmm(stack["linear.bias"][:, None], flat, stack["linear.weight"].mT)


def _per_channel(values: Tensor) -> Tensor:
    """[K, O] → [K, 1, 1, 1, O]."""
    return values[:, None, None, None]


def _statistics(
    stack: Stack, filters: Tensor, sign: Tensor, moments: PatchMoments, shares: Tensor
) -> tuple[Tensor, Tensor]:
    """Mean (without the convolution's bias) and variance [K, 64] of the first convolution's output.

    A bias before a batch normalisation cancels in training: it only moves the running mean.
    """
    m = (shares[..., None] * moments.mean).sum(1)
    # In float64: a difference of neighbours has a far smaller variance than the terms it is a
    # difference of.
    second = (shares[..., None, None] * moments.second).sum(1)
    covariance = second - m[:, :, None] * m[:, None, :]
    rows = filters.double()
    mean = (rows @ m[..., None])[..., 0].to(filters.dtype)
    variance = ((rows @ covariance) * rows).sum(2).clamp_min(0.0).to(filters.dtype)
    with torch.no_grad():
        pixels = (shares > 0).sum(1, keepdim=True).double() * IMAGE_SIZE**2
        unbiased = variance * (pixels / (pixels - 1)).to(variance.dtype)
        stack["norm.running_mean"].lerp_(mean * sign + stack["conv1.bias"], NORM_MOMENTUM)
        stack["norm.running_var"].lerp_(unbiased, NORM_MOMENTUM)
        stack["norm.num_batches_tracked"].add_(1)
    return mean, variance


def batches(count: int, size: int) -> Iterator[slice]:
    """Slices of at most ``size`` that cover ``range(count)``."""
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))
