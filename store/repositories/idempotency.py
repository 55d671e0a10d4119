"""Requests with an ``Idempotency-Key`` of one workspace: reserved, answered, or free again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from store.access_tables import IdempotentRequest
from store.clock import SLACK, now_of
from store.upserting import insert_into


@dataclass(frozen=True)
class Reservation:
    """What became of the wish to carry a request out.

    Attributes:
        state: ``granted``: carry it out; ``answered``: it was, and ``row`` holds the answer;
            ``under_way``: another attempt has it; ``reused``: the key is another request's.
        row: Of the earlier request; null where it was granted.
        seconds_left: Until another attempt that is under way counts as dead.
    """

    state: Literal["granted", "answered", "under_way", "reused"]
    row: IdempotentRequest | None = None
    seconds_left: float = 0.0


class IdempotentRequests:
    """Requests of one workspace."""

    def __init__(self, session: Session, workspace_id: str) -> None:
        self._session = session
        self._workspace_id = workspace_id

    def reserve(self, key: str, fingerprint: str, token: str, lock_seconds: float) -> Reservation:
        """Ask to carry a request out; commit before doing so.

        Args:
            key: The header's value.
            fingerprint: SHA-256 of the request.
            token: Of this attempt.
            lock_seconds: After which the attempt counts as dead, and the key as free.
        """
        now = now_of(self._session)
        until = now + timedelta(seconds=lock_seconds)
        if self._insert(key, fingerprint, token, now, until):
            return Reservation("granted")
        # Held: of two that find a dead attempt, one takes it over.
        row = self._session.scalar(self._which(key).with_for_update())
        if row is None:  # it failed this very moment, and the key is free
            inserted = self._insert(key, fingerprint, token, now, until)
            return Reservation("granted" if inserted else "under_way", seconds_left=1.0)
        # A moment further ahead than it can be is from before the clock was set back.
        is_dead = row.locked_until is not None and not now < row.locked_until <= until + SLACK
        if is_dead:
            row.fingerprint, row.token, row.locked_until = fingerprint, token, until
            row.created_at = now
            self._session.flush()
            return Reservation("granted")
        if row.fingerprint != fingerprint:
            return Reservation("reused", row)
        if row.locked_until is None:
            return Reservation("answered", row)
        return Reservation("under_way", row, (row.locked_until - now).total_seconds())

    def answer(
        self,
        key: str,
        token: str,
        *,
        status_code: int,
        headers: dict[str, str],
        body: str,
        subject: str | None = None,
    ) -> bool:
        """Write the answer, in the transaction that does the work.

        Args:
            key: The header's value.
            token: Of this attempt.
            status_code: Of the answer, as ``headers`` and ``body`` are.
            headers: Those that belong to it.
            body: As it is to be kept.
            subject: Id of what was made.

        Returns:
            Whether the attempt still had the key. If not, another has taken it over, and the
            transaction must be rolled back.
        """
        return self._change(
            update(IdempotentRequest)
            .where(*self._attempt(key, token))
            .values(
                status_code=status_code,
                headers=headers,
                body=body,
                subject=subject,
                locked_until=None,
            )
        )

    def release(self, key: str, token: str) -> bool:
        """Free the key of an attempt that failed; return whether it had it, unanswered."""
        return self._change(delete(IdempotentRequest).where(*self._attempt(key, token)))

    def _insert(
        self, key: str, fingerprint: str, token: str, now: datetime, until: datetime
    ) -> bool:
        return self._change(
            insert_into(self._session, IdempotentRequest)
            .values(
                workspace_id=self._workspace_id,
                key=key,
                fingerprint=fingerprint,
                token=token,
                locked_until=until,
                created_at=now,
            )
            .on_conflict_do_nothing(index_elements=["workspace_id", "key"])
        )

    def _which(self, key: str) -> Any:
        return select(IdempotentRequest).where(
            IdempotentRequest.workspace_id == self._workspace_id, IdempotentRequest.key == key
        )

    def _attempt(self, key: str, token: str) -> tuple[Any, ...]:
        return (
            IdempotentRequest.workspace_id == self._workspace_id,
            IdempotentRequest.key == key,
            IdempotentRequest.token == token,
            # An answer that was committed stays, whatever the client of the database heard of it.
            IdempotentRequest.locked_until.is_not(None),
        )

    def _change(self, statement: Any) -> bool:
        changed = self._session.execute(
            statement.returning(IdempotentRequest.key).execution_options(synchronize_session=False)
        )
        return changed.first() is not None
