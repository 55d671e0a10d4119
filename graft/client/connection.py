"""What both clients' connections have in common."""

from __future__ import annotations

import re

import httpx

from gan_core import __version__
from gan_core.spec.errors import GraftError

# Long enough for a large upload's last byte to be answered, short enough to notice a dead peer.
TIMEOUT = httpx.Timeout(60.0, connect=5.0)
# What a header can carry (RFC 6750's b64token has fewer).
_KEY = re.compile(r"[!-~]+")


def request_headers(key: str | None) -> dict[str, str]:
    """Return the headers of every request.

    Raises:
        GraftError: ``key_unusable``; it does not repeat the key.
    """
    headers = {"User-Agent": f"graft/{__version__}"}
    if key is not None:
        if not _KEY.fullmatch(key):
            raise GraftError(
                "key_unusable",
                "The API key is empty, or holds a space, a line's end or another such character.",
                "Copy it again, on one line: graft_…",
            )
        headers["Authorization"] = f"Bearer {key}"
    return headers


def is_loopback(base_url: str) -> bool:
    """Say whether a service is on this machine, where no proxy has a part in it."""
    return httpx.URL(base_url).host in {"localhost", "127.0.0.1", "::1"}


def ignore_update(_: object) -> None:
    """An ``on_update`` for callers that do not want to know."""
