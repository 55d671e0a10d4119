"""Who is asking: bearer keys and tokens (RFC 6750), or a browser that somebody has signed in with.

As types for endpoints' arguments.
"""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import Annotated

import structlog
from fastapi import Depends, Request, Security
from fastapi.security import (
    APIKeyCookie,
    HTTPAuthorizationCredentials,
    HTTPBearer,
    SecurityScopes,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from api.context import Context, Ctx
from api.oidc.people import denied, identify, is_named
from api.problems import Problem
from api.session.cookies import COOKIE, CSRF_HEADER, cookie_of, digest_of
from api.session.forgery import refuse_forged
from store.columns import utc_now
from store.page_tables import SignIn
from store.repositories import Identity, KeyRepository, SignInRepository, authenticate
from store.repositories.principals import PrincipalRepository
from store.repositories.sign_ins import signed_in
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
browser_cookie = APIKeyCookie(
    name=COOKIE,
    auto_error=False,
    scheme_name="session",
    description="The cookie of a browser that somebody has signed in with (`POST /v1/session`);"
    f" by https it is called `__Host-{COOKIE}`. It is looked at where there is no `Authorization`."
    f" Whatever is not `GET` or `HEAD` needs `{CSRF_HEADER}: …` beside it, with `csrf_token` of"
    " `GET /v1/session`.",
)


def authorize(
    needed: SecurityScopes,
    request: Request,
    ctx: Ctx,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    _same: Annotated[HTTPAuthorizationCredentials | None, Depends(_token)],
    _browser: Annotated[str | None, Depends(browser_cookie)],
) -> Identity:
    """Return who is asking and what they may use, or raise the problem 401, 403 or 429."""
    cookie = None if "authorization" in request.headers else cookie_of(request)
    given = cookie or (credentials.credentials if credentials else None)
    ctx.gate.approach(request, given)
    if given is None:
        ctx.gate.refuse(request)
        raise Problem(
            401,
            "key_missing",
            "This address needs an API key.",
            "Send the header `Authorization: Bearer graft_…`, or sign in on the page.",
            headers=_REALM,
        )
    wanted = request.headers.get(WORKSPACE_HEADER)
    try:
        identity = (
            _browsers(ctx, given, wanted)
            if cookie
            else _person(ctx, given, wanted) or _key(ctx, given, wanted)
        )
    except Problem as problem:
        if problem.status == HTTPStatus.UNAUTHORIZED:
            ctx.gate.refuse(request)
        raise
    identity = ctx.gate.admit(request, identity, given)
    if cookie is not None:
        # Only now: what is forged is counted like everything else.
        refuse_forged(request, cookie, ctx.pepper)
        touch_if_due(ctx, identity)
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


def _browsers(ctx: Context, cookie: str, wanted: str | None) -> Identity:
    """Return who has signed in with the browser that sends a cookie."""
    identity, _row = signed_in_with(ctx, cookie)
    if wanted is not None:
        with ctx.database.read() as session:
            _must_be_in(session, identity, wanted)
    return identity


def signed_in_with(ctx: Context, cookie: str) -> tuple[Identity, SignIn]:
    """Return who is signed in with a cookie, and what is kept of it.

    Raises:
        Problem: 401 ``not_signed_in``.
    """
    with ctx.database.read() as session:
        found = signed_in(session, digest_of(cookie, ctx.pepper), ctx.settings)
    if found is None:
        raise not_signed_in()
    return found


def not_signed_in() -> Problem:
    """Return the answer to a browser that nobody is signed in with."""
    return Problem(
        401,
        "not_signed_in",
        "You are not signed in, or not any more.",
        "Sign in again.",
        headers=_REALM,
    )


def key_of(ctx: Context, text: str) -> Identity:
    """Return whom a key belongs to.

    Raises:
        Problem: 401 ``key_unknown``.
    """
    return _key(ctx, text, None)


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
    touch_if_due(ctx, identity)
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


def touch_if_due(ctx: Context, identity: Identity) -> None:
    """Note that a key or a sign-in was used; where nothing can be written, one may still look."""
    if identity.last_used_at is not None and utc_now() - identity.last_used_at <= _TOUCH_AFTER:
        return
    try:
        with ctx.database.write() as session:
            if identity.kind == "key":
                KeyRepository(session, identity.workspace_id).touch(identity.key_id)
            else:
                people = PrincipalRepository(session, identity.workspace_id)
                people.touch(identity.key_id, identity.name)
            if identity.sign_in is not None:
                SignInRepository(session, identity.workspace_id).touch(identity.sign_in.digest)
    except DBAPIError as error:
        _log.warning("key_not_touched", kind=type(error.orig).__name__)


Reader = Annotated[Identity, Security(authorize, scopes=["reader"])]
Researcher = Annotated[Identity, Security(authorize, scopes=["researcher"])]
Admin = Annotated[Identity, Security(authorize, scopes=["admin"])]
