"""Who is asking: bearer keys (RFC 6750) with scopes, as types for endpoints' arguments."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Annotated, Literal

import structlog
from fastapi import Depends, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes
from sqlalchemy.exc import DBAPIError

from api.context import Context, Ctx
from api.problems import Problem
from store.columns import utc_now
from store.repositories import Identity, KeyRepository, authenticate

Scope = Literal["reader", "researcher", "admin"]

# What each scope brings with it.
_IMPLIED: dict[str, frozenset[str]] = {
    "reader": frozenset({"reader"}),
    "researcher": frozenset({"reader", "researcher"}),
    "admin": frozenset({"reader", "researcher", "admin"}),
}
_TOUCH_AFTER = timedelta(minutes=1)
_log = structlog.get_logger("api")

_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="key",
    description="An API key: `Authorization: Bearer graft_…`. Scopes: `reader` looks and"
    " downloads, `researcher` also uploads and submits, `admin` also manages keys.",
)


def what_scopes_allow(scopes: Iterable[str]) -> frozenset[str]:
    """Return the scopes, and those that they bring with them."""
    return frozenset().union(*(_IMPLIED.get(scope, frozenset()) for scope in scopes))


def authorize(
    needed: SecurityScopes,
    ctx: Ctx,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Identity:
    """Return who is asking, or raise the problem 401 or 403."""
    if credentials is None:
        raise Problem(
            401,
            "key_missing",
            "This address needs an API key.",
            "Send the header `Authorization: Bearer graft_…`.",
            headers={"WWW-Authenticate": 'Bearer realm="graft"'},
        )
    with ctx.database.read() as session:
        identity = authenticate(session, credentials.credentials, ctx.pepper)
    if identity is None:
        raise Problem(
            401,
            "key_unknown",
            "The API key is not known, has expired, or was revoked.",
            "Ask an administrator of your workspace for another.",
            headers={"WWW-Authenticate": 'Bearer realm="graft", error="invalid_token"'},
        )
    if not what_scopes_allow(identity.scopes).issuperset(needed.scopes):
        scope = needed.scope_str
        raise Problem(
            403,
            "scope_missing",
            f"The API key lacks the scope `{scope}`.",
            "Use a key that has it, or ask an administrator of your workspace for one.",
            headers={
                "WWW-Authenticate": f'Bearer realm="graft", error="insufficient_scope",'
                f' scope="{scope}"'
            },
        )
    structlog.contextvars.bind_contextvars(key_id=identity.key_id)
    if identity.last_used_at is None or utc_now() - identity.last_used_at > _TOUCH_AFTER:
        _touch(ctx, identity)
    return identity


def _touch(ctx: Context, identity: Identity) -> None:
    """Note that a key was used; where nothing can be written, one may still look."""
    try:
        with ctx.database.write() as session:
            KeyRepository(session, identity.workspace_id).touch(identity.key_id)
    except DBAPIError as error:
        _log.warning("key_not_touched", kind=type(error.orig).__name__)


Reader = Annotated[Identity, Security(authorize, scopes=["reader"])]
Researcher = Annotated[Identity, Security(authorize, scopes=["researcher"])]
Admin = Annotated[Identity, Security(authorize, scopes=["admin"])]
