"""Tables of uploads that arrive in parts, so that one which broke off can go on."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from sqlalchemy import BigInteger, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from store.columns import utc_now
from store.tables import ID, Base

UploadStatus = Literal["open", "completed", "aborted"]

Base.registry.update_type_annotation_map({UploadStatus: String(16)})


class UploadSession(Base):
    """A large archive on its way in."""

    __tablename__ = "uploads"
    __table_args__ = (Index("ix_uploads_status_expires_at", "status", "expires_at"),)
    id: Mapped[str] = mapped_column(ID, primary_key=True)
    """``up_…``."""
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id"), index=True)
    created_by: Mapped[str] = mapped_column(ID)
    status: Mapped[UploadStatus] = mapped_column(default="open")
    media_type: Mapped[str] = mapped_column(String(100))
    size: Mapped[int] = mapped_column(BigInteger)
    """Bytes in all, as announced."""
    part_size: Mapped[int] = mapped_column(BigInteger)
    """Bytes of every part but the last."""
    sha256: Mapped[str | None] = mapped_column(String(64))
    """Of the whole, as the client says; compared before anything is read."""
    dataset_id: Mapped[str | None] = mapped_column(ID)
    """The data set that was made of it."""
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    expires_at: Mapped[datetime]
    """When an upload that nobody goes on with is thrown away."""


class UploadPart(Base):
    """One part that has arrived whole."""

    __tablename__ = "upload_parts"
    upload_id: Mapped[str] = mapped_column(ForeignKey("uploads.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    """From 1."""
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id"))
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))
    object_key: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
