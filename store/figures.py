"""What the database says of the whole house, all workspaces together, for the metrics.

Nothing here names a tenant, a data set, a file or a person.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement

from gan_core.spec.speeds import SETTINGS_MARK
from store.clock import now_of
from store.doorbell import QUEUES
from store.fairness import has_running_twin, is_due
from store.step_tables import OutboxRow, Step
from store.tables import Job, MeasuredSpeed, WorkerSeen
from store.tallies import tallies
from store.upload_tables import UploadSession
from store.webhook_tables import WebhookDelivery
from store.workers import WorkerRegister


@dataclass(frozen=True)
class Queue:
    """What waits for a worker.

    Attributes:
        waiting: Steps that could be begun now.
        oldest_wait: Seconds for which the first of them has waited; 0 where none does.
    """

    waiting: int
    oldest_wait: float


@dataclass(frozen=True)
class Figures:
    """The house at one moment.

    Attributes:
        jobs: How many of each kind and status.
        steps: How many of each queue and status.
        queues: By name.
        unsent: Rings that the broker has not taken yet.
        oldest_unsent: Seconds since the first of them was promised.
        workers: Those that have not said goodbye, each with the seconds of its silence.
        tallies: Numbers that only grow (``store.tallies``) by name and label.
        speeds: Units a second by device and workload.
        deliveries: Of webhooks, by status; those that were delivered are not counted.
        open_uploads: Uploads in parts that are under way.
    """

    jobs: dict[tuple[str, str], int]
    steps: dict[tuple[str, str], int]
    queues: dict[str, Queue]
    unsent: int
    oldest_unsent: float
    workers: list[tuple[WorkerSeen, float]]
    tallies: dict[str, dict[str, int]]
    speeds: dict[tuple[str, str], float]
    deliveries: dict[str, int]
    open_uploads: int


def waits(session: Session, queues: Sequence[str] = QUEUES) -> dict[str, Queue]:
    """Return what waits for a worker in each queue.

    A step that pauses between two tries, or whose work is done for another job at this moment,
    waits for something else. However many wait, few rows are looked at: the rest is counted in the
    index.
    """
    now = now_of(session)
    is_not_paused = or_(Step.available_at.is_(None), is_due(now))
    waiting: Counter[str] = Counter()
    for queue, number in session.execute(
        select(Step.queue, func.count())
        .where(Step.queue.in_(queues), Step.status == "queued", is_not_paused)
        .group_by(Step.queue)
    ):
        waiting[queue] += number
    waiting.subtract(_twins(session, is_not_paused))
    found = {}
    for queue in queues:
        first = _first(session, queue, is_not_paused) if waiting[queue] > 0 else None
        found[queue] = Queue(max(0, waiting[queue]), _age(now, first))
    return found


def _twins(session: Session, is_not_paused: ColumnElement[bool]) -> Counter[str]:
    """Return how many steps of each queue wait for what another job is doing."""
    # First what runs, which is little: a join would begin with all that waits.
    running = {
        (workspace_id, key)
        for workspace_id, key in session.execute(
            select(Step.workspace_id, Step.key).where(Step.status == "running")
        )
    }
    if not running:
        return Counter()
    rows = session.execute(
        select(Step.queue, Step.workspace_id, Step.key).where(
            Step.workspace_id.in_({workspace_id for workspace_id, _ in running}),
            Step.key.in_({key for _, key in running}),
            Step.status == "queued",
            is_not_paused,
        )
    )
    return Counter(queue for queue, workspace_id, key in rows if (workspace_id, key) in running)


def _first(session: Session, queue: str, is_not_paused: ColumnElement[bool]) -> datetime | None:
    """Return since when the first step of a queue has waited that waits for a worker."""
    waits_here = and_(
        Step.queue == queue, Step.status == "queued", is_not_paused, ~has_running_twin()
    )
    noted = session.scalar(
        select(Step.queued_at)
        .where(waits_here, Step.queued_at.is_not(None))
        .order_by(Step.queued_at)
        .limit(1)
    )
    # Queued by code that did not note when.
    older = session.scalar(
        select(func.min(Step.created_at)).where(waits_here, Step.queued_at.is_(None))
    )
    return min((moment for moment in (noted, older) if moment is not None), default=None)


def house_figures(session: Session) -> Figures:
    """Ask the database for everything that the metrics tell."""
    now = now_of(session)
    unsent, first_unsent = session.execute(
        select(func.count(), func.min(OutboxRow.created_at)).where(OutboxRow.sent_at.is_(None))
    ).one()
    workers = WorkerRegister(session).all()
    return Figures(
        jobs=_counted(session, Job.kind, Job.status),
        steps=_counted(session, Step.queue, Step.status),
        queues=waits(session),
        unsent=unsent,
        oldest_unsent=_age(now, first_unsent),
        workers=[(worker, _age(now, worker.seen_at)) for worker in workers],
        tallies=tallies(session),
        speeds=_speeds(session),
        deliveries={
            status: session.scalar(
                select(func.count())
                .select_from(WebhookDelivery)
                .where(WebhookDelivery.status == status)
            )
            or 0
            for status in ("pending", "failed")
        },
        open_uploads=session.scalar(
            select(func.count()).select_from(UploadSession).where(UploadSession.status == "open")
        )
        or 0,
    )


def _counted(session: Session, *columns: object) -> dict[tuple[str, str], int]:
    rows = session.execute(select(*columns, func.count()).group_by(*columns))  # type: ignore[call-overload]
    return {(first, second): number for first, second, number in rows}


def _speeds(session: Session) -> dict[tuple[str, str], float]:
    """Return the speeds of what GANs do with their own settings; people's are without number."""
    rows = session.scalars(
        select(MeasuredSpeed).where(
            MeasuredSpeed.seconds > 0, ~MeasuredSpeed.workload.contains(SETTINGS_MARK)
        )
    )
    return {(row.device, row.workload): row.units / row.seconds for row in rows}


def _age(now: datetime, then: datetime | None) -> float:
    # Never below 0: a clock may have been set back, and the oldest may be of this moment.
    return 0.0 if then is None else max(timedelta(0), now - then).total_seconds()


def paused_by_code(workers: Sequence[WorkerSeen]) -> Counter[str]:
    """Return how many workers begin nothing, by the code with which their reason begins."""
    return Counter(worker.paused.split(":", 1)[0] for worker in workers if worker.paused)
