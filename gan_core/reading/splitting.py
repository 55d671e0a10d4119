"""A test split for a set that brings none."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def draw_test_split(
    labels: NDArray[np.int64], groups: NDArray[np.int64], *, share: float, seed: int
) -> NDArray[np.bool_]:
    """Choose the test images: stratified, seeded, copies kept together.

    Images of one group (copies and near copies of each other) go to the same side, and a group
    with two labels stays in training, so no test image has a twin among the training images.
    Where a class is nothing but copies of itself, that cannot be had: it is then split image by
    image, and the index's ``duplicates.across_splits`` tells.

    Args:
        labels: int64 [N].
        groups: int64 [N], equal for images that belong together.
        share: Share of each class that becomes test images; at least one image.
        seed: Seed of the draw.

    Returns:
        bool [N], true for test images.
    """
    is_test = np.zeros(len(labels), dtype=bool)
    mixed = _mixed_groups(labels, groups)
    for label in np.unique(labels):
        rng = np.random.default_rng([seed, int(label)])
        members = np.flatnonzero(labels == label)
        wanted = max(1, round(share * len(members)))
        free = members[~np.isin(groups[members], mixed)]
        names, sizes = np.unique(groups[free], return_counts=True)
        taken = 0
        for at in rng.permutation(len(names)):
            if taken + sizes[at] <= wanted:
                is_test[free[groups[free] == names[at]]] = True
                taken += int(sizes[at])
        if taken == 0:
            is_test[rng.permutation(members)[:wanted]] = True
    return is_test


def _mixed_groups(labels: NDArray[np.int64], groups: NDArray[np.int64]) -> NDArray[np.int64]:
    pairs = np.unique(np.stack([groups, labels], axis=1), axis=0)
    names, count = np.unique(pairs[:, 0], return_counts=True)
    return names[count > 1]
