"""What keys and people may do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

Role = Literal["reader", "researcher", "admin"]

_BRINGS: dict[str, frozenset[str]] = {
    "reader": frozenset({"reader"}),
    "researcher": frozenset({"reader", "researcher"}),
    "admin": frozenset({"reader", "researcher", "admin"}),
}


def what_scopes_allow(scopes: Iterable[str]) -> frozenset[str]:
    """Return the scopes, and those that they bring with them."""
    return frozenset().union(*(_BRINGS.get(scope, frozenset()) for scope in scopes))
