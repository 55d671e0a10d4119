"""How close a set of images is to a set of real ones, from features of both.

All figures take features as rows; which features they are belongs into their name ("KID,
EfficientNet-Lite0 features"), since figures of other features cannot be compared.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.float32]

NEIGHBOURS = 5
"""Naeem 2020, section 5.1."""
ROUNDING = 1e-4
"""Of the mean distance between neighbours: less is no difference."""
SUBSETS = 50
LARGEST_SUBSET = 1000


def kernel_distance(
    real: Features, fake: Features, *, subsets: int = SUBSETS, seed: int = 0
) -> tuple[float, float]:
    """The kernel distance KID: squared maximum mean discrepancy with a cubic kernel.

    Binkowski et al. 2018, "Demystifying MMD GANs", arXiv:1801.01401. The unbiased estimate, so it
    can be a little below 0. Mean over random subsets of min(1000, n // 2) images of each side, n
    the smaller set's number.

    Args:
        real: float32 [N, D], N ≥ 4.
        fake: float32 [M, D], M ≥ 4.
        subsets: How many subsets.
        seed: Of their choice.

    Returns:
        Mean and standard deviation over the subsets.

    Raises:
        ValueError: Fewer than 4 rows on a side.
    """
    size = min(LARGEST_SUBSET, min(len(real), len(fake)) // 2)
    if size < 2:
        raise ValueError("a kernel distance needs at least 4 images on each side")
    random = np.random.default_rng(seed)
    # The kernels of all pairs once; each subset then is a choice of rows and columns.
    within_real, within_fake = cubic_kernel(real, real), cubic_kernel(fake, fake)
    across = cubic_kernel(real, fake)
    values = np.empty(subsets)
    for number in range(subsets):
        a = random.choice(len(real), size, replace=False)
        b = random.choice(len(fake), size, replace=False)
        values[number] = (
            mean_of_others(within_real[np.ix_(a, a)])
            + mean_of_others(within_fake[np.ix_(b, b)])
            - 2 * across[np.ix_(a, b)].mean()
        )
    return float(values.mean()), float(values.std())


def cubic_kernel(a: Features, b: Features) -> NDArray[np.float64]:
    """(a · b / D + 1)³ for each pair of rows, float64 [N, M]."""
    products = a.astype(np.float64) @ b.astype(np.float64).T
    kernel: NDArray[np.float64] = (products / a.shape[1] + 1) ** 3
    return kernel


def mean_of_others(kernel: NDArray[np.float64]) -> float:
    """Mean of a square matrix without its diagonal: what a set's kernel with itself is."""
    count = len(kernel)
    return float((kernel.sum() - np.trace(kernel)) / (count * (count - 1)))


def neighbours_of(count: int) -> int:
    """How many neighbours make a real image's surroundings: 5, fewer among fewer than 20."""
    return max(1, min(NEIGHBOURS, count // 4))


def density_and_coverage(real: Features, fake: Features) -> tuple[float, float]:
    """How crowded by fakes the surroundings of real images are, and how many hold one at all.

    Naeem et al. 2020, "Reliable fidelity and diversity metrics for generative models",
    arXiv:2002.09797. An image's surroundings reach to its k-th nearest real neighbour. Coverage
    depends on the numbers of images: only figures of equal numbers can be compared.

    Args:
        real: float32 [N, D], N ≥ 2.
        fake: float32 [M, D], M ≥ 1.

    Returns:
        Density (about 1 where fakes are spread as the real ones are; above where they crowd) and
        coverage, a share of the real images.
    """
    k = neighbours_of(len(real))
    inside = distances(real, fake) < _radii(real)[:, None]
    return float(inside.sum() / (k * inside.shape[1])), float(inside.any(axis=1).mean())


def precision_and_recall(real: Features, fake: Features) -> tuple[float, float]:
    """Share of fakes within the real images' surroundings, and the other way round.

    Kynkäänniemi et al. 2019, "Improved precision and recall metric", arXiv:1904.06991; with as
    many neighbours as ``density_and_coverage`` takes.

    Args:
        real: float32 [N, D], N ≥ 2.
        fake: float32 [M, D], M ≥ 2.
    """
    across = distances(real, fake)
    real_radii, fake_radii = _radii(real), _radii(fake)
    precision = (across <= real_radii[:, None]).any(axis=0).mean()
    recall = (across <= fake_radii[None, :]).any(axis=1).mean()
    return float(precision), float(recall)


def authenticity(real: Features, fake: Features) -> float:
    """Share of fakes farther from their nearest training image than that one's own neighbour is.

    Alaa et al. 2022, "How faithful is your synthetic data?", arXiv:2102.08921, section 3.3. A set
    of new real images has about .5 or more; copies have 0, those of an image that stands twice
    among the training images, too.

    Args:
        real: float32 [N, D], the training images, N ≥ 2.
        fake: float32 [M, D], M ≥ 1.
    """
    across = distances(real, fake)
    nearest = across.argmin(axis=0)
    own = np.partition(distances(real, real), 1, axis=1)[:, 1]
    # Features of the same picture differ in their last bits from batch to batch.
    least = own[nearest] + ROUNDING * own.mean()
    return float((across[nearest, np.arange(len(fake))] > least).mean())


def distances(a: Features, b: Features) -> NDArray[np.float64]:
    """Euclidean distances of all pairs of rows, float64 [N, M]."""
    x, y = a.astype(np.float64), b.astype(np.float64)
    squares = (x**2).sum(1)[:, None] + (y**2).sum(1)[None] - 2 * (x @ y.T)
    result: NDArray[np.float64] = np.sqrt(np.maximum(squares, 0.0))
    return result


def _radii(features: Features) -> NDArray[np.float64]:
    k = neighbours_of(len(features))
    # Column 0 of each sorted row is the image itself.
    radii: NDArray[np.float64] = np.partition(distances(features, features), k, axis=1)[:, k]
    return radii


def frechet_distance(real: Features, fake: Features) -> float:
    """The Fréchet distance between normal distributions that are fitted to both sets.

    Heusel et al. 2017, "GANs trained by a two time-scale update rule", arXiv:1706.08500, eq. 6.
    The estimate is biased upward, the more the fewer images there are (Bińkowski et al. 2018,
    section 3), and with fewer images than features both covariances are singular: only figures of
    equal numbers of images can be compared, and none of a few hundred with those of papers.

    The trace of the root of the covariances' product is the sum of the singular values of X Yᵀ,
    X and Y the centred features over √(n - 1): no root of a [D, D] matrix has to be taken.

    Args:
        real: float32 [N, D], N ≥ 2.
        fake: float32 [M, D], M ≥ 2.

    Raises:
        ValueError: Fewer than 2 rows on a side.
    """
    if min(len(real), len(fake)) < 2:
        raise ValueError("a Fréchet distance needs at least 2 images on each side")
    x, y = _centred(real), _centred(fake)
    apart = real.mean(0, dtype=np.float64) - fake.mean(0, dtype=np.float64)
    shared = np.linalg.svd(x @ y.T, compute_uv=False).sum()
    distance = (apart**2).sum() + (x**2).sum() + (y**2).sum() - 2 * shared
    return float(max(0.0, distance))


def diversity(real: Features, fake: Features) -> float:
    """Mean distance between two fakes over that between two real images; 1 is as diverse.

    Args:
        real: float32 [N, D], N ≥ 2, not all the same.
        fake: float32 [M, D], M ≥ 2.
    """
    return mean_of_others(distances(fake, fake)) / mean_of_others(distances(real, real))


def _centred(features: Features) -> NDArray[np.float64]:
    wide = features.astype(np.float64)
    centred: NDArray[np.float64] = (wide - wide.mean(0)) / np.sqrt(len(wide) - 1)
    return centred
