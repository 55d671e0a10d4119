"""Who is asking: bearer keys and tokens (RFC 6750), as types for endpoints' arguments."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import Annotated

import structlog
from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from api.context import Context, Ctx
from api.oidc.people import denied, identify, is_named
from api.problems import Problem
from store.columns import utc_now
from store.repositories import Identity, KeyRepository, authenticate
from store.roles import Role, what_scopes_allow
from store.tables import Workspace

Scope = Role

_TOUCH_AFTER = timedelta(minutes=1)
_log = structlog.get_logger("api")

_REALM = {"WWW-Authenticate": 'Bearer realm="graft"'}
WORKSPACE_HEADER = "Graft-Workspace"

_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="key",
    description="An API key: `Authorization: Bearer graft_…`. Scopes: `reader` looks and"
    " downloads, `researcher` also uploads and submits, `admin` also manages keys.",
)
_token = HTTPBearer(
    auto_error=False,
    scheme_name="oidc",
    bearerFormat="JWT",
    description="A token of the OpenID Connect issuer that the operator has set; the person's"
    " groups decide on workspace and scopes. Whoever is in several workspaces names one in the"
    f" header `{WORKSPACE_HEADER}`, by name (percent-encoded where it is not ASCII) or id.",
)


def authorize(
    needed: SecurityScopes,
    request: Request,
    ctx: Ctx,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    _same: Annotated[HTTPAuthorizationCredentials | None, Depends(_token)],
) -> Identity:
    """Return who is asking and what they may use, or raise the problem 401, 403 or 429."""
    ctx.gate.approach(request, credentials.credentials if credentials else None)
    if credentials is None:
        ctx.gate.refuse(request)
        raise Problem(
            401,
            "key_missing",
            "This address needs an API key.",
            "Send the header `Authorization: Bearer graft_…`.",
            headers=_REALM,
        )
    wanted = request.headers.get(WORKSPACE_HEADER)
    try:
        identity = _person(ctx, credentials.credentials, wanted) or _key(
            ctx, credentials.credentials, wanted
        )
    except Problem as problem:
        if problem.status == HTTPStatus.UNAUTHORIZED:
            ctx.gate.refuse(request)
        raise
    identity = ctx.gate.admit(request, identity, credentials.credentials)
    structlog.contextvars.bind_contextvars(key_id=identity.key_id)
    if not what_scopes_allow(identity.scopes).issuperset(needed.scopes):
        scope = needed.scope_str
        ctx.gate.note_scope_missing(request, identity, scope)
        raise Problem(
            403,
            "scope_missing",
            f"{'The API key lacks' if identity.kind == 'key' else 'You lack'} the scope `{scope}`.",
            "Use a key that has it, or ask an administrator of your workspace for one.",
            headers={
                "WWW-Authenticate": f'Bearer realm="graft", error="insufficient_scope",'
                f' scope="{scope}"'
            },
        )
    return identity


def _key(ctx: Context, text: str, wanted: str | None) -> Identity:
    """Return whom a key belongs to."""
    with ctx.database.read() as session:
        identity = authenticate(session, text, ctx.pepper)
        if identity is not None and wanted is not None:
            _must_be_in(session, identity, wanted)
    if identity is None:
        raise Problem(
            401,
            "key_unknown",
            "The API key is not known, has expired, or was revoked.",
            "Ask an administrator of your workspace for another.",
            headers={"WWW-Authenticate": 'Bearer realm="graft", error="invalid_token"'},
        )
    if identity.last_used_at is None or utc_now() - identity.last_used_at > _TOUCH_AFTER:
        _touch(ctx, identity)
    return identity


def _must_be_in(session: Session, identity: Identity, wanted: str) -> None:
    """Refuse a key that is meant for another workspace than its own."""
    if not is_named(session.get_one(Workspace, identity.workspace_id), wanted):
        raise denied()


def _person(ctx: Context, text: str, wanted: str | None) -> Identity | None:
    """Return of whom a token speaks; null when people are not let in, or it is none."""
    # A key holds no dot; a token has three parts (RFC 7515, 3.1).
    if ctx.tokens is None or text.count(".") != 2:
        return None
    return identify(ctx.database, ctx.settings, ctx.tokens.check(text), wanted)


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
