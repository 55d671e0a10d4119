"""What can be done with keys. Nothing here commits."""

from __future__ import annotations

from sqlalchemy.orm import Session

from api.keys.schemas import KeyRequest
from api.limits.service import refuse_too_high
from api.problems import Problem, not_found
from store.columns import utc_now
from store.repositories import AuditTrail, Identity, KeyRepository
from store.repositories.paging import Page
from store.tables import ApiKey


class KeyService:
    """Keys of the workspace that asks."""

    def __init__(self, session: Session, identity: Identity) -> None:
        self._identity = identity
        self._keys = KeyRepository(session, identity.workspace_id)
        self._audit = AuditTrail(session, identity.workspace_id)

    def create(self, asked: KeyRequest, pepper: str) -> tuple[ApiKey, str]:
        """Make a key.

        Returns:
            Its row and its text.

        Raises:
            Problem: 422 ``expiry_past`` or ``limit_too_high``.
        """
        if asked.expires_at is not None and asked.expires_at <= utc_now():
            raise Problem(
                422, "expiry_past", "`expires_at` is in the past.", "Give a later moment, or none."
            )
        limits = {} if asked.limits is None else asked.limits.numbers()
        refuse_too_high(self._identity, limits)
        row, text = self._keys.add(asked.name, asked.scopes, pepper, asked.expires_at)
        row.limits = limits or None
        self._audit.append(
            self._identity.key_id,
            "key.create",
            row.id,
            {"scopes": row.scopes} | ({"limits": limits} if limits else {}),
        )
        return row, text

    def page(self, limit: int, cursor: str | None) -> Page[ApiKey]:
        """Return keys, the newest first, revoked ones included."""
        return self._keys.page(limit, cursor)

    def revoke(self, key_id: str) -> None:
        """Revoke a key; a second time changes nothing.

        Raises:
            Problem: 404, or 409 ``last_admin``.
        """
        row = self._keys.get(key_id)
        if row is None:
            raise not_found("key")
        self._keys.lock()
        is_last = "admin" in row.scopes and self._keys.count_usable_admins() <= 1
        if is_last and row.revoked_at is None:
            raise Problem(
                409,
                "last_admin",
                "This is the last key that can manage keys.",
                "Make another with the scope `admin` first.",
            )
        if self._keys.revoke(row):
            self._audit.append(self._identity.key_id, "key.revoke", row.id)
