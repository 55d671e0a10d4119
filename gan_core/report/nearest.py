"""Synthetic images above the real ones nearest to them, as sheets without words on them.

The report shows a few of them on its page; these are for a page that shows all that were looked up
and says what is what in its own words, as ``nearest.json`` tells it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gan_core.packaging.labels import composite_png
from gan_core.report.data import Images
from gan_core.report.pictures import fitted, sheet

SIZE = 128
"""Side of a picture, in pixels."""


@dataclass(frozen=True, kw_only=True)
class NearestSheet:
    """The first synthetic images of one set, each with its nearest training images.

    Attributes:
        gan: Its name in the registry ("infogan").
        real_count: Real images that it was trained on.
        real_count_label: The same as it was asked for (a number, or "all").
        subset: Seed of the real subset.
        synthetic: uint8 [k, S, S, 3].
        nearest: uint8 [k, n, T, T, 3], training images, the nearest first.
        distances: k lists of n distances, ascending, of features of both at the GAN's size.
        near_copies: Images of the whole set that are all but equal to a training image; None: not
            counted.
    """

    gan: str
    real_count: int
    real_count_label: str
    subset: int
    synthetic: Images
    nearest: Images
    distances: list[list[float]]
    near_copies: int | None

    @property
    def name(self) -> str:
        """Name of the sheet's file."""
        return f"nearest-{self.gan}-{self.real_count_label}-s{self.subset}.png"

    def described(self) -> dict[str, Any]:
        """Return the entry of ``nearest.json``."""
        columns, depth = self.nearest.shape[:2]
        return {
            "artifact": self.name,
            "gan": self.gan,
            "real_count": self.real_count,
            "real_count_label": self.real_count_label,
            "subset": self.subset,
            "size": SIZE,
            "columns": columns,
            "rows": ["synthetic", *(f"nearest-{rank + 1}" for rank in range(depth))],
            "distances": self.distances,
            "near_copies": self.near_copies,
        }

    def png(self, version: str) -> bytes:
        """Return the sheet, which says in its own metadata what is synthetic and what is not.

        Args:
            version: Of this software.
        """
        columns, depth = self.nearest.shape[:2]
        rows = [self.synthetic, *(self.nearest[:, rank] for rank in range(depth))]
        pixels = sheet(np.stack([fitted(images, SIZE) for images in rows]))
        description = (
            f"The top row, {columns} images, is synthetic: made by a computer, not photographed."
            f" The {depth} rows below are real images of the training set, those nearest to the"
            " synthetic one above them. They may show patients."
        )
        source = f"{self.gan}, {self.real_count_label} real images, subset {self.subset}"
        return composite_png(pixels, description, source=source, software=f"Graft {version}")
