"""The one clock by which leases are written and read: the database's.

Workers on several machines share leases, and their own clocks may differ by more than a lease
lasts. SQLite has no clock of its own, and needs none: all who share such a file share a machine.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from store.columns import utc_now

SLACK = timedelta(seconds=60)
"""A moment that lies further ahead than it can is from before the clock was set back."""


def now_of(session: Session) -> datetime:
    """Return the time by the database's clock, in UTC."""
    return _server_time(session) if session.get_bind().dialect.name == "postgresql" else utc_now()


def _server_time(session: Session) -> datetime:
    moment: datetime = session.execute(select(func.clock_timestamp())).scalar_one()
    return moment.astimezone(UTC)
