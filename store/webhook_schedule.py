"""When a delivery that failed is tried again, and when nobody tries any more.

The delays are those that the Standard Webhooks specification gives as its example: ten attempts in
a little more than three days.
"""

from __future__ import annotations

import random
from datetime import timedelta

DELAYS = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
)
MAX_ATTEMPTS = len(DELAYS) + 1
LONGEST_WAIT = timedelta(hours=24)
"""A receiver that asks for more patience is asked again after this long."""
GIVE_UP_AFTER = timedelta(days=5)
"""A webhook to which nothing could be delivered for this long is disabled."""
KEEP = timedelta(days=30)
"""Messages and deliveries older than this are deleted, and cannot be replayed."""
_JITTER = 0.1


def wait_after(attempts: int, retry_after: float | None = None) -> timedelta | None:
    """Return how long to wait after a failed attempt; null: that was the last.

    Args:
        attempts: Attempts made so far, from 1.
        retry_after: Seconds that the receiver asked for; the longer of the two is waited.
    """
    if attempts >= MAX_ATTEMPTS:
        return None
    # Up to a tenth longer, so that what failed together does not come again together.
    spread = 1 + random.random() * _JITTER  # noqa: S311  # nothing secret about it
    return max(DELAYS[attempts - 1] * spread, asked_wait(retry_after))


def asked_wait(retry_after: float | None) -> timedelta:
    """Return what a receiver's ``Retry-After`` comes to, at most a day."""
    seconds = min(max(retry_after or 0.0, 0.0), LONGEST_WAIT.total_seconds())
    return timedelta(seconds=seconds)
