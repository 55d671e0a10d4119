"""Asking an issuer over HTTP: within a time, within a size, and nobody else in its place."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from store.identity_settings import is_trustworthy

_DEADLINE_SECONDS = 5.0
_MAX_BYTES = 1024 * 1024


class RefusedByIssuerError(Exception):
    """The issuer says that what was sent is not good; the argument is its own code for that."""


@dataclass(frozen=True)
class Endpoints:
    """Where one signs in (OpenID Connect Discovery 1.0, 3).

    Attributes:
        authorization: Where a browser goes.
        token: Where a code becomes tokens.
        takes_basic: Whether a client's secret may go into a header there.
        names_itself: Whether the answer to a browser says whose it is (RFC 9207).
    """

    authorization: str
    token: str
    takes_basic: bool
    names_itself: bool


def endpoints_in(about: Mapping[str, Any]) -> Endpoints | None:
    """Return the endpoints in a discovery document; null when it names none that can be trusted."""
    authorization, token = (
        about.get(name) for name in ("authorization_endpoint", "token_endpoint")
    )
    if not isinstance(authorization, str) or not isinstance(token, str):
        return None
    if not is_trustworthy(authorization) or not is_trustworthy(token):
        return None
    ways = about.get("token_endpoint_auth_methods_supported")
    return Endpoints(
        authorization,
        token,
        # Left out, it is this one alone.
        takes_basic=not isinstance(ways, list) or "client_secret_basic" in ways,
        names_itself=about.get("authorization_response_iss_parameter_supported") is True,
    )


@contextmanager
def asking(ca_file: Path | None, timeout: float) -> Iterator[httpx.Client]:
    """Open what asks; it follows nobody elsewhere.

    Args:
        ca_file: Certificates that the issuer's is checked against; null: those well known.
        timeout: Seconds for each step of an exchange.
    """
    trusted = True if ca_file is None else ssl.create_default_context(cafile=ca_file)
    with httpx.Client(
        timeout=timeout,
        verify=trusted,
        follow_redirects=False,
        headers={"Accept": "application/json", "Accept-Encoding": "identity"},
    ) as client:
        yield client


def answered(
    client: httpx.Client,
    method: str,
    url: str,
    form: Mapping[str, str] | None = None,
    login: tuple[str, str] | None = None,
) -> dict[str, Any]:
    """Return a JSON object from an address.

    Raises:
        RefusedByIssuerError: A form was answered with ``invalid_grant`` (RFC 6749, 5.2).
        ValueError: It is no JSON object, too large, too slow, or another status than 200.
    """
    until = time.monotonic() + _DEADLINE_SECONDS
    with client.stream(method, url, data=form, auth=login) as answer:
        body = bytearray()
        if answer.status_code not in {httpx.codes.OK, httpx.codes.BAD_REQUEST}:
            raise ValueError(f"the issuer answered {answer.status_code}")
        for part in answer.iter_bytes():
            body += part
            if len(body) > _MAX_BYTES or time.monotonic() > until:
                raise ValueError("the issuer's answer is too large, or comes too slowly")
    document = json.loads(body)
    if not isinstance(document, dict):
        raise ValueError("the issuer answered no JSON object")  # noqa: TRY004 - not our type
    if answer.status_code != httpx.codes.OK:
        if form is not None and document.get("error") == "invalid_grant":
            raise RefusedByIssuerError
        raise ValueError(f"the issuer answered {answer.status_code}")
    return document
