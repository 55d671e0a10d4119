"""Signing in with an OpenID Connect issuer: the authorization code flow.

OpenID Connect Core 1.0, 3.1, with PKCE (RFC 7636, S256), as RFC 9700 advises. What has to be
remembered between going to the issuer and coming back is sealed in a cookie of the browser that
went: another browser cannot come back in its place, and the service keeps nothing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus, urlencode, urlsplit

from fastapi import Request, Response

from api.context import Context
from api.problems import Problem
from api.session.cookies import Interim, cookie_of, digest_of
from store.settings import Settings

if TYPE_CHECKING:  # loaded where people are let in, and nowhere else
    from api.oidc.asking import Endpoints
    from api.oidc.tokens import Claims, TokenChecker

UNDER_WAY = Interim("graft_oidc", "/v1/session/oidc", seconds=600, samesite="lax")
CALLBACK_PATH = "/v1/session/oidc/callback"


@dataclass(frozen=True)
class Arrival:
    """Who has come back from the issuer.

    Attributes:
        claims: What the issuer vouches for.
        workspace: In which they want to be; null: they did not say.
        before: Digest of the sign-in that the browser had when it went; null: it had none.
    """

    claims: Claims
    workspace: str | None
    before: str | None


@dataclass(frozen=True)
class Answer:
    """What a browser brings back from the issuer (OpenID Connect Core 1.0, 3.1.2.5 and 3.1.2.6)."""

    code: str | None
    state: str | None
    error: str | None
    iss: str | None


def checker_of(ctx: Context) -> TokenChecker:
    """Return what checks people's tokens.

    Raises:
        Problem: 404 ``oidc_off``.
    """
    if ctx.tokens is None or ctx.settings.oidc_client_id is None:
        raise Problem(
            404,
            "oidc_off",
            "One cannot sign in with an issuer here.",
            "Use an API key; operators: GRAFT_OIDC_ISSUER and GRAFT_OIDC_CLIENT_ID.",
        )
    return ctx.tokens


def go(ctx: Context, request: Request, response: Response, workspace: str | None) -> str:
    """Send a browser to the issuer; return the address.

    Args:
        ctx: The app's context.
        request: Of the browser.
        response: Gets the cookie without which nobody can come back.
        workspace: In which somebody wants to be, by name or id; null: they will choose.

    Raises:
        Problem: 404 ``oidc_off``, 503 ``issuer_unavailable``.
    """
    endpoints = _endpoints(checker_of(ctx))
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    back = _callback(ctx.settings, request)
    # On the way back the browser comes from another site, and brings no strict cookie.
    before = cookie_of(request)
    held = {
        "before": None if before is None else digest_of(before, ctx.pepper),
        "state": state,
        "nonce": nonce,
        "verifier": verifier,
        "back": back,
        "workspace": workspace,
    }
    UNDER_WAY.give(response, request, ctx.pepper, held)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
    asked = {
        "response_type": "code",
        "client_id": str(ctx.settings.oidc_client_id),
        "redirect_uri": back,
        "scope": ctx.settings.oidc_scopes,
        "state": state,
        "nonce": nonce,
        "code_challenge": challenge.rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }
    address = urlsplit(endpoints.authorization)
    query = "&".join(part for part in (address.query, urlencode(asked)) if part)
    return address._replace(query=query).geturl()


def come_back(ctx: Context, request: Request, answer: Answer) -> Arrival:
    """Return who has come back from the issuer.

    Raises:
        Problem: 400 ``sign_in_lost``, 401 ``sign_in_refused`` or ``token_invalid``, 404
            ``oidc_off``, 503 ``issuer_unavailable``.
    """
    checker = checker_of(ctx)
    held = UNDER_WAY.read(request, ctx.pepper)
    if held is None or not hmac.compare_digest(
        (answer.state or "").encode("utf-8", "replace"), held["state"].encode()
    ):
        raise Problem(
            400,
            "sign_in_lost",
            "The sign-in was not begun with this browser, or too long ago.",
            "Sign in again, in one window.",
        )
    endpoints = _endpoints(checker)
    named = answer.iss is not None or endpoints.names_itself
    if named and answer.iss != ctx.settings.oidc_issuer:
        # RFC 9207: the answer of another issuer, with a code that is not for us to spend.
        raise _refused("It is the answer of another issuer.")
    if answer.error is not None or not answer.code:
        # Never the issuer's own words: anybody can write them into an address.
        raise _refused("The issuer did not let you in.")
    tokens = _redeemed(checker, endpoints, ctx.settings, answer.code, held)
    id_token = tokens.get("id_token")
    if not isinstance(id_token, str):
        raise _unavailable()
    claims = checker.check_id_token(id_token, held["nonce"])
    # A process of an earlier version may have sealed it, and known no `before`.
    return Arrival(claims, held["workspace"], held.get("before"))


def _endpoints(checker: TokenChecker) -> Endpoints:
    from api.oidc.issuer import IssuerSilentError

    try:
        return checker.issuer.endpoints()
    except IssuerSilentError:
        raise _unavailable() from None


def _redeemed(
    checker: TokenChecker,
    endpoints: Endpoints,
    settings: Settings,
    code: str,
    held: dict[str, Any],
) -> dict[str, Any]:
    """Return the tokens that a code is good for."""
    from api.oidc.asking import RefusedByIssuerError
    from api.oidc.issuer import IssuerSilentError

    client_id = str(settings.oidc_client_id)
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": held["back"],
        "code_verifier": held["verifier"],
    }
    login = None
    if settings.oidc_client_secret is None:
        form["client_id"] = client_id
    elif endpoints.takes_basic:
        # RFC 6749, 2.3.1
        secret = settings.oidc_client_secret.get_secret_value()
        login = (quote_plus(client_id), quote_plus(secret))
    else:
        form["client_id"] = client_id
        form["client_secret"] = settings.oidc_client_secret.get_secret_value()
    try:
        return checker.issuer.redeem(form, login)
    except RefusedByIssuerError:
        raise _refused("The issuer does not know the code, or not any more.") from None
    except IssuerSilentError:
        raise _unavailable() from None


def _unavailable() -> Problem:
    from api.oidc.tokens import issuer_unavailable

    return issuer_unavailable()


def _callback(settings: Settings, request: Request) -> str:
    """Return where the issuer sends a browser back to.

    Without a setting it follows the browser's own `Host`. The issuer sends nobody to an address
    that it was not told of before, so a made-up one leads nowhere.
    """
    base = settings.oidc_public_url or f"{request.url.scheme}://{request.url.netloc}"
    return f"{base}{CALLBACK_PATH}"


def _refused(sentence: str) -> Problem:
    return Problem(
        401,
        "sign_in_refused",
        f"You are not signed in. {sentence}",
        "Sign in again, or ask the administrator of your accounts.",
        headers={"WWW-Authenticate": 'Bearer realm="graft"'},
    )
