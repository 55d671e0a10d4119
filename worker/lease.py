"""Keeping a lease alive from a thread, from the claim until the outcome is recorded."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

import structlog

from store.records import Lease

log = structlog.get_logger(__name__)

Beat = Callable[[float | None, str | None], Lease]
"""Renew the lease, with (fraction, detail) when there is news."""

_SHORTEST_BEAT = 1.0
_LONGEST_FAREWELL = 45.0


class LeaseKeeper:
    """Renews a lease and listens for what the database has to say.

    Args:
        beat: Renews the lease once.
        lease_seconds: How long a lease lasts without renewal.
        heartbeat_seconds: How often to renew it, and to listen.
    """

    def __init__(self, beat: Beat, *, lease_seconds: float, heartbeat_seconds: float) -> None:
        self._beat = beat
        self._lease_seconds = lease_seconds
        self._interval = heartbeat_seconds
        self._renewed_at = time.monotonic()
        self._news: tuple[float, str] | None = None
        self._wake = threading.Event()
        self._is_ending = False
        self._was_lost = False
        self.is_cancelled = False
        """The job is not wanted any more."""
        self.told_at = self._renewed_at
        """When the step last gave a sign of life, by the monotonic clock."""
        self.is_stuck = False
        """The database neither answers nor refuses: the thread could not be ended."""
        # With the ids of the step that its log lines carry.
        context = contextvars.copy_context()
        self._thread = threading.Thread(
            target=lambda: context.run(self._keep), name="lease", daemon=True
        )

    @property
    def is_lost(self) -> bool:
        """Whether the step is somebody else's: end the child and record nothing.

        True, too, when nobody could have renewed the lease for longer than it lasts, be it that
        the database's answer has been awaited all that time.
        """
        if time.monotonic() - self._renewed_at > self._lease_seconds:
            self._was_lost = True
        return self._was_lost

    def begin(self) -> None:
        """Note that the child begins now: what went before is none of its silence."""
        self.told_at = time.monotonic()

    def tell(self, fraction: float, detail: str) -> None:
        """Note progress; it goes out with the next beat, within about a second."""
        self.told_at = time.monotonic()
        self._news = (fraction, detail)
        self._wake.set()

    def _keep(self) -> None:
        last_beat = -_SHORTEST_BEAT
        while not self._is_ending and not self.is_lost:
            pause = self._interval - (time.monotonic() - last_beat)
            if pause > 0:
                self._wake.wait(pause)
            self._wake.clear()
            # News must not make more than one write a second.
            rest = _SHORTEST_BEAT - (time.monotonic() - last_beat)
            while rest > 0 and not self._is_ending:
                time.sleep(min(rest, 0.1))
                rest = _SHORTEST_BEAT - (time.monotonic() - last_beat)
            if self._is_ending:
                return
            last_beat = time.monotonic()
            self._renew(last_beat)

    def _renew(self, now: float) -> None:
        news, self._news = self._news, None
        try:
            lease = self._beat(*(news or (None, None)))
        except Exception as error:  # noqa: BLE001 - any failure of any driver means the same here
            log.warning("heartbeat_failed", reason=type(error).__name__)
            self._news = self._news or news
            return
        if not lease.held:
            self._was_lost = True
            return
        self._renewed_at = now
        self.is_cancelled = lease.stop

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._is_ending = True
        self._wake.set()
        self._thread.join(timeout=_LONGEST_FAREWELL)
        self.is_stuck = self._thread.is_alive()
