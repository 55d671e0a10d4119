"""What the service answers about data sets, jobs and what they leave."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from graft.client.answers import CONFIG

JobStatus = Literal["queued", "running", "cancelling", "succeeded", "failed", "cancelled"]
TERMINAL_JOB_STATES = frozenset({"succeeded", "failed", "cancelled"})


class _Answer(BaseModel):
    model_config = CONFIG


class DatasetProblem(_Answer):
    """Something about an upload that its owner should know."""

    code: str
    detail: str
    hint: str = ""
    entry: int | None = None
    """Number of the zip's entry, from 1."""


class Dataset(_Answer):
    """An uploaded data set."""

    id: str
    name: str = ""
    status: Literal["ingesting", "ready", "rejected"]
    sha256: str | None = None
    """Of the upload, hex."""
    size: int = 0
    """Bytes of the upload."""
    image_size: int | None = None
    """Side in pixels to which the images are brought."""
    digest: str | None = None
    """Of the pixels, labels and classes that were read; null until it is ready."""
    classes: dict[str, dict[str, int]] | None = None
    """``{"malignant": {"train": 963, "test": 234}}``; null until it is ready."""
    problems: list[DatasetProblem] = []
    created_at: datetime | None = None
    ready_at: datetime | None = None
    links: dict[str, str] = {}

    @property
    def is_settled(self) -> bool:
        """Whether ingesting has ended, well or not."""
        return self.status != "ingesting"


class UploadedPart(_Answer):
    """A part of an upload that has arrived whole."""

    number: int
    size: int
    sha256: str


class Upload(_Answer):
    """An archive on its way in parts."""

    id: str
    status: Literal["open", "completed", "aborted"]
    size: int
    """Bytes of the whole."""
    part_size: int
    """Bytes of every part but the last."""
    part_count: int = 0
    sha256: str | None = None
    """Of the whole, hex, as it was said to be."""
    media_type: str = "application/zip"
    dataset_id: str | None = None
    parts: list[UploadedPart] = []
    """Those that have arrived; in a list of uploads always empty."""
    created_at: datetime | None = None
    expires_at: datetime | None = None
    """When it is deleted if nobody goes on with it."""
    links: dict[str, str] = {}


class JobProgress(_Answer):
    """How far a job is."""

    fraction: float = 0.0
    """In [0, 1]."""
    stage: str | None = None
    """Kind of the step that is running: ``train``, ``upscale``, ...; or that none is."""
    detail: str | None = None
    eta_seconds: float | None = None


class JobError(_Answer):
    """Why a job failed."""

    code: str
    detail: str
    hint: str | None = None
    step: str | None = None
    """Name of the step that failed."""


class Job(_Answer):
    """A job as it stands."""

    id: str
    status: JobStatus
    kind: str = "study"
    """``study``: what was submitted; ``images``: images from a model; ``ingest``: the reading of an
    upload."""
    name: str | None = None
    dataset_id: str | None = None
    progress: JobProgress = JobProgress()
    error: JobError | None = None
    failures: list[JobError] = []
    """Steps that failed; a job that has succeeded all the same did without their columns."""
    retry_of: str | None = None
    """The job of which this one is another try."""
    spec: dict[str, Any] | None = None
    """With every default filled in."""
    requested: dict[str, Any] = {}
    """As it was asked for."""
    advice: list[str] = []
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    links: dict[str, str] = {}

    @property
    def is_over(self) -> bool:
        """Whether its state is final."""
        return self.status in TERMINAL_JOB_STATES


class StepError(JobError):
    """Why a step failed."""

    evidence: dict[str, Any] | None = None
    """What it left for whoever looks into it: the curves of a training that diverged."""


class Step(_Answer):
    """One step of a job."""

    name: str
    kind: str
    queue: str | None = None
    status: str
    needs: list[str] = []
    """Names of the steps before it."""
    attempt: int = 0
    fraction: float = 0.0
    """In [0, 1]."""
    detail: str | None = None
    """What it is doing; None unless it is running."""
    is_reused: bool = False
    """Whether an earlier job had done it already."""
    key: str = ""
    """Hash of its inputs."""
    estimate_seconds: float | None = None
    error: StepError | None = None
    queued_at: datetime | None = None
    """Since when it waits for a worker, or until it was begun waited."""
    started_at: datetime | None = None
    finished_at: datetime | None = None


class Steps(_Answer):
    """A job's steps."""

    items: list[Step]


class PlannedStep(_Answer):
    """One step of a dry run."""

    name: str
    kind: str
    queue: str | None = None
    estimate_seconds: float | None = None
    estimate_source: str | None = None
    """What it was reckoned with: ``measured on …``, or ``typical of two CPU cores``."""
    is_reused: bool | None = None
    key: str = ""
    """Hash of its inputs."""
    needs: list[str] = []
    """Names of the steps before it."""


class Estimate(_Answer):
    """How long a job would take, and how that is known."""

    seconds: float
    source: str
    """What most of the seconds were reckoned with."""
    measured_share: float = 0.0
    """Of the seconds, in [0, 1]."""


class PlannedJob(_Answer):
    """What a dry run answers: nothing was started."""

    steps: list[PlannedStep]
    estimate_seconds: float
    estimate: Estimate | None = None
    """Null: from a service of an older version."""
    advice: list[str] = []
    spec: dict[str, Any] | None = None


class Event(_Answer):
    """One server-sent event of a job."""

    id: str | None = None
    """Give the last one back to go on from there."""
    event: str = "message"
    data: dict[str, Any] = {}


class Artifact(_Answer):
    """A file that a job left."""

    id: str
    job_id: str = ""
    kind: str
    name: str
    media_type: str = "application/octet-stream"
    size: int = Field(ge=0)
    """Bytes."""
    sha256: str
    """Hex."""
    created_at: datetime | None = None
    removed_at: datetime | None = None
    """When the service deleted the file, having kept it long enough; null: it is there."""
    links: dict[str, str] = {}


class Model(_Answer):
    """A trained generator; the card's parts are there when it was asked for alone."""

    id: str
    job_id: str = ""
    """The study that trained it."""
    dataset_id: str = ""
    gan: str
    image_size: int
    """Side in pixels of the images that it makes."""
    rare_class: str = ""
    real_count: int
    """Real images that it was trained on."""
    subset: int = 0
    name: str = ""
    """Of its file."""
    size: int = 0
    """Bytes."""
    sha256: str
    created_at: datetime | None = None
    removed_at: datetime | None = None
    """When the service deleted its files, having kept them long enough; null: they are there."""
    categories: int = 0
    """Values of ``category`` that can be chosen, from 0; 0: it has none."""
    codes: int = 0
    """Continuous codes that can be chosen, each from -1 to 1; 0: it has none."""
    data_digest: str = ""
    """Of the images that it learned from."""
    settings: dict[str, Any] = {}
    training: dict[str, Any] = {}
    quality: dict[str, Any] | None = None
    """Figures of its images' quality; null: none were taken."""
    card: dict[str, Any] = {}
    links: dict[str, str] = {}
