"""Digests that a client sends with a body (RFC 9530)."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping

from api.problems import Problem

_HEADERS = ("content-digest", "repr-digest")
# A dictionary of byte sequences (RFC 9651); other algorithms than SHA-256 are not looked at.
_MEMBER = re.compile(r"\s*([a-z*][a-z0-9_.*-]*)=:([A-Za-z0-9+/=]*):\s*")
_BYTES = 32


def stated_sha256(headers: Mapping[str, str]) -> str | None:
    """Return the SHA-256, hex, that a request says its body has; null where it says none.

    Of a body that is not encoded, ``Content-Digest`` and ``Repr-Digest`` mean the same bytes.

    Raises:
        Problem: 400 ``digest_unreadable``; also where the two headers differ.
    """
    found: set[str] = set()
    for name in _HEADERS:
        value = headers.get(name)
        if value is None:
            continue
        members = [_MEMBER.fullmatch(member) for member in value.split(",")]
        for member in members:
            if member is None:
                raise _unreadable()
            if member[1] == "sha-256":
                found.add(_decoded(member[2]))
    if len(found) > 1:
        raise _unreadable()
    return found.pop() if found else None


def digest_header(sha256: str) -> str:
    """Return the value of ``Repr-Digest`` for a SHA-256 in hex."""
    return f"sha-256=:{base64.b64encode(bytes.fromhex(sha256)).decode()}:"


def mismatch() -> Problem:
    """Return the answer for a body that is not what was said."""
    return Problem(
        422,
        "digest_mismatch",
        "The body has another SHA-256 than its digest header says.",
        "It was damaged on the way: send it again.",
    )


def _decoded(text: str) -> str:
    try:
        digest = base64.b64decode(text, validate=True)
    except binascii.Error:
        digest = b""
    if len(digest) != _BYTES:
        raise _unreadable()
    return digest.hex()


def _unreadable() -> Problem:
    return Problem(
        400,
        "digest_unreadable",
        "The digest header cannot be read.",
        "Send `Repr-Digest: sha-256=:BASE64:` (RFC 9530), or none.",
    )
