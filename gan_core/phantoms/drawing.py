"""One phantom: a pure function of its kind, size, difficulty and seed."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gan_core.phantoms.lesion import draw_signs, paint_lesion
from gan_core.phantoms.scene import add_bubbles, add_hairs, add_ruler, expose, paint_skin
from gan_core.phantoms.textures import canvas
from gan_core.spec.errors import GraftError

PhantomKind = Literal["benign", "malignant"]
KINDS: tuple[PhantomKind, PhantomKind] = ("benign", "malignant")
MIN_SIZE, MAX_SIZE = 32, 512

# Only coordinates, never written to: every picture of a size shares them.
_canvas = lru_cache(maxsize=4)(canvas)


def draw_phantom(
    kind: PhantomKind, *, image_size: int = 224, difficulty: float = 0.3, seed: int
) -> NDArray[np.uint8]:
    """Draw one lesion-like picture. It is a drawing, and shows nobody.

    The same arguments give the same pixels. What is no lesion (skin, light, hair, rulers,
    bubbles) is drawn alike for both kinds, so it tells nothing about them.

    Args:
        kind: ``benign`` or ``malignant``: which way the lesion's signs tend.
        image_size: Side S in pixels, 32 to 512.
        difficulty: 0: the kinds differ plainly; 1: they do not differ at all.
        seed: 0 or more.

    Returns:
        uint8 [S, S, 3], RGB.

    Raises:
        GraftError: ``image_size_out_of_range``, ``phantom_difficulty_out_of_range``.
    """
    check_settings(image_size, difficulty)
    # Streams of their own: a lesion with more globules leaves the hairs where they were.
    streams = np.random.SeedSequence([seed, KINDS.index(kind)]).spawn(4)
    skin, looks, lesion, scene = (np.random.default_rng(stream) for stream in streams)
    on = _canvas(image_size)
    signs = draw_signs(looks, is_malignant=kind == "malignant", difficulty=difficulty)
    image = paint_lesion(lesion, on, paint_skin(skin, on), signs)
    for add in (add_bubbles, add_ruler, add_hairs):
        image = add(scene, on, image)
    return expose(scene, on, image)


def check_settings(image_size: int, difficulty: float) -> None:
    """Check what a person may ask for.

    Raises:
        GraftError: ``image_size_out_of_range``, ``phantom_difficulty_out_of_range``.
    """
    if not MIN_SIZE <= image_size <= MAX_SIZE:
        raise GraftError(
            "image_size_out_of_range",
            f"An image size of {image_size} pixels is not offered.",
            f"Choose {MIN_SIZE} to {MAX_SIZE}.",
        )
    if not 0 <= difficulty <= 1:
        raise GraftError(
            "phantom_difficulty_out_of_range",
            f"A difficulty of {difficulty:g} is not offered.",
            "Choose 0 (the kinds differ plainly) to 1 (not at all).",
        )
