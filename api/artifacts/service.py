"""What can be done with artifacts. Nothing here commits."""

from __future__ import annotations

from sqlalchemy.orm import Session

from api.problems import not_found
from store.repositories import ArtifactRepository, AuditTrail, Identity
from store.tables import Artifact


class ArtifactService:
    """Artifacts of the workspace that asks."""

    def __init__(self, session: Session, identity: Identity) -> None:
        self._identity = identity
        self._artifacts = ArtifactRepository(session, identity.workspace_id)
        self._audit = AuditTrail(session, identity.workspace_id)

    def get(self, artifact_id: str) -> Artifact:
        """Return an artifact.

        Raises:
            Problem: 404.
        """
        found = self._artifacts.get(artifact_id)
        if found is None:
            raise not_found("artifact")
        return found

    def note_download(self, artifact: Artifact) -> None:
        """Write into the trail that the content was handed out."""
        self._audit.append(
            self._identity.key_id, "artifact.download", artifact.id, {"sha256": artifact.sha256}
        )
