"""What is asked and answered about keys."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator

from api.auth import Scope
from api.limits.schemas import ChosenLimits
from store.tables import ApiKey


class KeyRequest(BaseModel):
    """A key that is asked for."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    name: str = Field(min_length=1, max_length=200)
    """Whom or what it is for."""
    scopes: list[Scope] = Field(default=["researcher"], min_length=1, max_length=3)
    """``admin`` includes ``researcher``, which includes ``reader``."""
    expires_at: AwareDatetime | None = None
    """Null: never."""
    limits: ChosenLimits | None = None
    """What this key alone may use, where that is less than its workspace may."""

    @field_validator("expires_at")
    @classmethod
    def _has_a_place_in_utc(cls, moment: datetime | None) -> datetime | None:
        try:
            return None if moment is None else moment.astimezone(UTC)
        except OverflowError:
            raise ValueError("lies beyond the years that can be stored") from None


class RotationRequest(BaseModel):
    """How a key is to be replaced."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    overlap_seconds: int = Field(default=24 * 3600, ge=0, le=30 * 24 * 3600)
    """How much longer the old key works, if it does not run out before; 0: not at all."""


class KeyView(BaseModel):
    """A key, without the key itself."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: str
    name: str
    prefix: str
    """The part after ``graft_``, by which a key can be told without being known."""
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None
    limits: dict[str, int] = {}
    """What this key alone may use; what is not named is shared with the workspace."""
    replaces: str | None
    """The key of which this one is the rotation."""

    @classmethod
    def of(cls, row: ApiKey, **more: Any) -> Self:
        """Return the view of a row."""
        return cls(
            id=row.id,
            name=row.name,
            prefix=row.prefix,
            scopes=row.scopes,
            created_at=row.created_at,
            expires_at=row.expires_at,
            last_used_at=row.last_used_at,
            revoked_at=row.revoked_at,
            limits=row.limits or {},
            replaces=row.replaces,
            **more,
        )


class NewKeyView(KeyView):
    """A key that was made just now."""

    key: str
    """Shown once: it is kept nowhere."""
