"""Classic augmentation: flips, quarter turns, crops and colour, each image by its own number.

What a physician would take for the same lesion under another camera. Scenarios and ranges follow
Perez et al. 2018, "Data Augmentation for Skin Lesion Analysis", arXiv:1809.01442 (there: crops of
.4 to 1 of the area, brightness, contrast and saturation by .7 to 1.3, hue by up to .1 of the
circle); ours are milder, since at 224 pixels the lesion often fills the picture.

An image's parameters follow from its seed alone, by a hash, so they depend neither on the batch it
is in nor on any generator's state. No library does so: torchvision's transforms draw one set of
parameters for a whole batch, kornia's one for each image but from torch's global generator.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

FINGERPRINT = "augmentation 1"
"""Changes when an image's augmentation does."""

LEAST_AREA = 0.8
"""Of a crop, as a share of the picture's area."""
MOST_CHANGE = 0.2
"""Of brightness, contrast and saturation, as a share."""
MOST_HUE = 0.05
"""Turn of the hue, as a share of the circle."""
_DRAWS = 10
_BLOCK = 32
# SplitMix64's three numbers, as int64.
_GOLDEN, _FIRST, _SECOND = (
    0x9E3779B97F4A7C15 - 2**64,
    0xBF58476D1CE4E5B9 - 2**64,
    0x94D049BB133111EB - 2**64,
)
_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as torchvision's and Pillow's greys


@dataclass(frozen=True)
class Augmentation:
    """What is done to each of n images; all are tensors [n].

    Attributes:
        flips: Whether left and right are exchanged.
        turns: Quarter turns after that, counter-clockwise, 0 .. 3; int64. Turned by two, a flipped
            image is one that was flipped upside down.
        side: Of the crop, as a share of the picture's, in (0, 1].
        left: Where the crop begins, as a share of the room that it leaves.
        top: The same from above.
        brightness: Factor on the levels.
        contrast: Factor on the distance from the image's mean grey level.
        saturation: Factor on the distance from each pixel's grey level.
        hue: Turn about the grey axis, radians.
    """

    flips: Tensor
    turns: Tensor
    side: Tensor
    left: Tensor
    top: Tensor
    brightness: Tensor
    contrast: Tensor
    saturation: Tensor
    hue: Tensor


def drawn(seeds: Tensor) -> Augmentation:
    """Draw augmentations, each from its seed alone.

    Args:
        seeds: int64 [n].

    Returns:
        On the device of ``seeds``.
    """
    u = _uniform(seeds, _DRAWS).unbind(1)

    def about_one(share: Tensor) -> Tensor:
        return 1 + MOST_CHANGE * (2 * share - 1)

    return Augmentation(
        flips=u[0] < 0.5,
        turns=(u[1] * 4).long(),
        side=(LEAST_AREA + (1 - LEAST_AREA) * u[2]).sqrt(),
        left=u[3],
        top=u[4],
        brightness=about_one(u[5]),
        contrast=about_one(u[6]),
        saturation=about_one(u[7]),
        hue=2 * math.pi * MOST_HUE * (2 * u[8] - 1),
    )


def augmented(x: Tensor, seeds: Tensor) -> Tensor:
    """Augment images, each by its own seed.

    Computed in float32 whatever the type, for bfloat16 cannot name every pixel of a picture. An
    image comes out bit for bit the same in any batch on one kind of device.

    Args:
        x: Floating point [n, 3, S, S] in [-1, 1], RGB.
        seeds: int64 [n]; may lie on another device.

    Returns:
        [n, 3, S, S] in [-1, 1], of the type of ``x`` and on its device.

    Raises:
        ValueError: Shapes do not fit.
    """
    return transformed(x, drawn(seeds.to(x.device)))


def transformed(x: Tensor, how: Augmentation) -> Tensor:
    """Do to images [n, 3, S, S] in [-1, 1] what ``how`` says; see ``augmented``.

    Raises:
        ValueError: Shapes do not fit.
    """
    count, side = len(x), x.shape[-1]
    if tuple(x.shape[1:]) != (3, side, side) or how.flips.shape != (count,):
        raise ValueError(
            f"images [n, 3, S, S] and a seed for each are needed, not {tuple(x.shape)} and"
            f" {tuple(how.flips.shape)}"
        )
    if not count:
        return x.clone()
    with torch.autocast(x.device.type, enabled=False):
        wide = x.float()
        placed = F.grid_sample(
            wide, _grid(how, side), mode="bilinear", padding_mode="border", align_corners=False
        )
        return _recoloured(placed, how, _mean_grey(wide)).to(x.dtype)


def augmented_uint8(
    images: NDArray[np.uint8], seeds: NDArray[np.int64], *, device: torch.device | str = "cpu"
) -> NDArray[np.uint8]:
    """Augment stored images; what ``augmented`` makes of them, rounded to bytes.

    Args:
        images: uint8 [N, S, S, 3], RGB; may be memory-mapped, and is read block by block.
        seeds: int64 [N].
        device: Where it is computed.

    Returns:
        uint8 [N, S, S, 3].

    Raises:
        ValueError: Shapes do not fit.
    """
    if len(seeds) != len(images):
        raise ValueError(f"{len(images)} images need as many seeds, not {len(seeds)}")
    done = np.empty(images.shape, np.uint8)
    for start in range(0, len(images), _BLOCK):
        # A copy, for the images may be a read-only map of a file.
        block = torch.from_numpy(np.array(images[start : start + _BLOCK])).to(device)
        x = block.permute(0, 3, 1, 2).float().div_(127.5).sub_(1)
        x = augmented(x, torch.from_numpy(np.array(seeds[start : start + _BLOCK])))
        levels = x.add_(1).mul_(127.5).round_().to(torch.uint8)
        done[start : start + _BLOCK] = levels.permute(0, 2, 3, 1).cpu().numpy()
    return done


def _grid(how: Augmentation, side: int) -> Tensor:
    """Where in the picture each new pixel is taken from: [n, S, S, 2], (x, y) in [-1, 1].

    All transformations keep the axes, so a pixel's x and y each follow from one of the new ones.
    """
    centres = (torch.arange(side, device=how.side.device, dtype=torch.float32) * 2 + 1) / side - 1
    # Turning the picture by a quarter counter-clockwise: (x, y) is taken from (-y, x).
    cos = torch.tensor([1.0, 0.0, -1.0, 0.0], device=centres.device)[how.turns]
    sin = torch.tensor([0.0, 1.0, 0.0, -1.0], device=centres.device)[how.turns]
    room = 1 - how.side
    sign = torch.where(how.flips, -how.side, how.side)

    def along(start: Tensor, of_x: Tensor, of_y: Tensor) -> Tensor:
        x, y = centres[None, None, :], centres[None, :, None]
        return start[:, None, None] + of_x[:, None, None] * x + of_y[:, None, None] * y

    from_x = along(room * (2 * how.left - 1), sign * cos, -sign * sin)
    from_y = along(room * (2 * how.top - 1), how.side * sin, how.side * cos)
    return torch.stack([from_x, from_y], 3)


def _mean_grey(x: Tensor) -> Tensor:
    """Mean grey level of images in [-1, 1], of every fourth pixel each way: float32 [n].

    Summed as whole numbers, for the order in which a sum is taken depends on the batch.
    """
    some = (x[:, :, ::4, ::4] * 2**16).round().long().sum((2, 3)).float()
    red, green, blue = some.unbind(1)
    pixels = x[0, 0, ::4, ::4].numel()
    return (_LUMA[0] * red + _LUMA[1] * green + _LUMA[2] * blue) / (pixels * 2**16)


def _recoloured(x: Tensor, how: Augmentation, grey: Tensor) -> Tensor:
    """Apply brightness, contrast, saturation and hue, in this order, as one matrix an image."""
    eye = torch.eye(3, device=x.device)
    skew = torch.tensor([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]], device=x.device) / 3**0.5
    luma = torch.tensor(_LUMA, device=x.device).expand(3, 3)
    cos, sin = how.hue.cos()[:, None, None], how.hue.sin()[:, None, None]
    # About the axis (1, 1, 1), by Rodrigues' formula: greys stay.
    hue = (1 - cos) / 3 + cos * eye + sin * skew
    saturation = torch.lerp(luma, eye, how.saturation[:, None, None])
    turn = (hue[:, :, :, None] * saturation[:, None, :, :]).sum(2)
    matrix = (how.brightness * how.contrast)[:, None, None] * turn
    # In [-1, 1] black is -1, so brightness moves the zero; greys pass the other two unchanged.
    level = how.brightness * (grey + 1) - 1
    offset = how.contrast * (how.brightness - 1) + (1 - how.contrast) * level
    # Product by product: a matrix product's kernel, and so its last bits, depends on the batch.
    red, green, blue = x.unbind(1)
    channels = []
    for row in matrix.unbind(1):
        of_red, of_green, of_blue = row[:, :, None, None].unbind(1)
        mixed = of_red * red + of_green * green
        channels.append(mixed.add_(of_blue * blue).add_(offset[:, None, None]).clamp_(-1, 1))
    return torch.stack(channels, 1)


def _uniform(seeds: Tensor, draws: int) -> Tensor:
    """Hash seeds, int64 [n], to numbers in [0, 1): float32 [n, draws].

    SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators"),
    started at each seed's own scattered bits; int64 wraps around as the unsigned would.
    """
    counters = torch.arange(1, draws + 1, device=seeds.device) * _GOLDEN
    bits = _mix(_mix(seeds + _GOLDEN)[:, None] + counters[None])
    return _shifted(bits, 40).float() / 2**24


def _mix(value: Tensor) -> Tensor:
    value = (value ^ _shifted(value, 30)) * _FIRST
    value = (value ^ _shifted(value, 27)) * _SECOND
    return value ^ _shifted(value, 31)


def _shifted(value: Tensor, by: int) -> Tensor:
    """Shift to the right, filling with zeros whatever the sign."""
    return (value >> by) & ((1 << (64 - by)) - 1)
