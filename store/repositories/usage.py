"""What a workspace has used up, by day, kind and actor; and what it uses at the moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from store.access_tables import Usage
from store.step_tables import Step
from store.tables import FINAL_JOB_STATES, Job
from store.usage import book

USAGE_KINDS = ("upload_bytes", "gpu_seconds", "cpu_seconds")


@dataclass(frozen=True)
class Used:
    """What was used on a day. ``actor`` is null where all are taken together."""

    day: str
    kind: str
    actor: str | None
    amount: float


class UsageLedger:
    """The ledger of one workspace. Days are ``2026-11-28``, of UTC."""

    def __init__(self, session: Session, workspace_id: str) -> None:
        self._session = session
        self._workspace_id = workspace_id

    def book(self, kind: str, actor: str, amount: float, *, day: str) -> None:
        """Add to what an actor used on a day; any number may at once."""
        book(self._session, self._workspace_id, kind, actor, amount, day=day)

    def used(self, kind: str, *, since: str, actor: str | None = None) -> float:
        """Return how much was used from a day on, by one actor or by all."""
        query = select(func.sum(Usage.amount)).where(
            Usage.workspace_id == self._workspace_id, Usage.kind == kind, Usage.day >= since
        )
        if actor is not None:
            query = query.where(Usage.actor == actor)
        return self._session.scalar(query) or 0.0

    def between(self, first: str, last: str, *, by_actor: bool) -> Sequence[Used]:
        """Return what was used from one day to another, both included, in their order."""
        by: list[Any] = [Usage.day, Usage.kind, *([Usage.actor] if by_actor else [])]
        query = (
            select(*by, func.sum(Usage.amount))
            .where(Usage.workspace_id == self._workspace_id, Usage.day.between(first, last))
            .group_by(*by)
            .order_by(*by)
        )
        return [
            Used(row[0], row[1], row[2] if by_actor else None, row[-1])
            for row in self._session.execute(query)
        ]

    def gpu_seconds_at_work(
        self, now: datetime, *, since: datetime, actor: str | None = None
    ) -> float:
        """Return for how long steps that are not over yet have had a GPU since a moment.

        What their earlier attempts had is in the ledger already.
        """
        query = (
            select(Step.started_at, Step.booked_seconds)
            .join(Job, Job.id == Step.job_id)
            .where(
                Step.workspace_id == self._workspace_id,
                Step.status == "running",
                Step.queue == "gpu",
            )
        )
        if actor is not None:
            query = query.where(Job.created_by == actor)
        begun = (
            at + timedelta(seconds=booked)
            for at, booked in self._session.execute(query)
            if at is not None
        )
        return sum(max(0.0, (now - max(at, since)).total_seconds()) for at in begun)

    def unfinished_jobs(self, *, actor: str | None = None) -> int:
        """Return how many jobs wait or run."""
        query = select(func.count()).select_from(Job).where(self._is_unfinished(actor))
        return self._session.scalar(query) or 0

    def seconds_to_next_end(self, *, actor: str | None = None) -> float | None:
        """Return after how many seconds a job is expected to end; null: nobody knows."""
        return self._session.scalar(
            select(func.min(Job.eta_seconds)).where(self._is_unfinished(actor))
        )

    def _is_unfinished(self, actor: str | None) -> ColumnElement[bool]:
        which = (Job.workspace_id == self._workspace_id) & Job.status.not_in(FINAL_JOB_STATES)
        return which if actor is None else which & (Job.created_by == actor)
