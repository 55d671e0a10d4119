"""What is asked and answered about uploads in parts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

from store.upload_tables import UploadPart, UploadSession, UploadStatus

MAX_PARTS = 10_000
MIN_PART_BYTES = 64 * 1024
MAX_PART_BYTES = 1024**3

Sha256 = Annotated[
    str, Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the whole file, hex.")
]


class UploadRequest(BaseModel):
    """An archive that is to come in parts."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    size: Annotated[int, Field(ge=1, le=2**53)]
    """Of the whole file, in bytes."""
    sha256: Sha256 | None = None
    """Can also be said at the end, with `POST /v1/datasets?upload_id=…&sha256=…`."""
    media_type: Annotated[str, Field(max_length=100)] = "application/octet-stream"
    """Of the archive; what it is is told from its first bytes all the same."""
    part_size: Annotated[int, Field(ge=MIN_PART_BYTES, le=MAX_PART_BYTES)] | None = None
    """Bytes of every part but the last; null: the service chooses."""


class PartView(BaseModel):
    """A part that has arrived whole."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    number: int
    """From 1."""
    size: int
    sha256: str

    @classmethod
    def of(cls, row: UploadPart) -> Self:
        """Return the view of a row."""
        return cls(number=row.number, size=row.size, sha256=row.sha256)


class UploadView(BaseModel):
    """An upload in parts."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: str
    status: UploadStatus
    size: int
    """Of the whole file, in bytes."""
    part_size: int
    """Bytes of every part but the last."""
    part_count: int
    sha256: str | None
    """Of the whole file, as the client has said."""
    media_type: str
    dataset_id: str | None
    """The data set that was made of it."""
    created_at: datetime
    expires_at: datetime
    """When it is thrown away, unless another part comes before."""
    links: dict[str, str]

    @classmethod
    def of(cls, row: UploadSession) -> Self:
        """Return the view of a row."""
        links = {"self": f"/v1/uploads/{row.id}"}
        if row.dataset_id is not None:
            links["dataset"] = f"/v1/datasets/{row.dataset_id}"
        return cls(
            id=row.id,
            status=row.status,
            size=row.size,
            part_size=row.part_size,
            part_count=part_count(row),
            sha256=row.sha256,
            media_type=row.media_type,
            dataset_id=row.dataset_id,
            created_at=row.created_at,
            expires_at=row.expires_at,
            links=links,
        )


class UploadDetail(UploadView):
    """An upload in parts, with those that are there."""

    parts: list[PartView] = []
    """That have arrived; none once the data set was made and read."""

    @classmethod
    def with_parts(cls, row: UploadSession, parts: Sequence[UploadPart]) -> Self:
        """Return the view of a row and of its parts."""
        found = cls.of(row)
        found.parts = [PartView.of(part) for part in parts]
        return found


def part_count(row: UploadSession) -> int:
    """Return of how many parts an upload consists."""
    return -(-row.size // row.part_size)


def size_of_part(row: UploadSession, number: int) -> int:
    """Return how many bytes a part must have."""
    return min(row.part_size, row.size - (number - 1) * row.part_size)
