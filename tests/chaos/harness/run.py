"""The run: faults in a seeded order, some while others are not yet over, each timed."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from harness.house import House
from harness.striking import Fault, Struck

RECOVERY_SECONDS = 150.0
_LOOK_SECONDS = 0.2
# How often the next fault does not wait for the one before to be over.
_OVERLAP = 0.4


@dataclass
class Record:
    """One fault that struck.

    Attributes:
        name: Of the fault.
        what: Whom it struck.
        struck_at: Monotonic time.
        counts_from: Monotonic time from which the recovery is timed; None while the fault lasts.
        seconds: Until things were back; None when they were not.
        is_given_up: Whether it was waited for too long.
    """

    name: str
    what: str
    struck_at: float
    counts_from: float | None
    seconds: float | None = None
    is_given_up: bool = False


class Storm:
    """Strikes a house.

    Args:
        house: The house.
        faults: From which to choose, each as often as the others.
        seed: Of everything that is left to chance here.
        tell: Called with each record when its fault has struck, and when it is over.
    """

    def __init__(
        self,
        house: House,
        faults: Sequence[Fault],
        seed: int,
        tell: Callable[[Record], None] = lambda _record: None,
    ) -> None:
        self._house = house
        self._chance = random.Random(seed)
        self._tell = tell
        self.skipped = {f.name: reason for f in faults if (reason := f.why_not(house))}
        self._faults = [fault for fault in faults if fault.name not in self.skipped]
        self._open: list[tuple[Record, Struck]] = []
        self.records: list[Record] = []

    def rage(self, count: int, until: float, is_work_left: Callable[[], bool]) -> None:
        """Strike so many times.

        Args:
            count: How many times.
            until: Monotonic time at which to give up.
            is_work_left: Whether a fault would still strike somebody at work.
        """
        order = self._order()
        while len(self.records) < count and time.monotonic() < until and is_work_left():
            fault = next(order)
            overlaps = self._chance.random() < _OVERLAP
            pause = self._chance.uniform(0.3, 2.5)
            self._wait(pause)
            if fault.lasts and any(struck.lasts for _, struck in self._open):
                # One that lasts may be joined by one that does not, not by another such.
                self.settle()
            struck = fault.strike(self._house, self._chance)
            if struck is None:
                continue
            now = time.monotonic()
            record = Record(fault.name, struck.what, now, None if struck.counts_from_lift else now)
            self.records.append(record)
            self._open.append((record, struck))
            self._tell(record)
            if not overlaps:
                self.settle()
        self.settle()

    def settle(self) -> None:
        """Wait until every fault so far is over, or is taken for not recovered."""
        while self._open:
            self._look()
            time.sleep(_LOOK_SECONDS)

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._look()
            time.sleep(_LOOK_SECONDS)

    def _look(self) -> None:
        still: list[tuple[Record, Struck]] = []
        for record, struck in self._open:
            now = time.monotonic()
            if struck.lasts and now >= record.struck_at + struck.lasts:
                struck.lift()
                struck.lasts = 0.0
                now = time.monotonic()
                record.counts_from = record.counts_from or now
            counts_from = record.counts_from
            if record.seconds is None and counts_from is not None and struck.is_recovered():
                record.seconds = time.monotonic() - counts_from
                self._tell(record)
            is_late = counts_from is not None and now > counts_from + RECOVERY_SECONDS
            if struck.lasts or (record.seconds is None and not is_late):
                still.append((record, struck))
            elif record.seconds is None:
                record.is_given_up = True
                self._tell(record)
        self._open = still

    def _order(self) -> Iterator[Fault]:
        while True:
            yield from self._chance.sample(self._faults, len(self._faults))
