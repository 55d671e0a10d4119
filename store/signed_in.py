"""Whether a browser that was signed in still is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.orm import Session

from store.columns import utc_now
from store.page_tables import SignIn


@dataclass(frozen=True)
class OpenSignIn:
    """The sign-in with which a request came.

    Attributes:
        digest: Under which it is kept.
        idle: After how long without a request it ends.
    """

    digest: str
    idle: timedelta


def find_open(session: Session, sign_in: OpenSignIn) -> SignIn | None:
    """Return what is kept of a sign-in; null when it was ended, has run out or lain idle.

    It is asked for before a workspace is known: whoever has the cookie is in the one it names.
    """
    row = session.get(SignIn, sign_in.digest)
    if row is None or row.expires_at <= utc_now():
        return None
    seen = row.last_seen_at or row.created_at
    return row if utc_now() < seen + sign_in.idle else None
