"""Picking images that stand for many: few of what there is much of, some of everything.

Exemplars by greedy facility location: those with the least sum of distances from each image to its
nearest exemplar. The gain is submodular, so the greedy pick is within 1 - 1/e of the best
(Nemhauser, Wolsey & Fisher 1978); Gomes & Krause 2010, "Budgeted nonparametric learning from data
streams". Farthest-first picks (k-center) were not taken: they begin with the oddest images.
"""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import NDArray

from gan_core.progress import ShouldStop, Stopped, never_stop
from gan_core.quality import ROUNDING, distances

Features = NDArray[np.float32]

LARGEST_PART = 4096
"""Images among which exemplars are picked at once: their distances take 64 MB."""


def pick_diverse(
    features: Features,
    count: int,
    *,
    largest_part: int = LARGEST_PART,
    should_stop: ShouldStop = never_stop,
) -> NDArray[np.int64]:
    """Pick images that differ; of images that are equal never more than one of a part.

    More than ``largest_part`` images are dealt out, one after the other, to as many parts as it
    takes, and each gives its share (Mirzasoleiman et al. 2013, "Distributed submodular
    maximization", the first of its two rounds): a plain random order makes each part stand for all.

    Args:
        features: float32 [N, D], in a random order (that of drawing).
        count: How many; fewer come back when there are fewer that differ.
        largest_part: Bounds memory.
        should_stop: Asked before each pick.

    Returns:
        int64, rows of ``features``, ascending. The same features give the same rows.

    Raises:
        Stopped: ``should_stop()`` said so.
    """
    parts = max(1, -(-len(features) // largest_part))
    picked: list[NDArray[np.int64]] = []
    for number in range(parts):
        rows = np.arange(number, len(features), parts)
        share = count // parts + (number < count % parts)
        some = np.asarray(features[number::parts])
        picked.append(rows[_exemplars(some, min(share, len(rows)), should_stop)])
    return np.sort(np.concatenate(picked))


def _exemplars(features: Features, count: int, should_stop: ShouldStop) -> NDArray[np.int64]:
    if not count:
        return np.empty(0, np.int64)
    apart = _distances(features)
    # Before the first pick every image is as far from an exemplar as no two images are.
    farthest = float(apart.max()) + 1.0
    nearest = np.full(len(features), farthest, np.float32)
    same = ROUNDING * float(apart.mean())
    # An image's gain only ever falls, so one whose gain has just been reckoned and is still the
    # largest need not be compared with the others (Minoux 1978).
    gains = np.maximum(nearest - apart, 0).sum(axis=1, dtype=np.float64)
    waiting = [(-float(gain), row) for row, gain in enumerate(gains)]
    heapq.heapify(waiting)
    picked: list[int] = []
    while waiting and len(picked) < count:
        if should_stop():
            raise Stopped
        _, row = heapq.heappop(waiting)
        if nearest[row] <= same:
            continue
        gain = float(np.maximum(nearest - apart[row], 0).sum(dtype=np.float64))
        if waiting and (-gain, row) > waiting[0]:
            heapq.heappush(waiting, (-gain, row))
            continue
        picked.append(row)
        np.minimum(nearest, apart[row], out=nearest)
    return np.array(picked, np.int64)


def _distances(features: Features) -> NDArray[np.float32]:
    """All distances within a part, float32 [N, N], reckoned a block at a time."""
    apart = np.empty((len(features), len(features)), np.float32)
    for start in range(0, len(features), 512):
        apart[start : start + 512] = distances(features[start : start + 512], features)
    np.fill_diagonal(apart, 0.0)
    return apart
