"""What the service answers. Fields that a newer service adds are ignored."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

ItemT = TypeVar("ItemT")

TERMINAL_JOB_STATES = frozenset({"succeeded", "failed", "cancelled"})


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore", use_attribute_docstrings=True, frozen=True)


class Page(_Answer, Generic[ItemT]):
    """One page of a list."""

    items: list[ItemT]
    next_cursor: str | None = None
    """Give it back as ``cursor`` for the next page; null on the last."""


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
    image_size: int | None = None
    """Side in pixels to which the images are brought."""
    digest: str | None = None
    """Of the pixels, labels and classes that were read; null until it is ready."""
    classes: dict[str, dict[str, int]] | None = None
    """``{"malignant": {"train": 963, "test": 234}}``; null until it is ready."""
    problems: list[DatasetProblem] = []
    created_at: datetime | None = None

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
    part_size: int
    sha256: str | None = None
    dataset_id: str | None = None
    parts: list[UploadedPart] = []


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
    status: Literal["queued", "running", "cancelling", "succeeded", "failed", "cancelled"]
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
    advice: list[str] = []
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def is_over(self) -> bool:
        """Whether its state is final."""
        return self.status in TERMINAL_JOB_STATES


class PlannedStep(_Answer):
    """One step of a dry run."""

    name: str
    kind: str
    queue: str | None = None
    estimate_seconds: float | None = None
    estimate_source: str | None = None
    """What it was reckoned with: ``measured on …``, or ``typical of two CPU cores``."""
    is_reused: bool | None = None


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
    kind: str
    name: str
    media_type: str = "application/octet-stream"
    size: int = Field(ge=0)
    """Bytes."""
    sha256: str
    """Hex."""
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
    training: dict[str, Any] = {}
    quality: dict[str, Any] | None = None
    """Figures of its images' quality; null: none were taken."""
    card: dict[str, Any] = {}
    links: dict[str, str] = {}


class AuditLine(_Answer):
    """One line of the audit trail."""

    workspace_id: str
    number: int
    at: str
    """ISO 8601 in UTC, to the letter as it went into the hash."""
    actor: str
    """Id of the key or person; ``system``: the service itself."""
    action: str
    subject: str
    detail: dict[str, Any] = {}
    prev_hash: str
    hash: str


class Limit(_Answer):
    """One limit, and how much of it is used now."""

    name: str
    scope: str
    """``key`` or ``workspace``: whose use is counted."""
    limit: int
    used: float
    left: float
    frees_at: datetime | None = None


class Used(_Answer):
    """What was used on a day (UTC)."""

    day: str
    kind: str
    """``upload_bytes``, ``gpu_seconds``, ``cpu_seconds``."""
    actor: str | None = None
    """Id of the key or person, for administrators; None: all together."""
    amount: float


class Key(_Answer):
    """An API key, without the key itself."""

    id: str
    name: str = ""
    scopes: list[str] = []
    created_at: datetime | None = None
    expires_at: datetime | None = None
    last_used_at: datetime | None = None


class NewKey(Key):
    """A key that was made just now; ``key`` is never shown again."""

    key: str
