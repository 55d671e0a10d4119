"""Whether a worker should begin anything now: what is wrong here is wrong for every step.

A step that runs out of room loses what it has done since its last checkpoint, and takes the room
from those beside it. One that is begun by a clock that runs ahead is taken from its worker at once.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select

from store.columns import utc_now
from store.database import Database
from store.room import lack_of_room
from store.settings import Settings


def reason_to_pause(settings: Settings, database: Database) -> str | None:
    """Return why nothing should be begun, in a sentence for a person; null: all is well."""
    return lack_of_room(settings) or skewed_clock(database, settings.lease_seconds)


def skewed_clock(database: Database, lease_seconds: float) -> str | None:
    """Return how far this machine's clock is from the database's; null: near enough for leases.

    Leases are written and read by the clocks of different machines. One that runs ahead by a
    lease's length takes every step from everybody.
    """
    if database.engine.dialect.name == "sqlite":
        return None
    with database.read() as session:
        theirs: datetime = session.execute(select(func.now())).scalar_one()
        ours = utc_now()
    skew = (ours - theirs).total_seconds()
    if abs(skew) <= lease_seconds / 2:
        return None
    return (
        f"clock_skew: this machine's clock is {abs(skew):.0f} s"
        f" {'ahead of' if skew > 0 else 'behind'} the database's; let both keep time by NTP."
    )
