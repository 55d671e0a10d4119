"""Requests that another site has a browser send (CSRF), and what keeps them out.

Three things, each enough where the others are missing: the cookie is ``SameSite=Strict``; browsers
say where a request came from (Fetch Metadata, and ``Origin``); and unsafe requests bring a token
that other sites cannot read.
"""

from __future__ import annotations

import hmac
from urllib.parse import urlsplit

from fastapi import Request

from api.problems import Problem
from api.session.cookies import CSRF_HEADER, csrf_token_of

# RFC 9110, 9.2.1
_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_OURS = frozenset({"same-origin", "none"})
_PORTS = {"http": 80, "https": 443}


def refuse_other_sites(request: Request) -> None:
    """Refuse what a browser sends for another site.

    Raises:
        Problem: 403 ``csrf_failed``.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None and site not in _OURS:
        raise _forged("The browser says that another site asks for this.")
    origin = request.headers.get("origin")
    if origin is None or _is_own(origin, request.headers.get("host", "")):
        return
    # A browser that is told to send no referrer may hide where its own pages ask from.
    if not (origin == "null" and site in _OURS):
        raise _forged("The browser says that a page of another address asks for this.")


def refuse_forged(request: Request, cookie: str, pepper: str) -> None:
    """Refuse a request with a cookie that may not be of our own page.

    Raises:
        Problem: 403 ``csrf_failed``.
    """
    refuse_other_sites(request)
    if request.method in _SAFE:
        return
    given = request.headers.get(CSRF_HEADER, "").encode("utf-8", "replace")
    if not hmac.compare_digest(given, csrf_token_of(cookie, pepper).encode()):
        raise _forged(f"The header `{CSRF_HEADER}` is missing, or is not of this sign-in.")


def _is_own(origin: str, host: str) -> bool:
    """Say whether an origin is that of the address that was asked.

    The scheme is left out: behind a proxy that ends TLS it may be known to the browser alone.
    """
    try:
        parts = urlsplit(origin)
        theirs = (parts.hostname, parts.port or _PORTS.get(parts.scheme))
        asked = urlsplit(f"//{host}")
        ours = (asked.hostname, asked.port or _PORTS.get(parts.scheme))
    except ValueError:
        return False
    return bool(parts.hostname) and theirs == ours


def _forged(sentence: str) -> Problem:
    return Problem(
        403,
        "csrf_failed",
        f"The request was not carried out, for it may be forged. {sentence}",
        "Use the service's own page; programs send a key in `Authorization`, and need none of"
        " this. A proxy in front has to pass `Host` on as it came.",
    )
