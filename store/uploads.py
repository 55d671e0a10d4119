"""Uploads in parts: what identifies them, and when their rows go.

A part's row is there for exactly as long as its object is wanted: until the upload is aborted or
expires, or until the data set made of it was read. ``store.orphans`` goes by that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from store.answers import forgotten
from store.tables import Dataset
from store.upload_tables import UploadPart, UploadSession


def prefix_of(workspace_id: str, upload_id: str) -> str:
    """Return what the keys of an upload's parts begin with."""
    return f"workspaces/{workspace_id}/uploads/{upload_id}/"


def content_id(sha256: str, parts: Sequence[dict[str, Any]] | None) -> str:
    """Return what tells an upload's bytes from all others, hex.

    That of an upload in one piece is the SHA-256 that the service counted itself. Of several
    parts it is made of theirs: what the client says of the whole is compared only when a worker
    reads it, and must not let it have what it did not send.
    """
    if not parts or len(parts) == 1:
        return sha256
    listed = [f"{part['size']} {part['sha256']}" for part in parts]
    return hashlib.sha256("\n".join(["parts", sha256, *listed]).encode()).hexdigest()


def content_id_of(dataset: Dataset) -> str:
    """Return ``content_id`` of a data set's upload."""
    return content_id(dataset.upload_sha256, dataset.upload_parts)


def forget_parts(session: Session, upload_id: str) -> None:
    """Delete the rows of an upload's parts, whose objects nobody wants any more."""
    session.execute(
        delete(UploadPart)
        .where(UploadPart.upload_id == upload_id)
        .execution_options(synchronize_session=False)
    )


def forget_upload_of(session: Session, dataset_id: str) -> None:
    """Delete the rows of the upload of which a data set was made, if it came in parts."""
    upload = session.execute(
        select(UploadSession.id, UploadSession.workspace_id).where(
            UploadSession.dataset_id == dataset_id
        )
    ).first()
    if upload is None:
        return
    forget_parts(session, upload.id)
    for statement in (
        forgotten(upload.workspace_id, upload.id),
        delete(UploadSession).where(UploadSession.id == upload.id),
    ):
        session.execute(statement.execution_options(synchronize_session=False))


def forget_parts_of(session: Session, dataset_id: str) -> None:
    """Delete the rows of the parts of which a data set was made: it has been read."""
    which = select(UploadSession.id).where(UploadSession.dataset_id == dataset_id)
    session.execute(
        delete(UploadPart)
        .where(UploadPart.upload_id.in_(which.scalar_subquery()))
        .execution_options(synchronize_session=False)
    )
