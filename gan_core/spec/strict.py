"""What all models of a spec have in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """Refuses unknown fields, so that a typing error is never ignored."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)
