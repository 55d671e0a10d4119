"""Whether a synthetic image lies among the real ones, by features.

As the precision of Kynkäänniemi et al. 2019, arXiv:1904.06991, asks it of a whole set; the limit is
set as in conformal prediction (Laxhammar & Falkman 2010, "Conformal prediction for distribution-
independent anomaly detection"): by how far each real image lies from all the others.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gan_core.quality import distances

Features = NDArray[np.float32]

PASSING = 0.95
"""Share of new real images that the limit should let pass."""
_BLOCK = 1024


def nearest_distances(features: Features, real: Features) -> NDArray[np.float64]:
    """Distance of each image to its nearest real one, float64 [N]; a block at a time.

    Args:
        features: float32 [N, D].
        real: float32 [M, D], M ≥ 1.
    """
    nearest = np.empty(len(features))
    for start in range(0, len(features), _BLOCK):
        some = np.asarray(features[start : start + _BLOCK])
        nearest[start : start + len(some)] = distances(some, real).min(axis=1)
    return nearest


def farthest_allowed(real: Features) -> float:
    """Return how far from its nearest real image a synthetic one may lie.

    Of the distances of each real image to its nearest other one, in ascending order, it is number
    ⌈.95 (n + 1)⌉: one more real image, left out of all this, would lie within it with a
    probability of at least .95. Below 19 images there is no such number, and the largest is taken:
    one more real image lies within it with a probability of about n / (n + 1), .91 for 10 images,
    so the rule is then stricter than it says, and one odd real image makes it looser for all.

    Args:
        real: float32 [n, D], of real training images of the rare class, n ≥ 2.
    """
    own = distances(real, real)
    np.fill_diagonal(own, np.inf)
    nearest = np.sort(own.min(axis=1))
    number = int(np.ceil(PASSING * (len(real) + 1) - 1e-9))
    # Where nearly all are copies of one another, it still has to be divided by.
    return max(float(nearest[min(number, len(real)) - 1]), 1e-6)
