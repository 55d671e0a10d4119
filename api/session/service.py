"""Signing a browser in and out. Nothing here commits."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from api.me.schemas import Me
from api.session.cookies import csrf_token_of, digest_of, new_value
from api.session.schemas import SessionView
from store.columns import utc_now
from store.page_tables import SignIn
from store.repositories import AuditTrail, Identity, SignInRepository
from store.settings import Settings
from store.signed_in import OpenSignIn

# Enough to tell a sign-in from the others in the trail, and of no use to anybody who reads it.
_SHOWN = 12


class SessionService:
    """Sign-ins of one party."""

    def __init__(self, session: Session, who: Identity, settings: Settings, pepper: str) -> None:
        self._session = session
        self._who = who
        self._settings = settings
        self._pepper = pepper
        self._sign_ins = SignInRepository(session, who.workspace_id)
        self._audit = AuditTrail(session, who.workspace_id)

    def start(self, by: str) -> tuple[SessionView, str]:
        """Sign a browser in.

        Args:
            by: What somebody came with: ``key`` or ``oidc``.

        Returns:
            The view, and the value of the cookie.
        """
        value = new_value()
        digest = digest_of(value, self._pepper)
        until = utc_now() + timedelta(hours=self._settings.session_hours)
        row = self._sign_ins.add(self._who, digest, until)
        detail = {"by": by, "session": digest[:_SHOWN]}
        self._audit.append(self._who.key_id, "session.start", self._who.key_id, detail)
        return self.view(row, value), value

    def end(self, sign_in: OpenSignIn, why: str) -> bool:
        """Sign a browser out; return whether it was signed in.

        Args:
            sign_in: Of whoever the service was made for.
            why: ``sign-out``, or ``replaced`` by another sign-in.
        """
        if not self._sign_ins.end(sign_in.digest):
            return False
        detail = {"why": why, "session": sign_in.digest[:_SHOWN]}
        self._audit.append(self._who.key_id, "session.end", self._who.key_id, detail)
        return True

    def view(self, row: SignIn, value: str) -> SessionView:
        """Return what the page is told of a sign-in.

        Args:
            row: Of the sign-in.
            value: Of its cookie.
        """
        who = self._who
        ends: list[datetime] = [row.expires_at]
        if who.kind == "key" and who.expires_at is not None:
            ends.append(who.expires_at)
        me = Me.of(self._session, who)
        if who.kind == "person":
            me = me.model_copy(update={"expires_at": row.expires_at})
        return SessionView(
            csrf_token=csrf_token_of(value, self._pepper), expires_at=min(ends), me=me
        )
