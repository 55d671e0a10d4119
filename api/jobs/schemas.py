"""What is answered about jobs."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

from gan_core.spec import PlannedStep
from gan_core.spec.speeds import TYPICAL
from store.step_tables import Step, StepStatus
from store.tables import Job, JobKind, JobStatus


class _View(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


class ProgressView(_View):
    """How far a job is."""

    fraction: float
    """In [0, 1], weighted by what the steps cost; reused steps cost nothing."""
    stage: str | None
    """Kind of the step that is running, or ``waiting for a worker``; null before the first."""
    detail: str | None
    eta_seconds: float | None


class JobErrorView(_View):
    """Why a job failed."""

    code: str
    detail: str
    hint: str = ""
    step: str | None = None


class JobView(_View):
    """A job as it stands."""

    id: str
    kind: JobKind
    """``study``: what was submitted; ``images``: images from a model; ``ingest``: the reading of an
    upload."""
    name: str
    dataset_id: str
    status: JobStatus
    progress: ProgressView
    error: JobErrorView | None
    """Why it failed; null for a job that has not."""
    failures: list[JobErrorView]
    """Steps that failed. A job that has succeeded all the same did without their columns."""
    retry_of: str | None
    """The job of which this one is another try."""
    spec: dict[str, Any]
    """With every default filled in: a `JobSpec`, or an `ImagesSpec` and its `model_id`."""
    requested: dict[str, Any]
    """As it was sent."""
    advice: list[str]
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    links: dict[str, str]

    @classmethod
    def of(cls, row: Job) -> Self:
        """Return the view of a row."""
        here = f"/v1/jobs/{row.id}"
        links = {"self": here, "dataset": f"/v1/datasets/{row.dataset_id}"}
        parts = ["steps", "events", "log", "cancel", "artifacts"]
        if row.kind == "study":
            parts.append("results")
        if row.kind != "ingest":
            parts.append("retry")
        links |= {part: f"{here}/{part}" for part in parts}
        if row.kind == "images":
            links["model"] = f"/v1/models/{row.resolved['model_id']}"
        return cls(
            id=row.id,
            kind=row.kind,
            name=row.name,
            dataset_id=row.dataset_id,
            status=row.status,
            progress=ProgressView(
                fraction=row.fraction,
                stage=row.stage,
                detail=row.detail,
                eta_seconds=row.eta_seconds,
            ),
            error=JobErrorView.model_validate(row.error) if row.error else None,
            failures=[JobErrorView.model_validate(failure) for failure in row.failures or []],
            retry_of=row.retry_of,
            spec=row.resolved,
            requested=row.spec,
            advice=row.advice,
            created_at=row.created_at,
            started_at=row.started_at,
            finished_at=row.finished_at,
            links=links,
        )


class StepErrorView(JobErrorView):
    """Why a step failed, and what it can show for it."""

    evidence: dict[str, Any] | None = None
    """``history``: the losses of a training that diverged, up to where it was given up."""


class StepView(_View):
    """A step of a job as it stands."""

    name: str
    kind: str
    queue: str
    status: StepStatus
    """``pending`` for another step, ``queued`` for a worker, ``running``; ``skipped``: a step that
    it needs has failed."""
    needs: list[str]
    """Names of the steps that must be over before it can begin."""
    attempt: int
    fraction: float
    detail: str | None
    """What it is doing; null unless it is running."""
    is_reused: bool
    key: str
    """Hash of everything that can change its outputs."""
    estimate_seconds: float
    error: StepErrorView | None
    queued_at: datetime | None
    """Since when it waits for a worker, or until it was begun waited."""
    started_at: datetime | None
    finished_at: datetime | None

    @classmethod
    def of(cls, row: Step, needs: list[str]) -> Self:
        """Return the view of a row."""
        return cls(
            name=row.name,
            kind=row.kind,
            queue=row.queue,
            status=row.status,
            needs=needs,
            attempt=row.attempt,
            fraction=row.fraction,
            detail=row.detail if row.status == "running" else None,
            is_reused=row.reused_from is not None,
            key=row.key,
            estimate_seconds=row.estimate_seconds,
            error=StepErrorView.model_validate(row.error) if row.error else None,
            queued_at=row.queued_at,
            started_at=row.started_at,
            finished_at=row.finished_at,
        )


class StepList(_View):
    """A job's steps in the plan's order."""

    items: list[StepView]


class PlannedStepView(_View):
    """A step that a job would have."""

    name: str
    kind: str
    queue: str
    key: str
    needs: list[str]
    estimate_seconds: float
    estimate_source: str
    """``measured on …`` (the device, the day), or ``typical of two CPU cores``."""
    is_reused: bool
    """Whether a finished step would be reused, so that this one costs nothing."""

    @classmethod
    def of(cls, step: PlannedStep, *, is_reused: bool) -> Self:
        """Return the view of a planned step."""
        return cls(
            name=step.name,
            kind=step.kind,
            queue=step.queue,
            key=step.key,
            needs=step.needs(),
            estimate_seconds=step.estimate_seconds,
            estimate_source=step.estimate_source,
            is_reused=is_reused,
        )


class EstimateView(_View):
    """How long a job would take, and how that is known."""

    seconds: float
    """Of the steps that are not reused, one after the other."""
    source: str
    """What most of those seconds were reckoned with: ``measured on …``, or ``typical of two CPU
    cores``."""
    measured_share: float
    """Of the seconds, in [0, 1], what was reckoned with a measurement."""

    @classmethod
    def of(cls, steps: list[PlannedStepView]) -> Self:
        """Return the estimate of a plan's steps."""
        seconds: dict[str, float] = {}
        for step in steps:
            if not step.is_reused:
                source = step.estimate_source
                seconds[source] = seconds.get(source, 0.0) + step.estimate_seconds
        total = sum(seconds.values())
        return cls(
            seconds=total,
            source=max(seconds, key=lambda source: seconds[source], default=TYPICAL),
            measured_share=1 - seconds.get(TYPICAL, 0.0) / total if total else 0.0,
        )


class PlannedJobView(_View):
    """What a job would be; nothing was started."""

    spec: dict[str, Any]
    """With every default filled in."""
    steps: list[PlannedStepView]
    estimate_seconds: float
    """Of the steps that are not reused, one after the other; the same as ``estimate.seconds``."""
    estimate: EstimateView
    advice: list[str]
