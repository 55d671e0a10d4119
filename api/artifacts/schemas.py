"""What is answered about artifacts."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from pydantic import BaseModel, ConfigDict

from store.tables import Artifact


class ArtifactView(BaseModel):
    """A file that a job left."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: str
    job_id: str
    kind: str
    """``synthetic-zip``, ``report-html``, ``results-json``, ``results-csv``, ``samples-png``,
    ``nearest-png``, …"""
    name: str
    media_type: str
    size: int
    """Bytes."""
    sha256: str
    """Hex."""
    created_at: datetime
    removed_at: datetime | None
    """When the file was deleted because it had been kept for long enough; null: it is there."""
    links: dict[str, str]

    @classmethod
    def of(cls, row: Artifact) -> Self:
        """Return the view of a row."""
        here = f"/v1/artifacts/{row.id}"
        return cls(
            id=row.id,
            job_id=row.job_id,
            kind=row.kind,
            name=row.name,
            media_type=row.media_type,
            size=row.size,
            sha256=row.sha256,
            created_at=row.created_at,
            removed_at=row.removed_at,
            links={
                "self": here,
                "content": f"{here}/content",
                "job": f"/v1/jobs/{row.job_id}",
            },
        )
