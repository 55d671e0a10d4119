"""Cookies of browsers (RFC 6265bis): a sign-in, and what is under way until there is one.

A sign-in's value is 256 random bits, of which the database has an HMAC alone. The token against
forged requests follows from the value: it is good for this sign-in and no other, and is kept
nowhere.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from dataclasses import dataclass
from typing import Any, Literal

from fastapi import Request, Response

from store.sealing import Seal

COOKIE = "graft_session"
CSRF_HEADER = "Graft-CSRF"
_VALUE_BYTES = 32
_LONGEST_VALUE = 200
# Browsers keep no cookie of more than 4096 bytes, name and attributes included.
_MOST_SEALED = 3800


def is_secure(request: Request) -> bool:
    """Say whether a request came by https, as far as the server was told (X-Forwarded-Proto)."""
    return request.url.scheme == "https"


def cookie_name(request: Request) -> str:
    """Return what the sign-in's cookie is called.

    By https only the name with ``__Host-`` is believed, which neither a neighbouring host nor
    anybody on the way can set (RFC 6265bis, 4.1.3.2).
    """
    return f"__Host-{COOKIE}" if is_secure(request) else COOKIE


def cookie_of(request: Request) -> str | None:
    """Return the value of the sign-in's cookie; null when there is none."""
    value = request.cookies.get(cookie_name(request))
    if not value:
        return None
    # Anything longer is none of ours, and not worth an HMAC.
    return value[:_LONGEST_VALUE]


def new_value() -> str:
    """Return the value of a new cookie."""
    return secrets.token_urlsafe(_VALUE_BYTES)


def digest_of(value: str, pepper: str) -> str:
    """Return what is kept of a cookie's value (hex)."""
    return _hmac(pepper, f"sign-in {value}")


def csrf_token_of(value: str, pepper: str) -> str:
    """Return the token that unsafe requests have to bring beside the cookie (hex)."""
    return _hmac(pepper, f"csrf {value}")


def give(response: Response, request: Request, value: str) -> None:
    """Have the browser keep a sign-in until it is closed."""
    response.set_cookie(
        cookie_name(request),
        value,
        path="/",
        secure=is_secure(request),
        httponly=True,
        samesite="strict",
    )


def take_back(response: Response, request: Request) -> None:
    """Have the browser forget the sign-in."""
    response.delete_cookie(
        cookie_name(request),
        path="/",
        secure=is_secure(request),
        httponly=True,
        samesite="strict",
    )


@dataclass(frozen=True)
class Interim:
    """What a browser is to bring back within minutes, unread and unchanged.

    Attributes:
        name: Of the cookie.
        path: Below which the browser sends it, where it came by http. By https its name is one
            that a neighbouring host cannot set, which asks for the path ``/``.
        seconds: For how long it is good.
        samesite: ``lax`` where the browser comes back from another site.
    """

    name: str
    path: str
    seconds: int
    samesite: Literal["lax", "strict"]

    def give(self, response: Response, request: Request, pepper: str, held: dict[str, Any]) -> bool:
        """Have the browser keep it; return whether it is small enough to be kept."""
        sealed = self._seal(pepper).close(json.dumps([int(time.time()) + self.seconds, held]))
        if len(sealed) > _MOST_SEALED:
            return False
        response.set_cookie(
            self._name(request),
            sealed,
            max_age=self.seconds,
            path=self._path(request),
            secure=is_secure(request),
            httponly=True,
            samesite=self.samesite,
        )
        return True

    def read(self, request: Request, pepper: str) -> dict[str, Any] | None:
        """Return what the browser brought back; null: nothing, too late, or not what it was."""
        text = self._seal(pepper).open(request.cookies.get(self._name(request), ""))
        if text is None:
            return None
        until, held = json.loads(text)
        return held if time.time() < until else None

    def take_back(self, response: Response, request: Request) -> None:
        """Have the browser forget it."""
        response.delete_cookie(
            self._name(request),
            path=self._path(request),
            secure=is_secure(request),
            httponly=True,
            samesite=self.samesite,
        )

    def _name(self, request: Request) -> str:
        # What is sealed is ours, and yet may be another browser's: a neighbouring host that could
        # plant its own here would have somebody signed in as whoever began there.
        return f"__Host-{self.name}" if is_secure(request) else self.name

    def _path(self, request: Request) -> str:
        return "/" if is_secure(request) else self.path

    def _seal(self, pepper: str) -> Seal:
        return Seal(pepper, f"cookie {self.name}")


# Who came from the issuer and is yet to choose one of several workspaces.
CHOOSING = Interim("graft_choosing", "/v1/session/workspace", seconds=600, samesite="strict")


def _hmac(pepper: str, text: str) -> str:
    return hmac.new(pepper.encode(), text.encode("utf-8", "replace"), hashlib.sha256).hexdigest()
