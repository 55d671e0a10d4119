"""Some images side by side in one PNG, to be looked at, and which they are."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_core.packaging.data import SyntheticImage
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


@dataclass
class Sheet:
    """What is on a sheet, noted while the images go into the zip.

    Attributes:
        images: Pixels of those that may leave, in order.
        cells: Seed of each of them, and position where it is on the way from one seed to another.
        left_out: The same of those that may not, with the reason.
    """

    images: list[NDArray[np.uint8]] = field(default_factory=list)
    cells: list[dict[str, Any]] = field(default_factory=list)
    left_out: list[dict[str, Any]] = field(default_factory=list)

    def noting(self, images: Iterator[SyntheticImage]) -> Iterator[SyntheticImage]:
        """Pass images on, and note them."""
        for image in images:
            which: dict[str, Any] = {"seed": image.seed}
            if image.position is not None:
                which["position"] = image.position
            if image.left_out is None:
                self.images.append(image.pixels)
                self.cells.append(which)
            else:
                self.left_out.append(which | {"reason": image.left_out})
            yield image

    def described(self) -> dict[str, Any]:
        """Return where each image lies on the sheet: cell after cell, row by row."""
        return {
            "is_synthetic": True,
            "columns": min(_PER_ROW, len(self.images)),
            "gap": GAP,
            "size": self.images[0].shape[0] if self.images else None,
            "images": self.cells,
            "left_out": self.left_out,
        }
