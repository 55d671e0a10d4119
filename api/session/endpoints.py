"""``/v1/session``: signing a browser in with a key, looking, and signing it out."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from api.auth import browser_cookie, key_of, not_signed_in, signed_in_with, touch_if_due
from api.context import Context, Ctx
from api.problems import Problem, described
from api.session.cookies import CHOOSING, cookie_of, digest_of, give, take_back
from api.session.forgery import refuse_forged, refuse_other_sites
from api.session.schemas import OidcWay, SessionView, SignInMethods, SignInRequest
from api.session.service import SessionService
from store.page_tables import SignIn
from store.repositories import Identity
from store.repositories.sign_ins import signed_in

router = APIRouter(prefix="/v1/session", tags=["session"], responses=described(422))

PATH = "/v1/session"
_NO_STORE = {"Cache-Control": "no-store"}
_Cookie = Annotated[str | None, Depends(browser_cookie)]


@router.get("/methods")
def get_sign_in_methods(ctx: Ctx, request: Request) -> SignInMethods:
    """Say how one can sign in here. Needs nothing."""
    ctx.gate.admit_anonymous(request)
    settings = ctx.settings
    oidc = None
    if settings.oidc_issuer is not None and settings.oidc_client_id is not None:
        oidc = OidcWay(issuer=settings.oidc_issuer, start=f"{PATH}/oidc")
    return SignInMethods(key=True, oidc=oidc)


@router.post(
    "", status_code=201, response_model=SessionView, responses=described(401, 403, 413, 415)
)
def sign_in(ctx: Ctx, request: Request, asked: SignInRequest) -> Response:
    """Sign a browser in with a key: the cookie of the answer takes its place.

    The sign-in ends with the key at the latest, and whoever was signed in with the browser before
    is signed out.
    """
    refuse_other_sites(request)
    ctx.gate.approach(request, asked.key)
    try:
        who = key_of(ctx, asked.key)
    except Problem as problem:
        if problem.status == HTTPStatus.UNAUTHORIZED:
            ctx.gate.refuse(request)
        raise
    who = ctx.gate.admit(request, who, asked.key)
    return signed_in_answer(ctx, request, who, "key")


@router.get("", responses=described(401, 403))
def get_session(ctx: Ctx, request: Request, response: Response, _way: _Cookie) -> SessionView:
    """Return who is signed in with this browser, and the token for what is not a ``GET``."""
    cookie, who, row = _here(ctx, request)
    response.headers.update(_NO_STORE)
    with ctx.database.read() as session:
        return SessionService(session, who, ctx.settings, ctx.pepper).view(row, cookie)


@router.delete("", status_code=204, responses=described(401, 403))
def sign_out(ctx: Ctx, request: Request, response: Response, _way: _Cookie) -> None:
    """Sign this browser out, at once and for good. Needs the header ``Graft-CSRF``."""
    _value, who, _row = _here(ctx, request)
    if who.sign_in is not None:
        with ctx.database.write() as session:
            SessionService(session, who, ctx.settings, ctx.pepper).end(who.sign_in, "sign-out")
    take_back(response, request)
    CHOOSING.take_back(response, request)


def signed_in_answer(ctx: Context, request: Request, who: Identity, by: str) -> Response:
    """Return the answer that signs a browser in, in the place of whoever was signed in before.

    The value of an earlier cookie is never gone on with: somebody else may know it.

    Args:
        ctx: The app's context.
        request: Of the browser.
        who: A key, or a person with the scopes that their token brings.
        by: What they came with: ``key`` or ``oidc``.
    """
    view, value = start(ctx, request, who, by)
    response = Response(
        view.model_dump_json(), 201, _NO_STORE | {"Location": PATH}, "application/json"
    )
    give(response, request, value)
    return response


def start(
    ctx: Context, request: Request, who: Identity, by: str, *, before: str | None = None
) -> tuple[SessionView, str]:
    """Sign a browser in, and whoever was before out.

    Args:
        ctx: The app's context.
        request: Of the browser.
        who: As for ``signed_in_answer``.
        by: As for ``signed_in_answer``.
        before: Digest of the sign-in that the browser had, where it may not have brought its
            cookie.

    Returns:
        The view, and the cookie's value.
    """
    cookie = cookie_of(request)
    digest = before if cookie is None else digest_of(cookie, ctx.pepper)
    with ctx.database.read() as session:
        found = None if digest is None else signed_in(session, digest, ctx.settings)
    earlier = None if found is None else found[0]
    with ctx.database.write() as session:
        if earlier is not None and earlier.sign_in is not None:
            old = SessionService(session, earlier, ctx.settings, ctx.pepper)
            old.end(earlier.sign_in, "replaced")
        return SessionService(session, who, ctx.settings, ctx.pepper).start(by)


def _here(ctx: Context, request: Request) -> tuple[str, Identity, SignIn]:
    """Return the cookie of the browser that asks, and who is signed in with it."""
    cookie = cookie_of(request)
    if cookie is None:
        # No guess at anything: the page asks so whenever it is opened.
        ctx.gate.admit_anonymous(request)
        raise not_signed_in()
    ctx.gate.approach(request, cookie)
    try:
        who, row = signed_in_with(ctx, cookie)
    except Problem:
        ctx.gate.refuse(request)
        raise
    who = ctx.gate.admit(request, who, cookie)
    refuse_forged(request, cookie, ctx.pepper)
    touch_if_due(ctx, who)
    return cookie, who, row
