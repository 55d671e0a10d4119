"""Time that stands still until a test moves it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from unittest import mock


class FakeClock:
    """Stands in for what ``store.columns`` looks up when it asks for the time or makes an id.

    Ids are numbered by a count of their own: those made later sort later whatever the time of day
    does, and a failing example fails again in the same way.
    """

    def __init__(self) -> None:
        self.moment = datetime(2030, 1, 1, 12, tzinfo=UTC)
        self.latest = self.moment
        self._ids = 0

    def now(self, zone: tzinfo) -> datetime:
        return self.moment.astimezone(zone)

    def time_ns(self) -> int:
        self._ids += 1
        return self._ids * 1_000_000

    def moment_after(self, seconds: float) -> datetime:
        return self.moment + timedelta(seconds=seconds)

    def move(self, seconds: float) -> None:
        """Let time pass, or set the clock back."""
        self.moment += timedelta(seconds=seconds)
        self.latest = max(self.latest, self.moment)

    def put_right(self) -> None:
        """Undo every setting back."""
        self.moment = self.latest


@contextmanager
def fake_clock() -> Iterator[FakeClock]:
    """Have the store live by a clock of ours."""
    clock = FakeClock()
    with (
        mock.patch("store.columns.datetime", clock),
        mock.patch("store.columns.time", clock),
        # PostgreSQL has a clock of its own, which nobody can set here.
        mock.patch("store.clock._server_time", lambda _: clock.now(UTC)),
    ):
        yield clock
