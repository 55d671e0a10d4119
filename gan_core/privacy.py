"""What a set of synthetic images gives away of the images that its GAN was trained on.

Two questions, each answered beside real images that the GAN has not seen, since a distance by
itself says nothing:

- Do synthetic images lie closer to training images than new real images do? (Meehan et al. 2020,
  "A non-parametric test to detect data-copying in generative models", arXiv:2004.05675, ask the
  same of whole distributions.)
- Can someone who has an image tell whether it was among the training images? That is a membership
  attack: by the distance to the nearest synthetic image (Chen et al. 2020, "GAN-Leaks",
  arXiv:1909.03935, section 4.1), or by the discriminator (``training.membership``).

An attack that finds nothing shows that this attack finds nothing. With 10 members the interval of
its AUC reaches from about .3 to .7 even where there is nothing to be found, so it must be read
before the AUC is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gan_core.benchmark.delong import auc_interval
from gan_core.quality import Features, distances
from gan_core.spec.findings import Interval

FIRST_PERCENTILE = 0.01
LEAST_ATTACKED = 2
"""Members, and others, for an interval."""
_BLOCK = 256

FloatArray = NDArray[np.float64]


def nearest(
    features: Features, among: Features, count: int = 1
) -> tuple[FloatArray, NDArray[np.int64]]:
    """Find the nearest neighbours of images among others.

    Args:
        features: float32 [N, D].
        among: float32 [M, D], M ≥ 1.
        count: How many of each; no more than M are found.

    Returns:
        Euclidean distances, float64 [N, min(count, M)], ascending; and rows of ``among``, int64.

    Raises:
        ValueError: There is no image to find.
    """
    if not len(among):
        raise ValueError("there is no image to find a neighbour among")
    count = min(count, len(among))
    far = np.empty((len(features), count))
    rows = np.empty((len(features), count), np.int64)
    for start in range(0, len(features), _BLOCK):
        across = distances(features[start : start + _BLOCK], among)
        order = np.argsort(across, axis=1, kind="stable")[:, :count]
        rows[start : start + _BLOCK] = order
        far[start : start + _BLOCK] = np.take_along_axis(across, order, 1)
    return far, rows


@dataclass(frozen=True)
class Closeness:
    """How close synthetic images come to training images.

    Attributes:
        ratio: Of median distances to the nearest training image: synthetic ones over unseen real
            ones.
        share_below: Share of synthetic images below the unseen ones' first percentile.
    """

    ratio: float
    share_below: float


def closeness(fakes: FloatArray, unseen: FloatArray) -> Closeness:
    """Compare distances to the nearest training image.

    The percentile is the k-th smallest value with k = (n + 1) / 100, which new real images fall
    below in one of a hundred cases whatever their distribution; of fewer than 99 unseen images it
    is the smallest one, which chance falls below once in n + 1.

    Args:
        fakes: Of each synthetic image, [N], N ≥ 1.
        unseen: Of each real image that the GAN has not seen, [M], M ≥ 1.
    """
    usual = float(np.median(unseen))
    limit = np.quantile(unseen, FIRST_PERCENTILE, method="weibull")
    # All unseen images may be training images, too, in a data set of copies.
    ratio = float(np.median(fakes)) / usual if usual > 0 else 1.0
    return Closeness(ratio, float((fakes < limit).mean()))


def attack(members: NDArray[np.floating], others: NDArray[np.floating]) -> Interval | None:
    """What a membership attack achieves: ROC-AUC of telling members from others by a score.

    Args:
        members: A score of each training image, [N]; a higher one says "member".
        others: Of each real image that the GAN has not seen, [M].

    Returns:
        The AUC with DeLong's 95% interval, whatever the numbers of the two are; None with fewer
        than two of either.
    """
    if min(len(members), len(others)) < LEAST_ATTACKED:
        return None
    scores = np.concatenate([members, others]).astype(np.float64)
    return auc_interval(scores, np.arange(len(scores)) < len(members))


def attack_by_distance(members: Features, others: Features, fakes: Features) -> Interval | None:
    """The attack of whoever has nothing but the synthetic images; see ``attack``.

    Args:
        members: Features of training images, float32 [N, D].
        others: Of real images that the GAN has not seen, [M, D].
        fakes: Of synthetic images, [K, D], K ≥ 1.
    """
    return attack(-nearest(members, fakes)[0][:, 0], -nearest(others, fakes)[0][:, 0])
