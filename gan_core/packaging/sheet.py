"""Some images side by side in one PNG, to be looked at."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gan_core.packaging.labels import labelled_png

GAP = 2
"""White pixels between images."""
_PER_ROW = 8


def laid_out(count: int) -> tuple[int, int]:
    """Return how many columns and rows a sheet of so many images has; one or more."""
    across = min(_PER_ROW, count)
    return across, math.ceil(count / across)


def sheet_png(images: Sequence[NDArray[np.uint8]], *, source: str, software: str) -> bytes:
    """Return images row by row, eight a row, with white gaps between.

    Args:
        images: uint8 [S, S, 3] each, one or more.
        source: Where they come from; Latin-1.
        software: As for ``labelled_png``.

    Returns:
        A PNG that says in its own metadata that it is synthetic.
    """
    side = images[0].shape[0]
    across, down = laid_out(len(images))
    step = side + GAP
    whole = np.full((down * step - GAP, across * step - GAP, 3), 255, np.uint8)
    for number, image in enumerate(images):
        top, left = number // across * step, number % across * step
        whole[top : top + side, left : left + side] = image
    return labelled_png(whole, source=source, software=software)
