"""What can be done with keys. Nothing here commits."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from sqlalchemy.orm import Session

from api.keys.schemas import KeyRequest, RotationRequest
from api.limits.service import refuse_too_high
from api.problems import Problem, not_found
from store.columns import utc_now
from store.repositories import AuditTrail, Identity, KeyRepository
from store.repositories.paging import Page
from store.roles import what_scopes_allow
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
            Problem: 422 ``expiry_past`` or ``limit_too_high``, 403 ``scope_exceeded``.
        """
        self._must_have(asked.scopes)
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

    def get(self, key_id: str) -> ApiKey:
        """Return a key.

        Raises:
            Problem: 404.
        """
        row = self._keys.get(key_id)
        if row is None:
            raise not_found("key")
        return row

    def rotate(self, key_id: str, asked: RotationRequest, pepper: str) -> tuple[ApiKey, str]:
        """Make a key that replaces another, which works on for the overlap.

        Returns:
            The new key's row and its text.

        Raises:
            Problem: 404, 409 ``key_unusable``, or 403 ``scope_exceeded``.
        """
        self._keys.lock()
        old = self.get(key_id)
        self._must_have(old.scopes)
        now = utc_now()
        if old.revoked_at is not None or (old.expires_at is not None and old.expires_at <= now):
            raise Problem(
                409,
                "key_unusable",
                "The key has expired or was revoked, so there is nothing to replace.",
                "Make a new one with POST /v1/keys.",
            )
        span = self._keys.made_for(old)
        row, text = self._keys.rotate(
            old,
            pepper,
            timedelta(seconds=asked.overlap_seconds),
            expires_at=None if span is None else now + span,
        )
        detail = {"replaces": old.id, "overlap_seconds": asked.overlap_seconds}
        self._audit.append(self._identity.key_id, "key.rotate", row.id, detail)
        return row, text

    def _must_have(self, scopes: Iterable[str]) -> None:
        """Refuse to hand on what whoever asks may not do."""
        lacking = sorted(set(scopes) - what_scopes_allow(self._identity.scopes))
        if lacking:
            raise Problem(
                403,
                "scope_exceeded",
                f"You lack the scope `{lacking[0]}` yourself, so you cannot give it to a key.",
                "Ask for no more scopes than you have; GET /v1/me lists them.",
            )

    def revoke(self, key_id: str) -> None:
        """Revoke a key; a second time changes nothing.

        Raises:
            Problem: 404, or 409 ``last_admin``.
        """
        self._keys.lock()
        row = self.get(key_id)
        is_last = self._keys.lasting_admins() == {row.id}
        if is_last and row.revoked_at is None:
            raise Problem(
                409,
                "last_admin",
                "This is the last key that can manage keys.",
                "Make another with the scope `admin` first.",
            )
        if self._keys.revoke(row):
            self._audit.append(self._identity.key_id, "key.revoke", row.id)
