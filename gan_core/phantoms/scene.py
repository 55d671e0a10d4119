"""What surrounds the lesion of a phantom: skin, light, hair, rulers, bubbles, the camera."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gan_core.phantoms.textures import Canvas, Stroke, blend, discs, noise, smoothstep, stroked

_TONES = np.array(
    (
        (0.94, 0.80, 0.78),  # fair
        (0.90, 0.66, 0.58),  # rosy
        (0.88, 0.80, 0.87),  # lilac: the cool light of many dermoscopes
        (0.91, 0.64, 0.47),  # tanned
        (0.74, 0.54, 0.45),  # brown
    )
)
_TONE_WEIGHTS = (1.0, 1.2, 0.7, 0.5, 0.4)


def paint_skin(rng: np.random.Generator, on: Canvas) -> NDArray[np.float32]:
    """Paint skin, float32 [S, S, 3]: a tone, blotches, furrows, pores and small vessels."""
    tone = rng.dirichlet(_TONE_WEIGHTS) @ _TONES
    tone = tone * rng.normal(1, 0.03) + rng.normal(0, 0.008, 3)
    blotches = noise(rng, on, slope=1.8, low=1, high=8)
    redness = noise(rng, on, slope=1.4, low=2, high=24)
    # Ridges of a noise are a net of thin lines: furrows where it is fine, vessels where wide.
    furrows = np.exp(-((3.5 * noise(rng, on, slope=0.6, low=14, high=44)) ** 2))
    vessels = np.exp(-((6 * noise(rng, on, slope=1.9, low=3, high=40)) ** 2))
    vessels = vessels * smoothstep(redness, -0.2, 2.2) * np.float32(0.55 * rng.uniform(0, 1) ** 3)
    grain = noise(rng, on, slope=0.5, low=30, high=110)
    light = 1 + 0.020 * blotches - 0.018 * furrows + 0.009 * grain
    image = tone.astype(np.float32) * light[..., None].astype(np.float32)
    flush = np.array((0.003, -0.009, -0.008), np.float32)
    image = image + redness[..., None] * flush
    return blend(image, np.array((0.78, 0.33, 0.38), np.float32), vessels)


def add_hairs(
    rng: np.random.Generator, on: Canvas, image: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Lay hairs over more than half of the pictures: bent lines in about one direction."""
    is_hairy = rng.random() < 0.55
    count = 1 + rng.poisson(rng.choice((2, 6, 14)))
    direction = rng.uniform(0, 2 * np.pi)
    thick = rng.uniform(0.0030, 0.0068)
    strokes: list[Stroke] = []
    t = np.linspace(0, 1, 24)[:, None]
    for _ in range(count):
        start = rng.uniform(-0.55, 0.55, 2)
        heading = direction + rng.normal(0, 0.45)
        step = np.array((np.cos(heading), np.sin(heading))) * rng.uniform(0.3, 1.2)
        bend = np.array((-step[1], step[0])) * rng.normal(0, 0.16)
        points = start + t * step + 4 * t * (1 - t) * bend - step / 2
        strokes.append((points, thick * rng.uniform(0.6, 1.2)))
    brown = np.array((0.20, 0.13, 0.10)) * rng.uniform(0.6, 1.9)
    opacity = rng.uniform(0.6, 0.9)
    if not is_hairy:
        return image
    mask = stroked(on, strokes)
    # The shadow beside a hair is what makes it lie on the skin, not in it.
    shadow = np.roll(mask, (1, 1), axis=(0, 1)) * np.float32(0.22)
    image = blend(image, image * np.float32(0.75), shadow)
    return blend(image, brown.astype(np.float32), mask * np.float32(opacity))


def add_ruler(
    rng: np.random.Generator, on: Canvas, image: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Draw the millimetre marks of a dermoscope's plate along one side of some pictures."""
    shows = rng.random() < 0.18
    pitch, edge = rng.uniform(0.040, 0.065), rng.uniform(0.38, 0.45)
    tilt, side = rng.normal(0, 0.05), rng.integers(4)
    if not shows:
        return image
    turn = tilt + side * np.pi / 2
    rotation = np.array(((np.cos(turn), np.sin(turn)), (-np.sin(turn), np.cos(turn))))
    strokes: list[Stroke] = []
    for k in range(-9, 10):
        length = 0.055 if k % 5 == 0 else 0.028
        tick = np.array(((k * pitch, edge), (k * pitch, edge + length)))
        strokes.append((tick @ rotation, 0.006))
    mask = stroked(on, strokes)
    return blend(image, np.array((0.12, 0.11, 0.13), np.float32), mask * np.float32(0.8))


def add_bubbles(
    rng: np.random.Generator, on: Canvas, image: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Leave bubbles in the contact gel of some pictures: bright rims, each with a glint."""
    shows = rng.random() < 0.22
    count = 1 + rng.poisson(5)
    centres = rng.uniform(-0.48, 0.48, (count, 2))
    radii = np.exp(rng.normal(-4.1, 0.45, count)).clip(0.006, 0.045)
    if not shows:
        return image
    rims = discs(on, centres, radii) - discs(on, centres, radii * 0.80)
    inner = discs(on, centres, radii * 0.80)
    glints = discs(on, centres - radii[:, None] * 0.40, radii * 0.24)
    white = np.ones(3, np.float32)
    image = blend(image, white, np.clip(rims, 0, 1) * np.float32(0.30))
    image = blend(image, image * np.float32(0.90), inner * np.float32(0.6))
    return blend(image, white, glints * np.float32(0.85))


def expose(rng: np.random.Generator, on: Canvas, image: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Light the scene and take the picture.

    Light falls from one side, the lens darkens the corners, some dermoscopes show the rim of
    their tube; a white balance, sensor noise, eight bits.
    """
    side = rng.uniform(0, 2 * np.pi)
    slope = rng.normal(0, 0.10)
    falloff = np.clip(rng.normal(0.28, 0.16), 0, 0.7)
    distance = on.x**2 + on.y**2
    light = 1 + np.float32(slope) * (
        on.x * np.float32(np.cos(side)) + on.y * np.float32(np.sin(side))
    )
    light = light * (1 - np.float32(falloff) * distance)
    has_rim, rim = rng.random() < 0.14, rng.uniform(0.52, 0.64)
    blur = rng.uniform(0.006, 0.02)
    if has_rim:
        light = light * smoothstep(np.sqrt(distance), rim + blur, rim - blur)
    balance = np.exp(rng.normal(0, 0.025, 3)).astype(np.float32)
    exposure = np.float32(np.exp(rng.normal(0, 0.05)))
    grain = noise(rng, on, slope=0.0, low=20, high=160)[..., None] * np.float32(0.005)
    colour_grain = rng.standard_normal(image.shape, dtype=np.float32) * np.float32(0.004)
    taken: NDArray[np.float32] = (
        image * light[..., None] * balance * exposure + grain + colour_grain
    )
    return np.rint(np.clip(taken, 0, 1) * 255).astype(np.uint8)
