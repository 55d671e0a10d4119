"""What is asked and answered about limits and usage."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

_Most = Field(default=None, ge=1, le=2**53 - 1)


class ChosenLimits(BaseModel):
    """Limits that an administrator chooses. They can only be lower than the operator's."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    requests_per_minute: int | None = _Most
    upload_bytes_per_day: int | None = _Most
    """Days and months are those of UTC."""
    unfinished_jobs: int | None = _Most
    """Jobs that wait or run, the reading of uploads included."""
    gpu_minutes_per_day: int | None = _Most
    gpu_minutes_per_month: int | None = _Most

    def numbers(self) -> dict[str, int]:
        """Return those that were given."""
        return self.model_dump(exclude_none=True)


class LimitsRequest(BaseModel):
    """Limits of the workspace that are to change (RFC 7396): null takes one back."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    limits: ChosenLimits
    """Those that are left out stay as they are."""


class LimitView(BaseModel):
    """One limit, and how much of it is used now."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    name: Literal[
        "requests_per_minute",
        "upload_bytes_per_day",
        "unfinished_jobs",
        "gpu_minutes_per_day",
        "gpu_minutes_per_month",
    ]
    scope: Literal["key", "workspace"]
    """Whose use is counted: that of the key that asks, or of its whole workspace."""
    limit: int
    used: float
    """GPU minutes with those of steps that are at work."""
    left: float
    frees_at: datetime | None
    """When some of it, or with days and months all, is free again; null: nobody knows."""


class LimitsView(BaseModel):
    """Every limit that holds for the key that asks. What is not named has none."""

    items: list[LimitView]


class UsageView(BaseModel):
    """What was used on a day."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    day: date
    """Of UTC."""
    kind: Literal["upload_bytes", "gpu_seconds", "cpu_seconds"]
    """Time is booked when a step ends, to the days on which it ran."""
    actor: str | None
    """Id of the key or person, for administrators; null: all together."""
    amount: float


class UsageList(BaseModel):
    """What was used, by day and kind."""

    items: list[UsageView]
