"""What can be done with artifacts. Nothing here commits."""

from __future__ import annotations

from sqlalchemy.orm import Session

from api.problems import Problem, not_found
from store.repositories import ArtifactRepository, AuditTrail, Identity
from store.step_tables import Step
from store.tables import Artifact

# Of a report these hold images of patients, beside synthetic ones.
_SHOWS_PATIENTS = frozenset({"nearest-png", "report-html", "samples-png"})


class ArtifactService:
    """Artifacts of the workspace that asks."""

    def __init__(self, session: Session, identity: Identity) -> None:
        self._session = session
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

    def get_kept(self, artifact_id: str) -> Artifact:
        """Return an artifact whose content has not been given up.

        Raises:
            Problem: 404, or 410 ``artifact_expired``.
        """
        found = self.get(artifact_id)
        refuse_expired(found)
        return found

    def shows_patients(self, artifact: Artifact) -> bool:
        """Say whether real images can be seen in an artifact."""
        if artifact.kind not in _SHOWS_PATIENTS:
            return False
        step = self._session.get(Step, artifact.step_id)
        return step is None or step.kind == "report"

    def note_download(self, artifact: Artifact) -> None:
        """Write into the trail that the content was handed out."""
        self._audit.append(
            self._identity.key_id, "artifact.download", artifact.id, {"sha256": artifact.sha256}
        )


def gone() -> Problem:
    """Return the answer for a file that the storage has lost."""
    return Problem(
        410,
        "artifact_gone",
        "The file is not in the file storage any more.",
        "Retry the job: what is missing is made again.",
    )


def refuse_expired(artifact: Artifact) -> None:
    """Raise the problem 410 ``artifact_expired`` for an artifact that was kept long enough."""
    if artifact.removed_at is not None:
        raise Problem(
            410,
            "artifact_expired",
            f"The file was deleted on {artifact.removed_at:%Y-%m-%d}: this service keeps the files"
            " of a job for a limited time after its end.",
            "Retry the job: what is missing is made again.",
        )
