"""Artifacts of one workspace."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.tables import Artifact


class ArtifactRepository:
    """Artifacts of one workspace."""

    def __init__(self, session: Session, workspace_id: str) -> None:
        self._session = session
        self._workspace_id = workspace_id

    def get(self, artifact_id: str) -> Artifact | None:
        """Return an artifact, or null."""
        return self._session.scalar(
            select(Artifact).where(
                Artifact.id == artifact_id, Artifact.workspace_id == self._workspace_id
            )
        )

    def of_job(self, job_id: str, kind: str | None = None) -> Sequence[Artifact]:
        """Return a job's artifacts in the order in which they were made."""
        query = select(Artifact).where(
            Artifact.job_id == job_id, Artifact.workspace_id == self._workspace_id
        )
        if kind is not None:
            query = query.where(Artifact.kind == kind)
        return self._session.scalars(query.order_by(Artifact.id)).all()
