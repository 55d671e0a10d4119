"""What is answered about the audit trail."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict

from store.repositories.audit import as_line
from store.tables import AuditEvent


class AuditLine(BaseModel):
    """One line of the trail. `docs/audit.md` says how to compute its hash."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    workspace_id: str
    number: int
    """1, 2, 3, … without a gap."""
    at: str
    """ISO 8601 in UTC with microseconds, to the letter as it went into the hash."""
    actor: str
    """Id of the key or person; `system` for the service itself."""
    action: str
    """`job.submit`, `artifact.download`, …"""
    subject: str
    """Id of what it was done with."""
    detail: dict[str, Any]
    prev_hash: str
    """Hash of the line before; of the first, 64 zeros."""
    hash: str
    """SHA-256, hex."""

    @classmethod
    def of(cls, row: AuditEvent) -> Self:
        """Return the view of a row."""
        return cls(**as_line(row))


class AuditPage(BaseModel):
    """Some lines, and where the next ones begin."""

    items: list[AuditLine]
    next_cursor: str | None = None
