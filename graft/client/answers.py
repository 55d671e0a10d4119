"""What all answers of the service have in common."""

from __future__ import annotations

from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict

ItemT = TypeVar("ItemT")


CONFIG = ConfigDict(extra="ignore", use_attribute_docstrings=True, frozen=True)
"""Fields that a newer service adds are ignored."""


class Page(BaseModel, Generic[ItemT]):
    """One page of a list."""

    model_config = CONFIG

    items: list[ItemT]
    next_cursor: str | None = None
    """Give it back as ``cursor`` for the next page; null on the last."""
