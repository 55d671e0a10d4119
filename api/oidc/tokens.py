"""Bearer tokens: JSON Web Tokens (RFC 7519), checked as RFC 8725 and RFC 9068 advise."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import jwt

from api.oidc.issuer import ALGORITHMS, RETRY_AFTER_SECONDS, Issuer, IssuerSilentError, VerifyingKey
from api.problems import Problem
from store.identity_settings import IdentitySettings

_MAX_CHARACTERS = 16_384
_MAX_SUBJECT = 255  # OpenID Connect Core 1.0, 2
_MAX_NAME = 200
_LAST_MOMENT = datetime(9999, 12, 31, tzinfo=UTC)
# RFC 9068, 2.1; ID tokens and most issuers' access tokens say JWT or nothing. What is signed with
# the same keys for another purpose (logout+jwt, secevent+jwt, dpop+jwt, …) is no proof of anyone.
_TYPES = frozenset({"", "jwt", "at+jwt"})
# As Keycloak marks, inside, what is not to be shown to a service.
_NO_BEARER = frozenset({"refresh", "offline", "logout"})


class _RefusedError(Exception):
    """A token that is none for us, with the reason in a sentence of our own."""


@dataclass(frozen=True)
class Claims:
    """What a token says that was checked."""

    issuer: str
    subject: str
    name: str
    groups: list[str]
    expires_at: datetime


class TokenChecker:
    """Checks tokens of one issuer for one audience."""

    def __init__(self, settings: IdentitySettings, issuer: Issuer | None = None) -> None:
        self._settings = settings
        self.issuer = issuer or Issuer(settings)

    def check(self, token: str) -> Claims:
        """Return what a bearer token says.

        Raises:
            Problem: 401 ``token_invalid`` or ``token_expired``; 503 ``issuer_unavailable``.
        """
        return self._checked(token, self._settings.oidc_audience, None)

    def check_id_token(self, token: str, nonce: str) -> Claims:
        """Return what an ID token says that was asked for (OpenID Connect Core 1.0, 3.1.3.7).

        Args:
            token: As the issuer's token endpoint gave it.
            nonce: That it was asked for with.

        Raises:
            Problem: 401 ``token_invalid`` or ``token_expired``; 503 ``issuer_unavailable``.
        """
        return self._checked(token, self._settings.oidc_client_id, nonce)

    def _checked(self, token: str, audience: str | None, nonce: str | None) -> Claims:
        try:
            said = self._verified(token, audience)
            if nonce is not None:
                self._must_answer(said, nonce)
            return self._claims(said)
        except IssuerSilentError:
            raise issuer_unavailable() from None
        except jwt.ExpiredSignatureError:
            raise _refused("token_expired", "The token has expired.") from None
        except _RefusedError as error:
            raise _refused("token_invalid", f"The token was not accepted. {error}") from None
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
            raise _refused("token_invalid", _reason(error)) from None

    def _verified(self, token: str, audience: str | None) -> Mapping[str, Any]:
        if len(token) > _MAX_CHARACTERS:
            raise jwt.DecodeError
        header = jwt.get_unverified_header(token)
        kind = header.get("typ", "")
        if not isinstance(kind, str) or _without_application(kind) not in _TYPES:
            raise _RefusedError("It is of a type that is no bearer token.")
        if header.get("alg") not in ALGORITHMS:
            # Before the issuer is asked for anything.
            raise jwt.InvalidAlgorithmError
        kid = header.get("kid")
        if kid is not None and not isinstance(kid, str):
            raise jwt.DecodeError
        key = self.issuer.key(kid)
        if key is None:
            raise _RefusedError("The issuer has no such key.")
        try:
            return self._decoded(token, key, audience)
        except jwt.InvalidSignatureError:
            key = self.issuer.renewed(kid, key)
            if key is None:
                raise
            return self._decoded(token, key, audience)

    def _decoded(self, token: str, key: VerifyingKey, audience: str | None) -> Mapping[str, Any]:
        return jwt.decode(
            token,
            key.key,
            # Of the key, never of the token (RFC 8725, 3.1).
            algorithms=list(key.algorithms),
            audience=audience,
            issuer=self._settings.oidc_issuer,
            leeway=self._settings.oidc_leeway_seconds,
            options={
                "require": ["iss", "aud", "sub", "exp", "iat"],
                "enforce_minimum_key_length": True,
            },
        )

    def _must_answer(self, said: Mapping[str, Any], nonce: str) -> None:
        """Refuse an ID token that was made for another client, or for another sign-in."""
        given = said.get("nonce")
        if not isinstance(given, str) or not hmac.compare_digest(given.encode(), nonce.encode()):
            raise _RefusedError("It is of another sign-in.")
        if said.get("azp", self._settings.oidc_client_id) != self._settings.oidc_client_id:
            raise _RefusedError("It was made for another client.")

    def _claims(self, said: Mapping[str, Any]) -> Claims:
        subject = said["sub"]
        if not 0 < len(subject) <= _MAX_SUBJECT or not subject.isprintable():
            raise _RefusedError("Its `sub` cannot be kept.")
        if str(said.get("typ", "")).lower() in _NO_BEARER or "events" in said:
            raise _RefusedError("It is of a type that is no bearer token.")
        if "cnf" in said:
            # RFC 9449, 7.2; RFC 8705, 3: whoever shows it has to prove more than that they have it.
            raise _RefusedError("It is bound to a key whose proof is not supported.")
        return Claims(
            said["iss"],
            subject,
            _name(said),
            _groups(said, self._settings.oidc_groups_claim),
            datetime.fromtimestamp(min(int(said["exp"]), _LAST_MOMENT.timestamp()), UTC),
        )


def issuer_unavailable() -> Problem:
    """Return the answer while nobody can say whether a token is good."""
    return Problem(
        503,
        "issuer_unavailable",
        "The issuer of your token does not answer, so the token cannot be checked.",
        "Try again soon. API keys work meanwhile.",
        headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
    )


def _without_application(kind: str) -> str:
    return kind.lower().removeprefix("application/")


def _name(said: Mapping[str, Any]) -> str:
    for claim in ("name", "preferred_username", "email"):
        value = said.get(claim)
        if isinstance(value, str) and value.strip():
            return "".join(c for c in value.strip() if c.isprintable())[:_MAX_NAME]
    return ""


def _groups(said: Mapping[str, Any], claim: str) -> list[str]:
    found: Any = said.get(claim)
    if found is None:
        found = said
        for part in claim.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
    if isinstance(found, str):
        return [found]
    return [g for g in found if isinstance(g, str)] if isinstance(found, list) else []


# Said of what the issuer has signed alone, or of what anybody can see of a token.
_REASONS: dict[type[Exception], str] = {
    jwt.InvalidAudienceError: "It is for another audience.",
    jwt.InvalidIssuerError: "It is of another issuer.",
    jwt.ImmatureSignatureError: "It is not valid yet.",
    jwt.InvalidSignatureError: "Its signature is wrong.",
    jwt.InvalidAlgorithmError: "Its algorithm is not allowed.",
}


def _reason(error: Exception) -> str:
    if isinstance(error, jwt.MissingRequiredClaimError):
        return f"The token was not accepted. It lacks the claim `{error.claim}`."
    # Never the library's own words: they may repeat what the token holds.
    return f"The token was not accepted. {_REASONS.get(type(error), 'It cannot be read.')}"


def _refused(code: str, sentence: str) -> Problem:
    return Problem(
        401,
        code,
        sentence,
        "Ask the issuer for a new token that is meant for this service.",
        # RFC 6750, 3.1
        headers={
            "WWW-Authenticate": 'Bearer realm="graft", error="invalid_token",'
            f' error_description="{sentence.replace("`", "")}"'
        },
    )
