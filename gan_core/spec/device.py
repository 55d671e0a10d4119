"""What planning has to know of the machine on which a job would run."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class DeviceFacts(BaseModel):
    """A device on which steps are carried out."""

    model_config = ConfigDict(extra="ignore", use_attribute_docstrings=True)

    kind: Literal["cpu", "gpu"]
    name: str = Field(min_length=1, max_length=200)
    """As its maker calls it, and the threads of a CPU: ``AMD EPYC 9454, 2 threads``. What was
    measured on one device is looked up by its name."""
    memory_bytes: int | None = Field(default=None, ge=0)
    """Of the GPU itself, or of the machine for a CPU; null: not known."""
    threads: int | None = Field(default=None, ge=1)
    """Of a CPU, that a step computes with."""

    def is_better_than(self, other: DeviceFacts) -> bool:
        """Say whether one would rather train on this one: a GPU, the one with more memory."""
        mine, theirs = self._rank(), other._rank()
        return mine > theirs

    def _rank(self) -> tuple[bool, int, int]:
        return (self.kind == "gpu", self.memory_bytes or 0, self.threads or 0)
