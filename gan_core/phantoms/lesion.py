"""The lesion of a phantom: a pigmented spot whose looks follow the ABCD rule of dermoscopy.

Asymmetry, Border, Colours and Differential structures (Stolz et al. 1994) each get a strength in
[0, 1]; a "benign" phantom tends to low ones, a "malignant" one to high ones. These are drawings:
they resemble lesions so that a training can be watched, and they carry no medical knowledge.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gan_core.phantoms.textures import Canvas, Field, blend, discs, noise, smoothstep

# How strongly each pigment swallows red, green and blue (Beer and Lambert: light that passes a
# layer falls off exponentially), so a lesion takes on the hue of the skin that it lies in.
_MELANIN = np.array((0.62, 1.05, 1.30), np.float32)
_DEEP_MELANIN = np.array((1.25, 1.30, 1.32), np.float32)
_BLOOD = np.array((0.18, 1.05, 0.90), np.float32)
# Scattered light, not swallowed: melanin seen through a hazy layer looks blue, a scar pale.
_BLUE_GREY = np.array((0.46, 0.47, 0.56), np.float32)
_PALE = np.array((0.90, 0.80, 0.78), np.float32)


@dataclass(frozen=True)
class Signs:
    """How strongly each sign shows, in [0, 1]."""

    asymmetry: float
    border: float
    colours: float
    structures: float
    veil: float
    darkness: float
    size: float


def draw_signs(rng: np.random.Generator, *, is_malignant: bool, difficulty: float) -> Signs:
    """Draw the signs of one lesion.

    Both kinds' signs lie around a centre of their own. As ``difficulty`` goes from 0 to 1 the
    centres move together, until at 1 the two kinds are the same, and the signs scatter more.
    """
    apart = 0.40 * (1 - difficulty)
    centre = 0.5 + (apart if is_malignant else -apart)
    # The same numbers are drawn at every difficulty: a seed keeps its scene.
    whole, *single = rng.standard_normal(8)
    centre += whole * (0.04 + 0.14 * difficulty)
    signs = np.clip(centre + np.array(single) * (0.07 + 0.16 * difficulty), 0, 1)
    return Signs(*(float(sign) for sign in signs))


def paint_lesion(
    rng: np.random.Generator, on: Canvas, skin: NDArray[np.float32], signs: Signs
) -> NDArray[np.float32]:
    """Paint a lesion over skin: float32 [S, S, 3] in, the same out."""
    depth, angle = _shape(rng, on, signs)
    speckle = noise(rng, on, slope=1.2, low=8, high=56)
    # Pigment thins out towards the border, over a wide rim or a narrow one, in speckles.
    rim = _mix(0.48, 0.26, signs.border) * (1 + 0.3 * np.sin(angle + rng.uniform(0, 6.3)))
    rough = depth + _mix(0.035, 0.060, signs.border) * speckle
    cover = smoothstep(rough / rim.astype(np.float32), -0.40, 0.90)
    melanin, deep, blood = _pigments(rng, on, depth=depth, signs=signs)
    net = _network(rng, on, depth=depth, signs=signs)
    density = (
        (melanin * (1 + net))[..., None] * _MELANIN
        + deep[..., None] * _DEEP_MELANIN
        + blood[..., None] * _BLOOD
    )
    image = skin * np.exp(-density * (cover * (1 + 0.10 * speckle))[..., None])
    return _veils(rng, on, image, cover=cover, depth=depth, signs=signs)


def _mix(low: float, high: float, share: float) -> float:
    return low + (high - low) * share


def _shape(rng: np.random.Generator, on: Canvas, signs: Signs) -> tuple[Field, Field]:
    """Return how deep inside the lesion each pixel lies (0 at the border, 1 in the middle).

    The outline is an ellipse; harmonics make it lopsided (asymmetry), a warp of the plane makes it
    jagged (border). Also returns the angle around the middle.
    """
    radius = _mix(0.19, 0.33, signs.size) * np.exp(rng.normal(0, 0.14))
    flat = rng.uniform(0.72, 0.98)
    turn = rng.uniform(0, np.pi)
    middle = rng.normal(0, 0.035, 2)
    coarse = noise(rng, on, slope=1.8, low=2, high=9), noise(rng, on, slope=1.8, low=2, high=9)
    fine = noise(rng, on, slope=1.2, low=8, high=34), noise(rng, on, slope=1.2, low=8, high=34)
    big, small = _mix(0.006, 0.026, signs.border), _mix(0.0015, 0.0045, signs.border)
    x = on.x - middle[0] + big * coarse[0] + small * fine[0]
    y = on.y - middle[1] + big * coarse[1] + small * fine[1]
    along = x * np.cos(turn) + y * np.sin(turn)
    across = (y * np.cos(turn) - x * np.sin(turn)) / flat
    angle = np.arctan2(across, along).astype(np.float32)
    outline = np.ones_like(angle)
    for order in range(1, 7):
        phase = rng.uniform(0, 2 * np.pi)
        strength = rng.uniform(0.5, 1.0) * _mix(0.025, 0.26, signs.asymmetry) / order**0.8
        outline += np.float32(strength) * np.cos(order * angle + np.float32(phase))
    # Pseudopods: a sector of the border with short streaks.
    sector = np.clip(np.cos(angle - np.float32(rng.uniform(0, 6.3))), 0, 1) ** 3
    streaks = np.cos(round(rng.uniform(18, 30)) * angle + 2 * fine[0])
    outline += np.float32(0.10 * signs.border**2) * sector * streaks
    outline = np.maximum(outline, 0.35)
    distance = np.hypot(along, across) / np.float32(radius)
    return (1 - distance / outline).astype(np.float32), angle


def _pigments(
    rng: np.random.Generator, on: Canvas, *, depth: Field, signs: Signs
) -> tuple[Field, Field, Field]:
    """Return the densities of brown, black and red: even ones, or patchworks."""
    clouds = [noise(rng, on, slope=1.8, low=1, high=14) for _ in range(4)]
    # Every lesion is darker towards some middle; in an asymmetric one that lies off the centre.
    lean = rng.normal(0, 1, 2) * _mix(0.1, 1.5, signs.asymmetry)
    inward = depth + np.float32(lean[0]) * on.x + np.float32(lean[1]) * on.y
    patchy = np.float32(_mix(0.10, 0.42, signs.colours))
    melanin = np.float32(_mix(0.50, 0.85, signs.darkness) * np.exp(rng.normal(0, 0.22))) * np.exp(
        0.45 * inward + patchy * clouds[0]
    )
    black = smoothstep(clouds[1] + 0.8 * inward, 0.8, 1.9)
    deep = black * np.float32(_mix(0.05, 1.35, signs.colours * (0.4 + 0.6 * signs.darkness)))
    even_red = np.float32(abs(rng.normal(0, 0.28)))
    red = smoothstep(clouds[2], 0.4, 1.6) * np.float32(_mix(0.0, 0.75, signs.colours))
    # Where one pigment takes over, the brown gives way: patches of tan.
    thin = smoothstep(clouds[3], 0.5, 1.6) * np.float32(_mix(0.0, 0.85, signs.colours))
    return melanin * (1 - thin), deep, even_red + red


def _network(rng: np.random.Generator, on: Canvas, *, depth: Field, signs: Signs) -> Field:
    """Return how much more pigment the lines of a honeycomb hold: regular, or broken and warped."""
    warp = _mix(0.006, 0.013, signs.structures)
    pitch = rng.uniform(30, 44)
    turn = rng.uniform(0, np.pi)
    u = on.x + np.float32(warp) * noise(rng, on, slope=1.2, low=3, high=24)
    v = on.y + np.float32(warp) * noise(rng, on, slope=1.2, low=3, high=24)
    lattice = np.zeros_like(depth)
    for third in range(3):
        direction = turn + third * np.pi / 3
        along = u * np.float32(np.cos(direction)) + v * np.float32(np.sin(direction))
        lattice += np.cos(np.float32(2 * np.pi * pitch) * along)
    patches = noise(rng, on, slope=1.8, low=2, high=10)
    shows: Field = 1 - np.float32(0.7) * smoothstep(depth, 0.35, 0.85)
    shows = shows * np.clip(0.6 + _mix(0.2, 0.9, signs.structures) * patches, 0, 1.8)
    # The three gratings peak in the holes of the honeycomb; its lines are what lies between.
    lines: Field = smoothstep(lattice, 0.8, -1.3) - np.float32(0.4)
    strength = abs(rng.normal(0, 0.45)) + 0.5 * rng.uniform(0, 1) * signs.structures
    return lines * shows * np.float32(min(strength, 1.3))


def _veils(
    rng: np.random.Generator,
    on: Canvas,
    image: NDArray[np.float32],
    *,
    cover: Field,
    depth: Field,
    signs: Signs,
) -> NDArray[np.float32]:
    """Add globules; and in suspicious lesions a pale scar and a blue-white veil."""
    count = int(rng.poisson(3 + 17 * signs.structures))
    angle = rng.uniform(0, 2 * np.pi, count)
    reach = np.sqrt(rng.uniform(0, 1, count)) * _mix(0.14, 0.30, signs.size)
    centres = np.stack([reach * np.cos(angle), reach * np.sin(angle)], axis=1)
    radii = rng.uniform(0.003, _mix(0.006, 0.012, signs.structures), count)
    dots = discs(on, centres, radii) * smoothstep(depth, -0.1, 0.1)
    image = image * np.exp(-dots * np.float32(0.8))[..., None]

    clouds = [noise(rng, on, slope=1.8, low=1, high=12) for _ in range(2)]
    scar = smoothstep(clouds[0], 0.9, 2.0) * np.float32(0.75 * signs.structures**2)
    image = blend(image, _PALE, scar * cover)
    haze = smoothstep(clouds[1] + 0.9 * depth, 0.7, 1.9) * np.float32(0.72 * signs.veil**2)
    return blend(image, _BLUE_GREY, haze * cover)
