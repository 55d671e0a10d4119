"""What is answered about data sets."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from pydantic import BaseModel, ConfigDict

from api.datasets.previews import has_preview
from store.tables import Dataset, DatasetStatus


class DatasetProblem(BaseModel):
    """Something about an upload that its owner should know."""

    model_config = ConfigDict(extra="ignore", use_attribute_docstrings=True)

    code: str
    detail: str
    hint: str = ""
    entry: int | None = None
    """Number of the zip's entry, from 1; never its name."""


class DatasetView(BaseModel):
    """A data set."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: str
    name: str
    status: DatasetStatus
    sha256: str
    """Of the upload, hex."""
    size: int
    """Of the upload, in bytes."""
    image_size: int
    """Side in pixels to which the images are brought."""
    digest: str | None
    """Of the pixels, labels and classes that were read; null until it is ready."""
    classes: dict[str, dict[str, int]] | None
    """Images by class and split; null until it is ready."""
    problems: list[DatasetProblem]
    created_at: datetime
    ready_at: datetime | None
    links: dict[str, str]

    @classmethod
    def of(cls, row: Dataset) -> Self:
        """Return the view of a row."""
        facts = row.facts or {}
        links = {"self": f"/v1/datasets/{row.id}"}
        if row.job_id is not None:
            links["ingest"] = f"/v1/jobs/{row.job_id}"
        if has_preview(row.files):
            links["preview"] = f"/v1/datasets/{row.id}/preview"
        return cls(
            id=row.id,
            name=row.name,
            status=row.status,
            sha256=row.upload_sha256,
            size=row.upload_bytes,
            image_size=row.image_size,
            digest=facts.get("digest"),
            classes=facts.get("classes"),
            problems=[DatasetProblem.model_validate(problem) for problem in row.problems],
            created_at=row.created_at,
            ready_at=row.ready_at,
            links=links,
        )
