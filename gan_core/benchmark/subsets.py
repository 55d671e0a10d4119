"""Which real images an experiment may see: nested subsets of the rare class, drawn by seed."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gan_core.spec.errors import GraftError

IndexArray = NDArray[np.int64]


_NOTHING: IndexArray = np.empty(0, np.int64)


def nested_subset(
    labels: IndexArray,
    class_index: int,
    count: int | Literal["all"],
    seed: int,
    *,
    without: IndexArray = _NOTHING,
) -> IndexArray:
    """Draw real images of one class.

    For one seed the subsets are nested: the 10 images of ``count=10`` are among the 50 of
    ``count=50``, so that a table's columns differ in what was added and in nothing else.

    Args:
        labels: int64 [N], class of each training image.
        class_index: The class to draw from.
        count: How many; "all" takes every image of the class.
        seed: Of the draw.
        without: Rows that must not be drawn (``gan_core.leaks``). Others come in their place as
            long as there are any: of a class of 100 with 3 of these, 100 are the other 97.

    Returns:
        int64 [count], rows of ``labels`` in ascending order.

    Raises:
        GraftError: ``real_count_too_large``.
    """
    of_class = np.flatnonzero(labels == class_index)
    wanted = len(of_class) if count == "all" else count
    if wanted > len(of_class):
        raise GraftError(
            "real_count_too_large",
            f"A real count of {wanted} was asked for, but the class has {len(of_class)} training"
            " images.",
            f'Ask for at most {len(of_class)}, or for "all".',
        )
    drawn = np.random.default_rng([seed, 0x5B5E7]).permutation(of_class)
    drawn = drawn[~np.isin(drawn, without)][:wanted]
    return np.sort(drawn).astype(np.int64)


def training_pool(
    labels: IndexArray,
    class_index: int,
    rare_rows: IndexArray,
    *,
    without: IndexArray = _NOTHING,
) -> IndexArray:
    """Rows of the real training images of an arm: all of the other classes, and the subset.

    Args:
        labels: int64 [N], class of each training image.
        class_index: The rare class.
        rare_rows: int64 [n], from ``nested_subset``.
        without: Rows of the other classes that are left out.

    Returns:
        int64, ascending.
    """
    others = np.setdiff1d(np.flatnonzero(labels != class_index), without)
    return np.sort(np.concatenate([others, rare_rows])).astype(np.int64)
