"""Keeping the promise to ring: rows written with the work, sent after the commit."""

from __future__ import annotations

from typing import Protocol

from sqlalchemy import func, select, update

from store.clock import now_of
from store.database import Database
from store.doorbell import DoorbellSilent
from store.step_tables import OutboxRow


class Rings(Protocol):
    """What can ring for a step."""

    def ring(self, queue: str, step_id: str) -> None:
        """Send a message that names the step, or raise ``DoorbellSilent``."""


def relay_outbox(database: Database, doorbell: Rings, limit: int = 100) -> int:
    """Ring for the steps that are still unannounced.

    Two relays at once may ring twice for the same step, which does no harm: a claim finds out.
    With a silent broker the rows stay, and a later call sends them.

    Returns:
        How many rings were sent.
    """
    with database.read() as session:
        rows = session.execute(
            select(OutboxRow.id, OutboxRow.queue, OutboxRow.step_id)
            .where(OutboxRow.sent_at.is_(None))
            .order_by(OutboxRow.id)
            .limit(limit)
        ).all()
    sent: list[int] = []
    for row_id, queue, step_id in rows:
        try:
            doorbell.ring(queue, step_id)
        except DoorbellSilent:
            break
        sent.append(row_id)
    if sent:
        with database.write() as session:
            session.execute(
                update(OutboxRow).where(OutboxRow.id.in_(sent)).values(sent_at=now_of(session))
            )
    return len(sent)


def unsent_rings(database: Database) -> int:
    """Return how many rings the broker has not taken yet."""
    with database.read() as session:
        unsent = select(func.count()).select_from(OutboxRow).where(OutboxRow.sent_at.is_(None))
        return session.scalar(unsent) or 0
