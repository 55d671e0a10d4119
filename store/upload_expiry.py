"""Uploads in parts that nobody goes on with."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, exists, select

from store.clock import now_of
from store.database import Database
from store.repositories.audit import AuditTrail
from store.repositories.uploads import UploadRepository
from store.upload_tables import UploadPart, UploadSession

_AT_ONCE = 200
_KEEP_ROWS = timedelta(days=7)


def expire_uploads(database: Database) -> int:
    """Give up uploads that nobody went on with, and forget those that ended a week ago.

    Returns:
        How many were given up.
    """
    with database.read() as session:
        now = now_of(session)
        due = session.scalars(
            select(UploadSession.id)
            .where(UploadSession.status == "open", UploadSession.expires_at < now)
            .limit(_AT_ONCE)
        ).all()
    expired = 0
    for upload_id in due:
        with database.write() as session:
            upload = session.scalar(
                select(UploadSession)
                .where(
                    UploadSession.id == upload_id,
                    UploadSession.status == "open",
                    UploadSession.expires_at < now,
                )
                .with_for_update(skip_locked=True)
            )
            if upload is None:  # somebody goes on with it at this moment
                continue
            UploadRepository(session, upload.workspace_id).abort(upload)
            AuditTrail(session, upload.workspace_id).append("system", "upload.expire", upload.id)
            expired += 1
    with database.write() as session:
        has_parts = exists().where(UploadPart.upload_id == UploadSession.id)
        session.execute(
            delete(UploadSession)
            .where(
                UploadSession.status != "open",
                UploadSession.expires_at < now - _KEEP_ROWS,
                ~has_parts,
            )
            .execution_options(synchronize_session=False)
        )
    return expired
