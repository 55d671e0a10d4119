"""Signing secrets of webhooks, and how they are kept.

They have to be known to sign with, so a digest would not do: they are encrypted with a key that is
derived from the service's own secret (HKDF, RFC 5869), and the database alone gives none away.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from store.sealing import Seal

PREFIX = "whsec_"
_BYTES = 32
"""Standard Webhooks asks for 24 to 64."""


class SecretUnreadableError(Exception):
    """A secret was encrypted under another secret of the service."""


def new_secret() -> str:
    """Return a new signing secret: ``whsec_`` and 32 random bytes in base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(_BYTES)).decode()


class Sealer:
    """Encrypts and decrypts signing secrets.

    Args:
        secret_key: ``GRAFT_SECRET_KEY``.
    """

    def __init__(self, secret_key: str) -> None:
        self._seal = Seal(secret_key, "webhook secrets, 1")

    def seal(self, secret: str) -> str:
        """Return a secret as it is stored."""
        return self._seal.close(secret)

    def open(self, sealed: str) -> str:
        """Return a stored secret.

        Raises:
            SecretUnreadableError: The service's own secret has been changed since.
        """
        secret = self._seal.open(sealed)
        if secret is None:
            raise SecretUnreadableError
        return secret


def kept(sealed: str, now: datetime) -> dict[str, Any]:
    """Return the entry of a new secret in ``Webhook.secrets``."""
    return {"sealed": sealed, "created_at": now.isoformat(), "expires_at": None}


def live_secrets(entries: Sequence[dict[str, Any]], now: datetime) -> list[dict[str, Any]]:
    """Return the entries of secrets that are still signed with, the newest first."""
    return [entry for entry in entries if _ends_after(entry, now)]


def rotated(
    entries: Sequence[dict[str, Any]], sealed: str, now: datetime, overlap: timedelta
) -> list[dict[str, Any]]:
    """Return the entries after a rotation; no older secret lives longer than the overlap."""
    end = now + overlap
    older = [
        {**entry, "expires_at": end.isoformat()} if _ends_after(entry, end) else dict(entry)
        for entry in live_secrets(entries, now)
    ]
    return live_secrets([kept(sealed, now), *older], now)


def _ends_after(entry: dict[str, Any], moment: datetime) -> bool:
    ends = entry["expires_at"]
    return ends is None or datetime.fromisoformat(ends) > moment
