"""When the next checkpoint is due: by time, and never so often that it slows the work down."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

CHECKPOINT_SHARE = 0.02
"""Of the time of any work, what at most goes into keeping it."""


class CheckpointTimer:
    """Tells when to keep a state next.

    A save is due once ``seconds`` have passed since the last one, and once the work between the
    two has taken so long that the last one was at most ``share`` of it. So the share holds
    whatever the disk: where a save takes 5 s, the next one comes 4 minutes later.

    Args:
        seconds: From the end of one save to the next, at least.
        share: Of the whole time, in (0, 1]; 1 sets no limit.
        clock: Seconds that never run backwards.
    """

    def __init__(
        self,
        seconds: float,
        *,
        share: float = CHECKPOINT_SHARE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if seconds < 0 or not 0 < share <= 1:
            raise ValueError("seconds is at least 0 and share above 0 and at most 1")
        self._clock = clock
        self._seconds = seconds
        self._rest = 1 / share - 1  # work for each second of saving
        self._last_took = 0.0
        self._last_end = clock()

    def is_due(self) -> bool:
        """Whether it is time to save."""
        waited = self._clock() - self._last_end
        return waited >= max(self._seconds, self._rest * self._last_took)

    @contextmanager
    def saving(self) -> Iterator[None]:
        """Measure the save that happens within the block."""
        start = self._clock()
        yield
        self._last_end = self._clock()
        self._last_took = self._last_end - start
