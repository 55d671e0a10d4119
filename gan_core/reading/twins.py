"""The duplicates of a whole set: who hangs together, and the list for the index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gan_core.progress import OnProgress, Progress, ShouldStop, Stopped
from gan_core.reading.duplicates import Groups, near_pairs
from gan_core.reading.index import MAX_PAIRS, DuplicatePair, Duplicates, ImageRef

_MAX_SEARCHED = 2_000_000


@dataclass(frozen=True)
class Twins:
    """All pairs of images that are the same, or nearly.

    Attributes:
        first: int64 [K], rows in the layout's order.
        second: int64 [K], ``first[k] < second[k]``.
        rms: float64 [K], difference of the thumbnails in grey levels.
        is_exact: bool [K].
        groups: int64 [N], equal for images that hang together.
        is_complete: Whether the search went to its end.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    rms: NDArray[np.float64]
    is_exact: NDArray[np.bool_]
    groups: NDArray[np.int64]
    is_complete: bool

    def described(
        self, labels: NDArray[np.int64], is_test: NDArray[np.bool_], entries: list[int]
    ) -> Duplicates:
        """Return the counts and the closest pairs, for the index.

        Args:
            labels: int64 [N].
            is_test: bool [N].
            entries: N numbers of entries.
        """
        row = np.where(is_test, np.cumsum(is_test), np.cumsum(~is_test)) - 1

        def reference(i: int) -> ImageRef:
            split: Literal["train", "test"] = "test" if is_test[i] else "train"
            return ImageRef(split=split, index=int(row[i]), entry=entries[i])

        order = np.lexsort((self.second, self.first, self.rms, ~self.is_exact))
        pairs = [
            DuplicatePair(
                kind="exact" if self.is_exact[k] else "near",
                rms=round(float(self.rms[k]), 3),
                first=reference(int(self.first[k])),
                second=reference(int(self.second[k])),
            )
            for k in order[:MAX_PAIRS]
        ]
        return Duplicates(
            exact=int(self.is_exact.sum()),
            near=int((~self.is_exact).sum()),
            across_splits=int((is_test[self.first] != is_test[self.second]).sum()),
            across_classes=int((labels[self.first] != labels[self.second]).sum()),
            pairs=pairs,
            not_listed=len(order) - len(pairs),
            is_complete=self.is_complete,
        )


def find_twins(
    hashes: list[str],
    thumbnails: NDArray[np.uint8],
    rms: float,
    on_progress: OnProgress,
    should_stop: ShouldStop,
) -> Twins:
    """Compare every image with every other one.

    In a set of lookalikes nearly every pair is a near pair; the search ends after 2,000,000.

    Args:
        hashes: N hashes of the images' pixels.
        thumbnails: uint8 [N, 32, 32, 3].
        rms: Largest difference of near duplicates, in grey levels.
        on_progress: Told the share of the pairs that has been looked at.
        should_stop: Asked after every block of pairs.

    Raises:
        Stopped: ``should_stop`` said so.
    """
    _, identity = np.unique(np.array(hashes, dtype=np.str_), return_inverse=True)
    groups = Groups(len(hashes))
    blocks: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]] = []
    found = 0

    def on_block(share: float) -> None:
        if should_stop():
            raise Stopped
        on_progress(Progress(share, "looking for duplicates"))

    for first, second, distance in near_pairs(thumbnails, rms, on_block=on_block):
        groups.join(first, second)
        room = _MAX_SEARCHED - found
        blocks.append((first[:room], second[:room], distance[:room]))
        found += len(first)
        if found > _MAX_SEARCHED:
            break
    first = np.concatenate([block[0] for block in blocks] or [np.empty(0, np.int64)])
    second = np.concatenate([block[1] for block in blocks] or [np.empty(0, np.int64)])
    distance = np.concatenate([block[2] for block in blocks] or [np.empty(0)])
    return Twins(
        first=first,
        second=second,
        rms=distance,
        is_exact=identity[first] == identity[second],
        groups=groups.labels,
        is_complete=found <= _MAX_SEARCHED,
    )
