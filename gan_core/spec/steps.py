"""What a plan is made of: steps, where they read from, and the keys by which they are used again.

A step's key is the hash of everything that can change its outputs: its kind and that kind's code
version, its parameters, the data set's digest and the keys of the steps it reads from. A finished
step with the same key can be reused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from gan_core.spec.speeds import TYPICAL

StepKind = Literal[
    "ingest",
    "features",
    "pretrain",
    "train",
    "generate",
    "screen",
    "upscale",
    "augment",
    "control",
    "inspect",
    "evaluate",
    "report",
    "package",
    "draw",
]
Queue = Literal["gpu", "interactive", "cpu"]
"""Of the workers that a step is for. ``interactive``: a person waits for it at the screen, and it
needs no GPU; see ``store.doorbell``."""

# Raise a number when a change to that part of the code can change its outputs: finished steps of
# the version before are then no longer reused.
STEP_VERSIONS: dict[StepKind, int] = {
    "ingest": 3,
    "features": 2,
    "pretrain": 1,
    "train": 4,
    "generate": 2,
    "screen": 1,
    "upscale": 1,
    "augment": 1,
    "control": 1,
    "inspect": 2,
    "evaluate": 4,
    "report": 7,
    "package": 4,
    "draw": 0,
}
# It trains, too: what alters a training alters what it leaves.
STEP_VERSIONS["pretrain"] += STEP_VERSIONS["train"]
# It is these three in one.
STEP_VERSIONS["draw"] = sum(STEP_VERSIONS[kind] for kind in ("generate", "upscale", "package"))


class _Plain(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class DatasetFacts(_Plain):
    """What planning has to know of a data set."""

    digest: str
    """Hash of the data set's pixels, labels and classes."""
    image_size: int
    classes: dict[str, dict[str, int]]
    """``{"malignant": {"train": 963, "test": 234}}``."""

    def train_counts(self) -> dict[str, int]:
        """Return the training images of each class."""
        return {name: splits.get("train", 0) for name, splits in self.classes.items()}

    def total(self) -> int:
        """Return the number of images in all classes and splits."""
        return sum(sum(splits.values()) for splits in self.classes.values())


class StepInput(_Plain):
    """Where a step finds one of its inputs: in the data set, or in another step's outputs."""

    source: Literal["dataset", "upload", "step"]
    step: str | None = None
    """Name of the step, when ``source`` is ``step``."""
    soft_group: int | None = None
    """Null: the step must have succeeded. 0: it may fail, and this input is then left out. 1, 2, …:
    the same, but of the inputs of each such group one at least must be there."""


class PlannedStep(_Plain):
    """One piece of work."""

    name: str
    """Unique within the plan: ``train:infogan:50:s0``."""
    kind: StepKind
    queue: Queue
    params: dict[str, Any]
    inputs: dict[str, StepInput] = Field(default_factory=dict)
    key: str
    """SHA-256, hex."""
    estimate_seconds: float
    """A weight for progress more than a promise; never part of the key."""
    estimate_source: str = TYPICAL
    """What the estimate was reckoned with, for a person."""
    workload: str | None = None
    """What its time goes into, by which finished steps tell how long others take; null: nothing
    that would tell."""
    units: float = 0.0
    """How many of the workload."""
    code_version: int = 0
    """Version of the code of its kind that the key was made with."""

    def needs(self) -> list[str]:
        """Return the names of the steps that must have finished first."""
        return sorted({i.step for i in self.inputs.values() if i.step is not None})

    def soft_group_of(self, needed: str) -> int | None:
        """Return what the failure of a needed step means; see ``StepInput.soft_group``."""
        groups = [i.soft_group for i in self.inputs.values() if i.step == needed]
        return None if None in groups else max(g for g in groups if g is not None)


def inputs_without(
    inputs: Mapping[str, StepInput], lost: Collection[str]
) -> dict[str, StepInput] | None:
    """Return what a step can read when other steps have left nothing.

    Args:
        inputs: Of the step, by label.
        lost: Names of steps that have failed, or that were skipped because of others.

    Returns:
        The inputs that are there; None when the step cannot be carried out without the others.
    """
    kept = {label: given for label, given in inputs.items() if given.step not in lost}
    missing = [given for label, given in inputs.items() if label not in kept]
    if any(given.soft_group is None for given in missing):
        return None
    needed = {given.soft_group for given in missing if given.soft_group}
    return kept if needed <= {given.soft_group for given in kept.values()} else None


def columns_lost_with(pretraining: str, sources: Mapping[str, Collection[str | None]]) -> list[str]:
    """Return the trainings that cannot be without a pretraining that failed.

    Args:
        pretraining: Its name.
        sources: For each step of the job, the names of the steps that it was to read from.

    Returns:
        Names (``train:fastgan:50:s0``), which say the columns; empty for a step of another kind,
        whose own name says all.
    """
    if not pretraining.startswith("pretrain:"):
        return []
    return sorted(
        name for name, read in sources.items() if name.startswith("train:") and pretraining in read
    )


class Plan(_Plain):
    """The graph of a job, in an order in which it can be carried out."""

    steps: list[PlannedStep]
    advice: list[str] = []
    """Sentences for the person who asked."""

    @property
    def estimate_seconds(self) -> float:
        """Sum over all steps, one after the other."""
        return sum(step.estimate_seconds for step in self.steps)


def folder_name(step_name: str) -> str:
    """Return the input's label, and so its folder, under which a step reads another's outputs."""
    return step_name.replace(":", "-")


def step_key(
    kind: StepKind,
    params: Mapping[str, Any],
    inputs: Mapping[str, str],
) -> str:
    """Return the key of a step.

    Args:
        kind: Its kind, which brings that kind's code version with it.
        params: Its parameters, as JSON values.
        inputs: For each input the key of the step, or the digest of the data set, it comes from.
    """
    canonical = json.dumps(
        {
            "kind": kind,
            "version": STEP_VERSIONS[kind],
            "params": params,
            "inputs": dict(sorted(inputs.items())),
        },
        sort_keys=True,
        separators=(",", ":"),
        allow_nan=False,
    )
    return hashlib.sha256(canonical.encode()).hexdigest()
