"""Which call needs which role, read off the routes: ``python -m api.roles > docs/roles.md``."""

from __future__ import annotations

import sys
from typing import Any, get_args

from fastapi import FastAPI

from api.app import assemble
from store.roles import Role, what_scopes_allow

_METHODS = ("get", "head", "post", "put", "patch", "delete")
_ROLES: tuple[Role, ...] = get_args(Role)
_HEAD = """# Who may do what

Written by `python -m api.roles`; a test compares it with the routes. A role is a key's scope, or what a person's groups bring ([people](people.md)). `researcher` includes `reader`, `admin` includes both. Everything happens in one workspace: what belongs to another is a 404, as if it were not there.

"""  # noqa: E501
_TAIL = """
Not listed: the probes, the pages and the contract itself (`/livez`, `/readyz`, `/metrics`, `/`, `/docs`, `/openapi.json`), which need no key, and signing in and out with a browser (`/v1/session`), which anybody can who has a key or an account. Keep `/metrics` from the outside with your proxy if its figures are no one's business. Making workspaces is no call at all: `graft workspaces create` works on the database.
"""  # noqa: E501


def needed_scopes(app: FastAPI) -> dict[tuple[str, str], list[str]]:
    """Return the scopes that each call of the contract needs, by method and path.

    A call that names no way to authorise is left out, as is one for signed-in browsers alone.
    """
    found = {}
    paths: dict[str, Any] = app.openapi()["paths"]
    for path, calls in sorted(paths.items()):
        for method in _METHODS:
            ways = [way for way in calls.get(method, {}).get("security", []) if "key" in way]
            if ways:
                scopes = {scope for way in ways for scope in way["key"]}
                found[method.upper(), path] = sorted(scopes)
    return found


def table(app: FastAPI) -> str:
    """Return the page."""
    lines = [f"| call | {' | '.join(_ROLES)} |", "|---|" + ":---:|" * len(_ROLES)]
    for (method, path), scopes in needed_scopes(app).items():
        marks = ["✓" if what_scopes_allow([role]).issuperset(scopes) else "" for role in _ROLES]
        lines.append(f"| `{method} {path}` | {' | '.join(marks)} |")
    return _HEAD + "\n".join(lines) + "\n" + _TAIL


if __name__ == "__main__":
    sys.stdout.write(table(assemble()))
