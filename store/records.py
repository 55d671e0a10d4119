"""Plain values that pass between the store and those who work on steps."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from gan_core.spec import DatasetFacts

INTERNAL = "internal"
"""Kind of an output that other steps read and that is no artifact."""


@dataclass(frozen=True)
class Output:
    """A file that a step made, already uploaded below the attempt's prefix."""

    name: str
    kind: str
    media_type: str
    size: int
    sha256: str


@dataclass(frozen=True)
class StepError:
    """Why a step failed, for the person who asked."""

    code: str
    detail: str
    hint: str = ""
    evidence: dict[str, Any] | None = None
    """What the step can show for it, such as the curves of a training that diverged."""

    def described(self) -> dict[str, Any]:
        """Return it as JSON, without evidence where there is none."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class Ingested:
    """What reading an upload found."""

    facts: DatasetFacts
    problems: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class InputPart:
    """An object that is one part of a file."""

    object_key: str
    size: int
    sha256: str


@dataclass(frozen=True)
class InputFile:
    """A file that a step reads."""

    name: str
    object_key: str
    size: int
    sha256: str
    parts: tuple[InputPart, ...] = ()
    """The objects that it is put together from, in order; none: it is one object."""


@dataclass(frozen=True)
class Lease:
    """The answer to a heartbeat.

    ``held`` is false when another worker has the step: its child must be ended and nothing more
    recorded. ``stop`` is true when the job was cancelled or has failed.
    """

    held: bool
    stop: bool


@dataclass(frozen=True)
class ClaimedStep:
    """Everything a worker needs to carry out a step that it holds."""

    id: str
    job_id: str
    workspace_id: str
    dataset_id: str
    name: str
    kind: str
    queue: str
    key: str
    params: dict[str, Any]
    attempt: int
    token: str
    output_prefix: str
    """Outputs are uploaded to this + their name; no other attempt has the same."""
    inputs: dict[str, tuple[InputFile, ...]]
    """Files by the input's label."""
    step_keys: dict[str, str]
    """Key of every step of the job by name."""
    dataset: DatasetFacts | None
    """Null while the data set is being ingested."""
    job_created_at: datetime
    request_id: str | None = None
    """Of the request that asked for the job."""
    traceparent: str | None = None
    """Of that request; what is done for the step belongs below it."""
