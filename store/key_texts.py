"""API keys: ``graft_<prefix>_<secret><checksum>``; only a prefix and an HMAC are ever stored."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import zlib
from dataclasses import dataclass

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PREFIX_LENGTH = 10
_SECRET_LENGTH = 40
_CHECK_LENGTH = 7


@dataclass(frozen=True)
class NewKey:
    """A key as it is shown once, and what is kept of it."""

    text: str
    prefix: str
    digest: str


def make_key(pepper: str) -> NewKey:
    """Return a new key with 200 random bits (10 characters of prefix come on top)."""
    prefix = _random(_PREFIX_LENGTH)
    body = f"graft_{prefix}_{_random(_SECRET_LENGTH)}"
    text = body + _checksum(body)
    return NewKey(text, prefix, digest_of(text, pepper))


def known_key(text: str, pepper: str) -> NewKey | None:
    """Return what is kept of a key that was made before; null when it is none of ours."""
    prefix = prefix_of(text)
    length = len("graft__") + _PREFIX_LENGTH + _SECRET_LENGTH + _CHECK_LENGTH
    if prefix is None or len(text) != length:
        return None
    return NewKey(text, prefix, digest_of(text, pepper))


def prefix_of(text: str) -> str | None:
    """Return the prefix of what may be a key; null when it cannot be one of ours.

    The checksum tells a typing error, and every string that is no key, without asking the
    database.
    """
    body, check = text[:-_CHECK_LENGTH], text[-_CHECK_LENGTH:]
    if not text.isascii() or not hmac.compare_digest(_checksum(body), check):
        return None
    parts = body.split("_")
    if len(parts) != 3 or parts[0] != "graft" or len(parts[1]) != _PREFIX_LENGTH:
        return None
    return parts[1]


def digest_of(text: str, pepper: str) -> str:
    """Return the HMAC-SHA256 (RFC 2104) of a key, hex. Random keys need no slow hash."""
    return hmac.new(pepper.encode(), text.encode(), hashlib.sha256).hexdigest()


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _checksum(body: str) -> str:
    number = zlib.crc32(body.encode())
    return "".join(_ALPHABET[(number >> shift) & 31] for shift in range(30, -1, -5))
