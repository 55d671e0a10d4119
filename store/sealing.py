"""What must be kept and yet be readable by nobody who has the database alone."""

from __future__ import annotations

import base64

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


class Seal:
    """Encrypts small texts (Fernet: AES-128-CBC and HMAC-SHA256).

    Args:
        secret: The service's ``secret_key``.
        purpose: What is sealed; the same secret makes another key for each (HKDF, RFC 5869).
    """

    def __init__(self, secret: str, purpose: str) -> None:
        derived = HKDF(SHA256(), 32, salt=None, info=f"graft {purpose}".encode()).derive(
            secret.encode()
        )
        self._fernet = Fernet(base64.urlsafe_b64encode(derived))

    def close(self, text: str) -> str:
        """Return a text sealed."""
        return self._fernet.encrypt(text.encode()).decode("ascii")

    def open(self, sealed: str) -> str | None:
        """Return what was sealed; null when it was changed, or sealed with another secret."""
        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except InvalidToken:
            return None
