"""Browsers that people have signed in with, of one workspace; and whom a cookie belongs to."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.orm import Session

from store.access_tables import Principal
from store.columns import utc_now
from store.identity_settings import IdentitySettings
from store.page_tables import SignIn
from store.repositories.keys import Identity, KeyRepository, is_usable
from store.repositories.principals import PrincipalRepository
from store.signed_in import OpenSignIn, find_open
from store.tables import Workspace

MOST_AT_ONCE = 50
"""Browsers that one key or person can be signed in with; a further one ends the oldest."""


class SignInRepository:
    """Sign-ins of one workspace."""

    def __init__(self, session: Session, workspace_id: str) -> None:
        self._session = session
        self._workspace_id = workspace_id

    def add(self, who: Identity, digest: str, expires_at: datetime) -> SignIn:
        """Keep a sign-in.

        Args:
            who: A key, or a person with the scopes that their token brings.
            digest: Of the cookie's value.
            expires_at: When it ends, however busy it is.
        """
        is_person = who.kind == "person"
        row = SignIn(
            digest=digest,
            workspace_id=self._workspace_id,
            actor=who.key_id,
            is_person=is_person,
            name=who.name if is_person else "",
            scopes=sorted(who.scopes) if is_person else None,
            last_seen_at=utc_now(),
            expires_at=expires_at,
        )
        self._session.add(row)
        self._session.flush()
        surplus = (
            select(SignIn.digest)
            .where(*self._of(who.key_id))
            .order_by(SignIn.created_at.desc(), SignIn.digest)
            .offset(MOST_AT_ONCE)
        )
        # Read first: one that is busy elsewhere need not be found by its place again.
        digests = self._session.scalars(surplus).all()
        if digests:
            self._session.execute(
                delete(SignIn)
                .where(*self._of(who.key_id), SignIn.digest.in_(digests))
                .execution_options(synchronize_session=False)
            )
        return row

    def touch(self, digest: str) -> None:
        """Note that a request came now."""
        self._session.execute(
            update(SignIn)
            .where(SignIn.digest == digest, SignIn.workspace_id == self._workspace_id)
            .values(last_seen_at=utc_now())
            .execution_options(synchronize_session=False)
        )

    def end(self, digest: str) -> bool:
        """End a sign-in; return whether there was one."""
        done = self._session.execute(
            delete(SignIn)
            .where(SignIn.digest == digest, SignIn.workspace_id == self._workspace_id)
            .execution_options(synchronize_session=False)
        )
        return bool(done.rowcount)  # type: ignore[attr-defined]

    def end_all(self, actor: str) -> int:
        """End all sign-ins of a key or person; return how many there were."""
        done = self._session.execute(
            delete(SignIn).where(*self._of(actor)).execution_options(synchronize_session=False)
        )
        return int(done.rowcount)  # type: ignore[attr-defined]

    def _of(self, actor: str) -> tuple[ColumnElement[bool], ...]:
        return (SignIn.workspace_id == self._workspace_id, SignIn.actor == actor)


def signed_in(
    session: Session, digest: str, settings: IdentitySettings
) -> tuple[Identity, SignIn] | None:
    """Return who is signed in with a cookie, and what is kept of it; null when nobody is.

    A key ends with its own end and revocation, and its scopes are those that it has now. A person
    ends with the issuer that vouched for them, and has no role that no group brings any more.

    Args:
        session: A transaction.
        digest: Of the cookie's value.
        settings: How long a sign-in may lie idle, and whose people are let in with which roles.
    """
    mark = OpenSignIn(digest, timedelta(hours=settings.session_idle_hours))
    row = find_open(session, mark)
    if row is None:
        return None
    if row.is_person:
        person = PrincipalRepository(session, row.workspace_id).get(row.actor)
        scopes = _roles_of(session, row, person, settings)
        if person is None or not scopes:
            return None
        who = Identity(
            *(row.workspace_id, row.actor, scopes, row.last_seen_at),
            kind="person",
            name=row.name,
            expires_at=row.expires_at,
            sign_in=mark,
        )
        return who, row
    key = KeyRepository(session, row.workspace_id).get(row.actor)
    if key is None or not is_usable(key):
        return None
    who = Identity(
        *(row.workspace_id, key.id, frozenset(key.scopes), row.last_seen_at),
        name=key.name,
        expires_at=key.expires_at,
        sign_in=mark,
    )
    return who, row


def _roles_of(
    session: Session, row: SignIn, person: Principal | None, settings: IdentitySettings
) -> frozenset[str]:
    if person is None or settings.oidc_issuer is None or person.issuer != settings.oidc_issuer:
        return frozenset()
    workspace = session.get_one(Workspace, row.workspace_id)
    return frozenset(row.scopes or ()) & settings.roles_in(workspace.name)
