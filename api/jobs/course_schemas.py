"""What is answered about the course of a training."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class _View(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


class JudgementView(_View):
    """What was found of a snapshot's samples, against the training images alone.

    None of these figures says how good the images are: a snapshot was chosen by them.
    """

    epoch: int
    step: int
    kid: float | None = None
    """Kernel distance to the training images; lower is nearer."""
    kid_sd: float | None = None
    """Its standard deviation over subsets."""
    density: float | None = None
    coverage: float | None = None
    """Share of the training images that a sample comes near to, in [0, 1]."""
    copy_rate: float | None = None
    """Share of the samples that are near-copies of a training image, in [0, 1]."""
    authenticity: float | None = None
    score: float | None = None
    """What a snapshot is chosen by; lower is better."""
    is_copying: bool = False
    is_settled: bool = True
    """Whether the generator made what it is to make in the end; until then none is chosen."""


class SnapshotFile(_View):
    """A snapshot as a worker describes it."""

    number: int
    """From 0, in order."""
    epoch: int
    """Epochs done."""
    step: int
    """Steps done."""
    columns: int
    rows: int
    size: int
    """Of each sample, in pixels a side."""
    gap: int = 0
    """Between samples, in pixels."""


class SnapshotView(SnapshotFile):
    """A sheet of samples, of the same seeds in every snapshot."""

    links: dict[str, str]


class _Course(_View):
    epochs: int
    """That were asked for."""
    points: list[dict[str, float | None]]
    """In order; ``epoch`` (epochs done), and each loss' mean since the point before."""
    judgements: list[JudgementView]
    chosen_epoch: int | None = None
    """Of the snapshot that is kept as it stands; null where the last state is kept."""
    ended_early: Literal["plateau", "copying"] | None = None
    """Why the training ended before its last epoch."""
    notices: list[str] = Field(default_factory=list)
    """What went wrong on the way and was mended, a sentence each."""


class CourseFile(_Course):
    """A course as a worker writes it (``gan_core.steps.live``)."""

    snapshots: list[SnapshotFile]

    def view(self, job_id: str, step: str, *, is_final: bool) -> CourseView:
        """Return the answer about a step."""
        here = f"/v1/jobs/{job_id}/steps/{step}/course"
        given: dict[str, Any] = self.model_dump(exclude={"snapshots"})
        return CourseView(
            step=step,
            is_final=is_final,
            snapshots=[
                SnapshotView(
                    **one.model_dump(), links={"content": f"{here}/snapshots/{one.number}"}
                )
                for one in self.snapshots
            ],
            **given,
        )


class CourseView(_Course):
    """The course of a training: its curves, and its snapshots."""

    step: str
    """Name of the step."""
    snapshots: list[SnapshotView]
    is_final: bool
    """Whether the step is over, so that no more will come."""
