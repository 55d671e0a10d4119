"""The state of everything at one moment, and what may be begun then: read, and reasoned, anew.

Nothing here uses the store's own queries: it is what they are held against.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from sqlalchemy import select

from store.clock import SLACK
from store.database import Database
from store.fairness import LONGEST_PAUSE
from store.step_tables import FINAL_STEP_STATES, OutboxRow, Step, StepDependency
from store.tables import FINAL_JOB_STATES, Artifact, Dataset, Job

NEVER = frozenset({"failed", "skipped", "cancelled"})
INTERACTIVE = 10


@dataclass(frozen=True)
class Look:
    """Every row of the tables that matter, as they were at a moment."""

    at: datetime
    jobs: Mapping[str, Any]
    steps: Mapping[str, Any]
    needs: Mapping[str, Sequence[tuple[str, int | None]]]
    """Step id → ids of the steps that it needs, with the soft group."""
    artifacts: Sequence[Any]
    datasets: Mapping[str, Any]
    unsent: int

    @cached_property
    def steps_by_job(self) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = {job_id: [] for job_id in self.jobs}
        for step in self.steps.values():
            found[step.job_id].append(step)
        return found

    def is_over(self) -> bool:
        """Say whether every job has ended."""
        return all(job.status in FINAL_JOB_STATES for job in self.jobs.values())

    def is_ready(self, step_id: str) -> bool:
        """Say whether a step's hard needs have succeeded, and its soft ones are over."""
        return not self.is_hopeless(step_id) and all(
            self.steps[needed].status == "succeeded"
            if group is None
            else self.steps[needed].status in FINAL_STEP_STATES
            for needed, group in self.needs.get(step_id, ())
        )

    def is_hopeless(self, step_id: str) -> bool:
        """Say whether a hard need, or every need of a soft group above 0, came to nothing."""
        groups: dict[int, set[str]] = {}
        for needed, group in self.needs.get(step_id, ()):
            status = self.steps[needed].status
            if group is None and status in NEVER:
                return True
            if group:
                groups.setdefault(group, set()).add(status)
        return any(found <= NEVER for found in groups.values())

    def last_steps(self, job_id: str) -> list[Any]:
        """Return the steps of a job that no other step reads."""
        mine = self.steps_by_job[job_id]
        read = {needed for step in mine for needed, _ in self.needs.get(step.id, ())}
        return [step for step in mine if step.id not in read]

    def claimable(self, queue: str) -> list[Any]:
        """Return the steps of a queue that a worker could begin."""
        busy = {(s.workspace_id, s.key) for s in self.steps.values() if s.status == "running"}
        return [
            step
            for step in self.steps.values()
            if step.status == "queued"
            and step.queue == queue
            and (step.available_at is None or self.is_due(step.available_at))
            and self.jobs[step.job_id].status in {"queued", "running"}
            and (step.workspace_id, step.key) not in busy
        ]

    def is_due(self, at: datetime) -> bool:
        """Say whether a pause is over, or so long that a clock must have been set back since."""
        return at <= self.at or at > self.at + SLACK + timedelta(seconds=LONGEST_PAUSE)

    def waited_for(self, queue: str) -> Counter[str]:
        """Return how many steps that somebody waits for run for each workspace."""
        return Counter(
            step.workspace_id
            for step in self.steps.values()
            if step.status == "running"
            and step.queue == queue
            and self.jobs[step.job_id].priority >= INTERACTIVE
        )

    def running_by_workspace(self, queue: str) -> Counter[str]:
        """Return how many steps of a queue run for each workspace."""
        return Counter(
            step.workspace_id
            for step in self.steps.values()
            if step.status == "running" and step.queue == queue
        )


def look(database: Database, at: datetime) -> Look:
    """Read everything in one transaction."""
    with database.read() as session:
        needs: dict[str, list[tuple[str, int | None]]] = {}
        for row in session.execute(select(StepDependency.__table__)):
            needs.setdefault(row.step_id, []).append((row.needs_id, row.soft_group))
        return Look(
            at=at,
            jobs={row.id: row for row in session.execute(select(Job.__table__).order_by(Job.id))},
            steps={
                row.id: row
                for row in session.execute(
                    select(Step.__table__).order_by(Step.job_id, Step.position)
                )
            },
            needs=needs,
            artifacts=session.execute(select(Artifact.__table__)).all(),
            datasets={row.id: row for row in session.execute(select(Dataset.__table__))},
            unsent=len(
                session.execute(select(OutboxRow.id).where(OutboxRow.sent_at.is_(None))).all()
            ),
        )


def assert_fair(listed: Look, taken_id: str, queue: str, tried_jobs: frozenset[str]) -> None:
    """Check that no workspace with fewer steps at work was passed over.

    Args:
        listed: What there was when the worker looked.
        taken_id: The step that it then took.
        queue: The worker's.
        tried_jobs: Jobs whose step it tried first, in vain: it goes down its list.
    """
    at_work, waited_for = listed.running_by_workspace(queue), listed.waited_for(queue)

    def place(step: Any) -> tuple[bool, int]:
        # Of what somebody waits for, one at a time of each workspace goes before everything.
        goes_first = listed.jobs[step.job_id].priority >= INTERACTIVE
        return (
            not (goes_first and not waited_for[step.workspace_id]),
            at_work[step.workspace_id],
        )

    taken = listed.steps[taken_id]
    for other in listed.claimable(queue):
        if other.job_id in tried_jobs:
            continue
        assert place(taken) <= place(other), f"{taken_id} was taken before {other.id}"
        if other.workspace_id == taken.workspace_id:
            mine, its = (listed.jobs[step.job_id].priority for step in (taken, other))
            assert mine >= its, f"{taken_id} was taken before {other.id} of a higher priority"
