"""What was answered to requests that are carried out once goes with the things that it tells of."""

from __future__ import annotations

from sqlalchemy import Delete, delete

from store.access_tables import IdempotentRequest


def forgotten(workspace_id: str, subject: str) -> Delete:
    """Return what deletes the answers that tell of a thing, so that their keys are free again."""
    return delete(IdempotentRequest).where(
        IdempotentRequest.workspace_id == workspace_id, IdempotentRequest.subject == subject
    )
