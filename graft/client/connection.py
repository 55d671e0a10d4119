"""What both clients' connections have in common."""

from __future__ import annotations

import httpx

from gan_core import __version__

# Long enough for a large upload's last byte to be answered, short enough to notice a dead peer.
TIMEOUT = httpx.Timeout(60.0, connect=5.0)


def request_headers(key: str | None) -> dict[str, str]:
    """Return the headers of every request."""
    headers = {"User-Agent": f"graft/{__version__}"}
    if key is not None:
        headers["Authorization"] = f"Bearer {key}"
    return headers


def is_loopback(base_url: str) -> bool:
    """Say whether a service is on this machine, where no proxy has a part in it."""
    return httpx.URL(base_url).host in {"localhost", "127.0.0.1", "::1"}


def ignore_update(_: object) -> None:
    """An ``on_update`` for callers that do not want to know."""
