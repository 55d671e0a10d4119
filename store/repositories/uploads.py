"""Uploads in parts of one workspace."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from store.clock import now_of
from store.database import FOR_NO_KEY_UPDATE
from store.removals import promise
from store.repositories.paging import Page, page_of
from store.tables import Workspace
from store.upload_tables import UploadPart, UploadSession
from store.uploads import forget_parts, prefix_of


class UploadRepository:
    """Uploads in parts of one workspace."""

    def __init__(self, session: Session, workspace_id: str) -> None:
        self._session = session
        self._workspace_id = workspace_id

    def add(self, upload: UploadSession, *, keep: timedelta) -> None:
        """Write a new upload, which is kept for a while."""
        upload.workspace_id = self._workspace_id
        upload.expires_at = now_of(self._session) + keep
        self._session.add(upload)
        self._session.flush()

    def get(self, upload_id: str) -> UploadSession | None:
        """Return an upload, or null."""
        return self._session.scalar(
            select(UploadSession).where(
                UploadSession.id == upload_id, UploadSession.workspace_id == self._workspace_id
            )
        )

    def hold(self, upload_id: str) -> UploadSession | None:
        """Return an upload, or null, its row held against everybody until the transaction ends."""
        return self._session.scalar(
            select(UploadSession)
            .where(UploadSession.id == upload_id, UploadSession.workspace_id == self._workspace_id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )

    def parts(self, upload_id: str) -> Sequence[UploadPart]:
        """Return the parts that have arrived, in order."""
        return self._session.scalars(
            select(UploadPart)
            .where(UploadPart.upload_id == upload_id, UploadPart.workspace_id == self._workspace_id)
            .order_by(UploadPart.number)
        ).all()

    def lock_workspace(self) -> None:
        """Hold the workspace: of two at once that see room for one, the other must look again.

        Whoever holds an upload as well has taken that first.
        """
        self._session.get_one(Workspace, self._workspace_id, with_for_update=FOR_NO_KEY_UPDATE)

    def count_open(self) -> int:
        """Return how many uploads were begun and neither finished nor given up."""
        query = select(func.count()).where(
            UploadSession.workspace_id == self._workspace_id, UploadSession.status == "open"
        )
        return self._session.scalar(query) or 0

    def page(
        self, limit: int, cursor: str | None, *, status: str | None, sha256: str | None
    ) -> Page[UploadSession]:
        """Return uploads, the newest first."""
        query = select(UploadSession).where(UploadSession.workspace_id == self._workspace_id)
        if status is not None:
            query = query.where(UploadSession.status == status)
        if sha256 is not None:
            query = query.where(UploadSession.sha256 == sha256)
        return page_of(self._session, query, UploadSession.id, limit, cursor)

    def put_part(self, upload: UploadSession, part: UploadPart, *, keep: timedelta) -> UploadPart:
        """Note a part that has arrived, in the place of an earlier one of its number.

        Args:
            upload: Held.
            part: With its number, size, SHA-256 and object; if the earlier one holds the same
                bytes, that one stays, and the new object is promised to be deleted.
            keep: How long the upload is kept from now on.

        Returns:
            The part that counts.
        """
        upload.expires_at = now_of(self._session) + keep
        earlier = self._session.get(UploadPart, (upload.id, part.number))
        if earlier is not None and (earlier.sha256, earlier.size) == (part.sha256, part.size):
            promise(self._session, self._workspace_id, [part.object_key])
            return earlier
        if earlier is not None:
            promise(self._session, self._workspace_id, [earlier.object_key])
            self._session.delete(earlier)
            self._session.flush()
        part.upload_id = upload.id
        part.workspace_id = self._workspace_id
        self._session.add(part)
        self._session.flush()
        return part

    def abort(self, upload: UploadSession) -> None:
        """Give up an upload that is held; its parts' objects are promised to be deleted."""
        upload.status = "aborted"
        forget_parts(self._session, upload.id)
        prefix = prefix_of(self._workspace_id, upload.id)
        promise(self._session, self._workspace_id, [prefix])
