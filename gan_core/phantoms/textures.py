"""Random fields, masks and small helpers that the phantoms are painted with.

Lengths are in units of the image's side, so that a phantom looks the same at every size.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Field = NDArray[np.float32]
"""float32 [S, S]."""

_OVERSAMPLED = 3


@dataclass(frozen=True)
class Canvas:
    """Coordinates of the pixel centres, in units of the side; (0, 0) is the middle.

    Attributes:
        size: Side S in pixels.
        x: float32 [S, S], growing to the right, −.5 to .5.
        y: float32 [S, S], growing downwards.
    """

    size: int
    x: Field
    y: Field


def canvas(size: int) -> Canvas:
    """Return the coordinates of an image of ``size`` × ``size`` pixels."""
    line = ((np.arange(size) + 0.5) / size - 0.5).astype(np.float32)
    y, x = np.meshgrid(line, line, indexing="ij")
    return Canvas(size, x, y)


def noise(rng: np.random.Generator, on: Canvas, *, slope: float, low: float, high: float) -> Field:
    """Return Gaussian noise whose amplitude falls as frequency to the power of −``slope``.

    Args:
        rng: Source of randomness.
        on: The canvas.
        slope: 0 is white within the band, 2 is cloudy.
        low: Lowest frequency, in cycles a side.
        high: Highest frequency, in cycles a side.

    Returns:
        float32 [S, S] with mean 0 and standard deviation 1.
    """
    # Slow fields are made on a small grid and enlarged: less work, and a seed's clouds have the
    # same shapes at every size.
    side = min(on.size, 4 * (int(high) + 1))
    white = np.fft.rfft2(rng.standard_normal((side, side), dtype=np.float32))
    rows = np.fft.fftfreq(side, 1 / side)[:, None]
    frequency = np.hypot(rows, np.fft.rfftfreq(side, 1 / side)[None])
    inside = (frequency >= low) & (frequency <= high)
    shaped = white * np.where(inside, np.maximum(frequency, 1.0) ** -slope, 0)
    field = np.fft.irfft2(shaped, s=(side, side)).astype(np.float32)
    field /= max(float(field.std()), 1e-12)
    if side == on.size:
        return field
    enlarged = Image.fromarray(field).resize((on.size, on.size), Image.Resampling.BICUBIC)
    return np.asarray(enlarged)


def smoothstep(values: Field, low: float, high: float) -> Field:
    """Rise smoothly from 0 at ``low`` to 1 at ``high``; ``low`` may be the larger."""
    t: Field = np.clip((values - np.float32(low)) / np.float32(high - low), 0, 1)
    return t * t * (3 - 2 * t)


def blend(
    image: NDArray[np.float32], colour: NDArray[np.float32], alpha: Field
) -> NDArray[np.float32]:
    """Lay a colour (float32 [3] or [S, S, 3]) over an image [S, S, 3], ``alpha`` [S, S] thick."""
    return image + (colour - image) * alpha[..., None]


Stroke = tuple[NDArray[np.float64], float]
"""Points [K, 2] (x, y in units of the side, 0 at the middle) and a width in the same units."""


def stroked(on: Canvas, strokes: Iterable[Stroke]) -> Field:
    """Return the coverage, 0 to 1, of lines drawn with smooth edges."""
    side = on.size * _OVERSAMPLED
    mask = Image.new("L", (side, side))
    pen = ImageDraw.Draw(mask)
    for points, width in strokes:
        corners = [(float(x), float(y)) for x, y in (points + 0.5) * side]
        pen.line(corners, fill=255, width=max(1, round(width * side)), joint="curve")
    return _reduced(mask, on)


def discs(on: Canvas, centres: NDArray[np.float64], radii: NDArray[np.float64]) -> Field:
    """Return the coverage, 0 to 1, of filled circles with smooth edges.

    Args:
        on: The canvas.
        centres: float64 [K, 2], x and y in units of the side.
        radii: float64 [K].
    """
    side = on.size * _OVERSAMPLED
    mask = Image.new("L", (side, side))
    pen = ImageDraw.Draw(mask)
    for (x, y), radius in zip((centres + 0.5) * side, radii * side, strict=True):
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return _reduced(mask, on)


def _reduced(mask: Image.Image, on: Canvas) -> Field:
    small = mask.resize((on.size, on.size), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.float32) / np.float32(255)
