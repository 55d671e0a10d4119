"""API keys of one workspace, and the one question that is asked before a workspace is known."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from store.columns import new_id, utc_now
from store.database import FOR_NO_KEY_UPDATE
from store.key_texts import NewKey, digest_of, make_key, prefix_of
from store.limits import Allowance
from store.repositories.paging import Page, page_of
from store.signed_in import OpenSignIn, find_open
from store.tables import ApiKey, Workspace


@dataclass(frozen=True)
class Identity:
    """Who is asking, in which workspace, and what that allows."""

    workspace_id: str
    key_id: str
    """The actor: a key's id, or that of a person."""
    scopes: frozenset[str]
    last_used_at: datetime | None = None
    """Of the key or person, or of the sign-in that a browser came with."""
    allowance: Allowance | None = None
    """How much they may use; null: it was not looked up, and they may use everything."""
    kind: Literal["key", "person"] = "key"
    name: str = ""
    """Of the key, or as the issuer calls the person."""
    expires_at: datetime | None = None
    """Of the key, of the token or of a person's sign-in; null: never."""
    sign_in: OpenSignIn | None = None
    """With which a browser came; null: the request brought a key or a token itself."""


def authenticate(session: Session, text: str, pepper: str) -> Identity | None:
    """Return whom a key belongs to; null when it is none, has expired or was revoked."""
    prefix = prefix_of(text)
    if prefix is None:
        return None
    row = session.scalar(select(ApiKey).where(ApiKey.prefix == prefix))
    if row is None or not hmac.compare_digest(row.digest, digest_of(text, pepper)):
        return None
    if not is_usable(row):
        return None
    return Identity(
        row.workspace_id,
        row.id,
        frozenset(row.scopes),
        row.last_used_at,
        name=row.name,
        expires_at=row.expires_at,
    )


def still_holds(session: Session, identity: Identity) -> bool:
    """Say whether what somebody came with is good by now: long answers ask again and again.

    Of people nothing is known but when their token ends, or their browser is signed out.
    """
    if identity.sign_in is not None and find_open(session, identity.sign_in) is None:
        return False
    if identity.kind == "person":
        return identity.expires_at is None or utc_now() < identity.expires_at
    row = KeyRepository(session, identity.workspace_id).get(identity.key_id)
    return row is not None and is_usable(row)


def is_usable(row: ApiKey) -> bool:
    """Say whether a key has neither been revoked nor run out."""
    return row.revoked_at is None and (row.expires_at is None or row.expires_at > utc_now())


class KeyRepository:
    """API keys of one workspace."""

    def __init__(self, session: Session, workspace_id: str) -> None:
        self._session = session
        self._workspace_id = workspace_id

    def add(
        self, name: str, scopes: Sequence[str], pepper: str, expires_at: datetime | None = None
    ) -> tuple[ApiKey, str]:
        """Make a key.

        Returns:
            Its row, and its text, which is kept nowhere.
        """
        made = make_key(pepper)
        return self.keep(made, name, scopes, expires_at), made.text

    def keep(
        self, made: NewKey, name: str, scopes: Sequence[str], expires_at: datetime | None = None
    ) -> ApiKey:
        """Keep a key that was made already, and return its row."""
        row = ApiKey(
            id=new_id("key"),
            workspace_id=self._workspace_id,
            name=name,
            prefix=made.prefix,
            digest=made.digest,
            scopes=sorted(set(scopes)),
            expires_at=expires_at,
        )
        self._session.add(row)
        self._session.flush()
        return row

    def get(self, key_id: str) -> ApiKey | None:
        """Return a key's row, or null."""
        return self._session.scalar(
            select(ApiKey).where(ApiKey.id == key_id, ApiKey.workspace_id == self._workspace_id)
        )

    def page(self, limit: int, cursor: str | None) -> Page[ApiKey]:
        """Return keys, the newest first, revoked ones included."""
        query = select(ApiKey).where(ApiKey.workspace_id == self._workspace_id)
        return page_of(self._session, query, ApiKey.id, limit, cursor)

    def lock(self) -> None:
        """Hold the workspace's keys: two revocations at once must not both spare the last one."""
        self._session.get_one(Workspace, self._workspace_id, with_for_update=FOR_NO_KEY_UPDATE)

    def made_for(self, row: ApiKey) -> timedelta | None:
        """Return how long a key was made to last; null: for ever.

        A rotation cuts a key's own span short; its successor has the whole of it.
        """
        later: ApiKey | None = row
        while later is not None:
            row = later
            later = self._session.scalar(
                select(ApiKey)
                .where(ApiKey.workspace_id == self._workspace_id, ApiKey.replaces == row.id)
                .order_by(ApiKey.id)
                .limit(1)
            )
        return None if row.expires_at is None else row.expires_at - row.created_at

    def rotate(
        self, old: ApiKey, pepper: str, overlap: timedelta, expires_at: datetime | None
    ) -> tuple[ApiKey, str]:
        """Make a key that may do what another one may, and let that one run out.

        Args:
            old: Usable.
            pepper: Of the digests.
            overlap: How much longer the old key works; never longer than it would have.
            expires_at: Of the new key.

        Returns:
            The new key's row, and its text, which is kept nowhere.
        """
        made = make_key(pepper)
        row = self.keep(made, old.name, old.scopes, expires_at)
        row.limits, row.replaces = old.limits, old.id
        until = utc_now() + overlap
        old.expires_at = until if old.expires_at is None else min(old.expires_at, until)
        self._session.flush()
        return row, made.text

    def revoke(self, row: ApiKey) -> bool:
        """Revoke a key; return whether it was not already."""
        if row.revoked_at is not None:
            return False
        row.revoked_at = utc_now()
        return True

    def lasting_admins(self) -> set[str]:
        """Return the ids of the usable keys that can manage keys, and go on doing so.

        A key that was rotated runs out soon: it does not count beside its successor.
        """
        rows = self._session.scalars(
            select(ApiKey).where(
                ApiKey.workspace_id == self._workspace_id,
                ApiKey.revoked_at.is_(None),
                or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > utc_now()),
            )
        ).all()
        replaced = {row.replaces for row in rows}
        return {row.id for row in rows if "admin" in row.scopes and row.id not in replaced}

    def touch(self, key_id: str) -> None:
        """Note that a key was used now."""
        self._session.execute(
            update(ApiKey)
            .where(ApiKey.id == key_id, ApiKey.workspace_id == self._workspace_id)
            .values(last_used_at=utc_now())
        )
