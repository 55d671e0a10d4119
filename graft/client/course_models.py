"""What the service says of how a job's steps go: a training's course, and the job's log."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from graft.client.answers import CONFIG


class _Answer(BaseModel):
    model_config = CONFIG


class Judgement(_Answer):
    """What was found of a snapshot's samples, against the training images alone."""

    epoch: int
    step: int
    kid: float | None = None
    """Kernel distance to the training images; lower is nearer."""
    kid_sd: float | None = None
    density: float | None = None
    coverage: float | None = None
    copy_rate: float | None = None
    """Share of the samples that are near-copies of a training image, in [0, 1]."""
    authenticity: float | None = None
    score: float | None = None
    """What a snapshot is chosen by; lower is better."""
    is_copying: bool = False
    is_settled: bool = True


class Snapshot(_Answer):
    """A sheet of samples, of the same seeds in every snapshot."""

    number: int
    epoch: int
    step: int
    columns: int
    rows: int
    size: int
    """Of each sample, in pixels a side."""
    gap: int = 0
    """Between samples, in pixels."""
    links: dict[str, str] = {}


class Course(_Answer):
    """How a training goes, or went."""

    step: str
    """Name of the step."""
    epochs: int
    """That were asked for."""
    points: list[dict[str, float | None]] = []
    """``epoch``, and each loss' mean since the point before."""
    judgements: list[Judgement] = []
    chosen_epoch: int | None = None
    """Of the snapshot that is kept as it stands; None where the last state is kept."""
    ended_early: str | None = None
    """``plateau`` or ``copying``."""
    notices: list[str] = []
    """What went wrong on the way and was mended."""
    snapshots: list[Snapshot] = []
    is_final: bool = False


class LogLine(_Answer):
    """Something that a step has told."""

    id: int
    at: datetime
    step: str
    """Name of the step."""
    attempt: int = 0
    level: Literal["info", "warning", "error"] | str = "info"
    """A newer service may know others."""
    text: str


class LogPage(_Answer):
    """Some lines of a job's log."""

    items: list[LogLine]
    next_cursor: str | None = None
    """The oldest first, it is always there: given again later, it gives what came since."""
