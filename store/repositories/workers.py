"""The workers of the whole house, as one workspace may see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.step_tables import Step
from store.tables import WorkerSeen
from store.workers import WorkerRegister


@dataclass(frozen=True)
class StepAtWork:
    """A step that a worker holds.

    Attributes:
        job_id: Its job.
        name: Of the step: ``train:infogan:50:s0``.
        kind: Of the step.
    """

    job_id: str
    name: str
    kind: str


@dataclass(frozen=True)
class WorkerAtWork:
    """A worker, and what it does.

    Attributes:
        row: Its last sign of life.
        is_silent: Whether that is so long ago that it counts as gone.
        is_busy: Whether it holds a step, whosever.
        step: Of this workspace, the one that it began last; null: none.
    """

    row: WorkerSeen
    is_silent: bool
    is_busy: bool
    step: StepAtWork | None


class WorkerRepository:
    """Workers, which all workspaces share, with the steps of one workspace alone."""

    def __init__(self, session: Session, workspace_id: str) -> None:
        self._session = session
        self._workspace_id = workspace_id

    def all(self, silent_seconds: float) -> Sequence[WorkerAtWork]:
        """Return every worker that has not said goodbye, the latest seen first.

        Args:
            silent_seconds: Without a sign of life for that long, a worker counts as gone.
        """
        register = WorkerRegister(self._session)
        rows = register.all()
        living = {row.id for row in register.living(silent_seconds)}
        steps, busy = self._at_work([row.id for row in rows])
        return [
            WorkerAtWork(row, row.id not in living, row.id in busy, steps.get(row.id))
            for row in rows
        ]

    def _at_work(self, worker_ids: list[str]) -> tuple[dict[str, StepAtWork], set[str]]:
        """Return the steps of this workspace by their worker, and every worker that has any."""
        held = self._session.execute(
            select(Step.worker_id, Step.workspace_id, Step.job_id, Step.name, Step.kind)
            .where(Step.status == "running", Step.worker_id.in_(worker_ids))
            .order_by(Step.started_at)
        ).all()
        # Of several the last one stays.
        steps = {
            worker_id: StepAtWork(job_id, name, kind)
            for worker_id, workspace_id, job_id, name, kind in held
            if worker_id is not None and workspace_id == self._workspace_id
        }
        return steps, {worker_id for worker_id, *_ in held if worker_id is not None}
