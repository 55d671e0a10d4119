"""The issuer's keys: asked for seldom, kept for a while, and never waited for by many.

OpenID Connect Discovery 1.0 says where they are; RFC 7517 what they look like.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import structlog
from jwt import PyJWK, PyJWTError

from api.oidc.asking import Endpoints, answered, asking, endpoints_in
from store.identity_settings import IdentitySettings, is_trustworthy

RETRY_AFTER_SECONDS = 5
# A key that the issuer has withdrawn must not live on for long because nobody can ask.
_USED_WITHOUT_ISSUER_SECONDS = 3600.0
# A token may name any key: for one that is not known the issuer is asked this often at most.
_PAUSE_SECONDS = 10.0
_PAUSE_AFTER_FAILURE_SECONDS = 5.0
_TIMEOUT_SECONDS = 2.0
_DEADLINE_SECONDS = 5.0
# So many of the process' threads may wait for the issuer; the others answer 503 at once.
_MAX_WAITING = 8
_log = structlog.get_logger("api")

# RFC 8725, 3.1 and 3.2: asymmetric ones alone, and each with keys that are made for it.
_ALGORITHMS: dict[tuple[str, str], tuple[str, ...]] = {
    ("RSA", ""): ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    ("EC", "P-256"): ("ES256",),
    ("EC", "P-384"): ("ES384",),
    ("EC", "P-521"): ("ES512",),
    ("OKP", "Ed25519"): ("EdDSA",),
}

ALGORITHMS = frozenset(name for names in _ALGORITHMS.values() for name in names)


class IssuerSilentError(Exception):
    """The issuer does not answer, or not with what an issuer answers."""


@dataclass(frozen=True)
class VerifyingKey:
    """A public key of the issuer."""

    kid: str | None
    key: Any
    algorithms: tuple[str, ...]
    """What it may verify."""


@dataclass(frozen=True)
class _Known:
    keys: tuple[VerifyingKey, ...]
    endpoints: Endpoints | None
    fetched_at: float

    def named(self, kid: str | None) -> VerifyingKey | None:
        # Without a name there must be no choice (OpenID Connect Core 1.0, 10.1).
        if kid is None:
            return self.keys[0] if len(self.keys) == 1 else None
        return next((key for key in self.keys if key.kid == kid), None)

    def age(self) -> float:
        return time.monotonic() - self.fetched_at


class Issuer:
    """An OpenID Connect issuer. One a process; safe for threads."""

    def __init__(self, settings: IdentitySettings) -> None:
        if settings.oidc_issuer is None:
            raise ValueError("no issuer is set")
        self._url = settings.oidc_issuer
        self._cache_seconds = settings.oidc_jwks_cache_seconds
        self._ca_file = settings.oidc_ca_file
        self._known: _Known | None = None
        self._lock = threading.Lock()
        self._seats = threading.BoundedSemaphore(_MAX_WAITING)
        self._next_try_at = 0.0
        self._has_failed = False

    def key(self, kid: str | None) -> VerifyingKey | None:
        """Return the key of that name; null when the issuer has none.

        Args:
            kid: As the token's header names it; null: it names none.

        Raises:
            IssuerSilentError: Nobody can say, because the issuer does not answer.
        """
        known = self._known
        found = known.named(kid) if known else None
        if known is None or found is None or known.age() >= self._cache_seconds:
            self._ask(is_needed=found is None)
            known = self._known
            found = known.named(kid) if known else None
        longest = self._cache_seconds + _USED_WITHOUT_ISSUER_SECONDS
        if known is None or known.age() >= longest or (found is None and self._has_failed):
            raise IssuerSilentError
        return found

    def renewed(self, kid: str | None, tried: VerifyingKey) -> VerifyingKey | None:
        """Return the key that has taken the place of one that does not fit; null: none has.

        A new key may come under the name of an old one, or where tokens name none, under no name.

        Raises:
            IssuerSilentError: The token names no key, and nobody can say whether there is another.
        """
        try:
            self._ask(is_needed=True)
            found = self.key(kid)
        except IssuerSilentError:
            if kid is None:
                raise
            return None
        if kid is None and self._has_failed:
            raise IssuerSilentError
        return None if found == tried else found

    def endpoints(self) -> Endpoints:
        """Return where one signs in.

        Raises:
            IssuerSilentError: The issuer does not answer, or does not say.
        """
        known = self._known
        if known is None or known.age() >= self._cache_seconds:
            self._ask(is_needed=known is None)
            known = self._known
        if known is None or known.endpoints is None:
            raise IssuerSilentError
        return known.endpoints

    def redeem(self, form: Mapping[str, str], login: tuple[str, str] | None) -> dict[str, Any]:
        """Ask for tokens (RFC 6749, 4.1.3).

        Args:
            form: What is asked.
            login: Client id and secret, where they go into a header.

        Raises:
            RefusedByIssuerError: The issuer says that the code is not good.
            IssuerSilentError: It does not answer, or not with what an issuer answers.
        """
        address = self.endpoints().token
        if not self._seats.acquire(blocking=False):
            raise IssuerSilentError
        try:
            with asking(self._ca_file, _TIMEOUT_SECONDS) as client:
                return answered(client, "POST", address, form, login)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, RecursionError, OSError) as error:
            _log.warning("issuer_failed", kind=type(error).__name__, why=str(error)[:200])
            raise IssuerSilentError from None
        finally:
            self._seats.release()

    def _ask(self, *, is_needed: bool) -> None:
        """Ask for the keys anew, unless somebody did just now.

        Args:
            is_needed: Wait for somebody who is asking already; else go on with what is known.
        """
        if time.monotonic() < self._next_try_at:
            return
        if not self._seats.acquire(blocking=False):
            if is_needed:
                raise IssuerSilentError
            return
        try:
            if not self._lock.acquire(timeout=_DEADLINE_SECONDS if is_needed else 0):
                if is_needed:
                    raise IssuerSilentError
                return
            try:
                if time.monotonic() >= self._next_try_at:
                    self._try()
            finally:
                self._lock.release()
        finally:
            self._seats.release()

    def _try(self) -> None:
        try:
            self._known = _Known(*self._fetch(), time.monotonic())
            self._has_failed = False
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, RecursionError, OSError) as error:
            self._has_failed = True
            _log.warning("issuer_failed", kind=type(error).__name__, why=str(error)[:200])
        pause = _PAUSE_AFTER_FAILURE_SECONDS if self._has_failed else _PAUSE_SECONDS
        self._next_try_at = time.monotonic() + pause

    def _fetch(self) -> tuple[tuple[VerifyingKey, ...], Endpoints | None]:
        with asking(self._ca_file, _TIMEOUT_SECONDS) as client:
            url = f"{self._url.rstrip('/')}/.well-known/openid-configuration"
            about = answered(client, "GET", url)
            if about.get("issuer") != self._url:
                raise ValueError("the discovery document is of another issuer")
            address = about.get("jwks_uri")
            if not isinstance(address, str) or not is_trustworthy(address):
                raise ValueError("the discovery document names no trustworthy jwks_uri")
            found = usable_keys(answered(client, "GET", address).get("keys"))
        if not found:
            raise ValueError("the issuer has no key that can be used")
        return found, endpoints_in(about)


def usable_keys(given: object) -> tuple[VerifyingKey, ...]:
    """Return the keys of a JWK set that may verify signatures; what cannot is left out."""
    found = []
    for jwk in given if isinstance(given, list) else []:
        if not isinstance(jwk, dict) or jwk.get("use", "sig") != "sig":
            continue
        operations = jwk.get("key_ops")
        if isinstance(operations, list) and "verify" not in operations:
            continue
        kid = jwk.get("kid")
        algorithms = _algorithms_of(jwk)
        if not algorithms or not (kid is None or isinstance(kid, str)):
            continue
        try:
            key = PyJWK(jwk, algorithms[0]).key
        except (PyJWTError, ValueError, TypeError):
            continue
        found.append(VerifyingKey(kid, key, algorithms))
    return tuple(found)


def _algorithms_of(jwk: Mapping[str, Any]) -> tuple[str, ...]:
    kind = str(jwk.get("kty"))
    curve = "" if kind == "RSA" else str(jwk.get("crv"))
    possible = _ALGORITHMS.get((kind, curve), ())
    declared = jwk.get("alg")
    return possible if declared is None else tuple(a for a in possible if a == declared)
