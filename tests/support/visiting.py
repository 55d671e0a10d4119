"""Visiting every route of an app: whoever must not get through, on each that there is."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient

Call = tuple[str, str]

PUBLIC: set[Call] = {
    ("GET", "/"),
    # The page's own files, the same for everyone: tests/api/test_page_files.py.
    ("GET", "/assets/{digest}/{name:path}"),
    ("GET", "/docs"),
    ("GET", "/livez"),
    ("HEAD", "/livez"),
    ("GET", "/readyz"),
    ("HEAD", "/readyz"),
    ("GET", "/metrics"),
    ("GET", "/openapi.json"),
    ("HEAD", "/openapi.json"),
    # Signing in, and what only a signed-in browser can ask: tests/api/session.
    ("GET", "/v1/session/methods"),
    ("POST", "/v1/session"),
    ("GET", "/v1/session"),
    ("DELETE", "/v1/session"),
    ("GET", "/v1/session/oidc"),
    ("GET", "/v1/session/oidc/callback"),
    ("GET", "/v1/session/workspace"),
    ("POST", "/v1/session/workspace"),
}
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
# What a call has to bring along, so that it is refused for its id and not for its body.
BODIES: dict[Call, dict[str, Any]] = {
    ("PATCH", "/v1/webhooks/{webhook_id}"): {"json": {"description": "x"}},
    ("PUT", "/v1/uploads/{upload_id}/parts/{number}"): {"content": b"x"},
}
# Where an id names nothing of the workspace, but a place in something that an id names.
NO_IDS = {"number": "1", "part_number": "1", "n": "1", "step_name": "train:infogan:10:s0"}


def calls_of(app: FastAPI) -> list[Call]:
    """Every method and path that the app answers, whatever kind of route it is."""
    found = []
    for context in iter_route_contexts(app.routes):
        # What is mounted, or a web socket, would have none: it must not slip through.
        assert context.methods, f"{context.path} is no plain route: teach this test about it"
        found += [(method, str(context.path)) for method in sorted(context.methods)]
    return found


def guarded(app: FastAPI) -> list[Call]:
    """Every call that is not for everybody."""
    return [call for call in calls_of(app) if call not in PUBLIC]


def absent(given: str) -> str:
    """An id like this one that nothing has."""
    return f"{given.partition('_')[0]}_{'0' * 26}"


class Visitor:
    """Asks for every call with one credential, always under the same request id.

    Args:
        client: Which asks; its cookies go along.
        bearer: Key or token; null: none.
        headers: Further ones.
    """

    def __init__(
        self, client: TestClient, bearer: str | None, headers: dict[str, str] | None = None
    ) -> None:
        self._client = client
        self._headers = {"X-Request-ID": "the-same"} | (headers or {})
        if bearer is not None:
            self._headers["Authorization"] = f"Bearer {bearer}"

    def ask(self, call: Call, ids: dict[str, str], **params: str) -> Any:
        """Make one call, with these ids in its path and these parameters."""
        method, path = call
        more = dict(BODIES.get(call, {}))
        headers = self._headers | more.pop("headers", {})
        address = path.format_map(ids)
        return self._client.request(method, address, params=params, headers=headers, **more)


class Everything(dict[str, str]):
    """Any id at all, for those who must not even get as far as an id."""

    def __missing__(self, name: str) -> str:
        return NO_IDS.get(name) or f"{name[:3]}_{'0' * 26}"


def not_refused(
    app: FastAPI,
    visitor: Visitor,
    status: int,
    codes: dict[str, str],
    methods: Collection[str] | None = None,
) -> list[tuple[Call, int, str]]:
    """The guarded calls that answer anything but this status and one of these codes.

    Args:
        app: Whose routes are visited.
        visitor: Who visits them.
        status: That each must answer.
        codes: Code of the problem, and what ``WWW-Authenticate`` must hold beside it.
        methods: Of the calls that are made; null: all.
    """
    found = []
    for call in guarded(app):
        if methods is not None and call[0] not in methods:
            continue
        answer = visitor.ask(call, Everything())
        if call[0] == "HEAD":
            code = next(iter(codes))  # there is no body to read it from
        else:
            code = answer.json().get("code", "") if answer.content else ""
        challenge = answer.headers.get("www-authenticate", "")
        is_refused = answer.status_code == status and code in codes
        if not (is_refused and codes.get(code, "") in challenge):
            found.append((call, answer.status_code, code))
    return found


def absent_of(theirs: dict[str, str]) -> dict[str, str]:
    """Ids like these that nothing has."""
    return {name: given if name in NO_IDS else absent(given) for name, given in theirs.items()}


def told_apart(app: FastAPI, visitor: Visitor, theirs: dict[str, str]) -> list[Any]:
    """The calls on an id that do not answer 404, or not the same for somebody's id and nobody's."""
    found: list[Any] = []
    for call in guarded(app):
        names = set(re.findall(r"{(\w+)", call[1]))
        if not names:
            continue
        if not names <= theirs.keys():
            found.append((call, f"`theirs` knows nothing of {sorted(names - theirs.keys())}"))
            continue
        real = visitor.ask(call, theirs)
        nobodys = visitor.ask(call, absent_of(theirs))
        if real.status_code != 404:
            found.append((call, real.status_code, real.text[:200]))
        elif (real.content, _lasting(real)) != (nobodys.content, _lasting(nobodys)):
            found.append((call, real.text, nobodys.text))
    return found


def _lasting(answer: Any) -> dict[str, str]:
    """The headers, but for those that count requests."""
    return {k: v for k, v in answer.headers.items() if not k.startswith("ratelimit")}


def filters_of(app: FastAPI) -> list[tuple[Call, str]]:
    """Every query parameter that is an id."""
    paths = app.openapi()["paths"]
    return [
        ((method.upper(), path), parameter["name"])
        for path, calls in paths.items()
        for method, call in calls.items()
        for parameter in call.get("parameters", [])
        if parameter["in"] == "query" and parameter["name"].endswith("_id")
    ]
