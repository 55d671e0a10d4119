"""Keys, people, and who is asking: every call about them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from graft.client.access_models import (
    Key,
    Me,
    NewKey,
    Person,
)
from graft.client.answers import (
    Page,
)
from graft.client.calls import Flows, id_of, making, params_of
from graft.client.flow import Flow, Send

# Within a class that has a method `list`, the name means that method.
Names = list[str]


class KeyFlows(Flows):
    """The flows of API keys."""

    def create(
        self,
        name: str,
        *,
        scopes: Names | None = None,
        expires_at: datetime | None = None,
        limits: Mapping[str, int | None] | None = None,
        idempotency_key: str | None = None,
    ) -> Flow[NewKey]:
        """Make a key; it is shown this once.

        Args:
            name: Whom or what it is for.
            scopes: ``reader``, ``researcher`` or ``admin``; default: the service's.
            expires_at: When it ends, with a time zone; None: never.
            limits: Lower than the workspace's, by name: ``{"unfinished_jobs": 5}``.
            idempotency_key: As for ``jobs.submit``.
        """
        body: dict[str, Any] = {"name": name}
        if scopes is not None:
            body["scopes"] = scopes
        if expires_at is not None:
            body["expires_at"] = expires_at.isoformat()
        if limits is not None:
            body["limits"] = dict(limits)
        return self._calls.read(NewKey, making("/v1/keys", idempotency_key, json=body))

    def list(self, *, limit: int | None = None, cursor: str | None = None) -> Flow[Page[Key]]:
        """Return a page of keys, the newest first, revoked ones included."""
        params = params_of(limit=limit, cursor=cursor)
        return self._calls.read(Page[Key], Send("GET", "/v1/keys", params))

    def get(self, key: Key | str) -> Flow[Key]:
        """Return what is kept of a key."""
        return self._calls.read(Key, Send("GET", f"/v1/keys/{id_of(key)}"))

    def rotate(
        self,
        key: Key | str,
        *,
        overlap_seconds: int | None = None,
        idempotency_key: str | None = None,
    ) -> Flow[NewKey]:
        """Make a key that replaces this one; it is shown this once.

        Args:
            key: The key, or its id.
            overlap_seconds: How long the old one works on; default: the service's.
            idempotency_key: As for ``jobs.submit``.
        """
        body = None if overlap_seconds is None else {"overlap_seconds": overlap_seconds}
        request = making(f"/v1/keys/{id_of(key)}/rotate", idempotency_key, json=body)
        return self._calls.read(NewKey, request)

    def revoke(self, key: Key | str) -> Flow[None]:
        """Make a key worthless at once."""
        yield from self._calls.send(Send("DELETE", f"/v1/keys/{id_of(key)}"))


class PersonFlows(Flows):
    """The flows of people who have come in with tokens of the hospital's own sign-in."""

    def list(self, *, limit: int | None = None, cursor: str | None = None) -> Flow[Page[Person]]:
        """Return a page of people, the newest first."""
        params = params_of(limit=limit, cursor=cursor)
        return self._calls.read(Page[Person], Send("GET", "/v1/people", params))

    def get(self, person: Person | str) -> Flow[Person]:
        """Return a person whom the audit trail names."""
        return self._calls.read(Person, Send("GET", f"/v1/people/{id_of(person)}"))

    def sign_out(self, person: Person | str) -> Flow[None]:
        """Sign a person out of every browser at once; a token of theirs lasts until it expires."""
        yield from self._calls.send(Send("DELETE", f"/v1/people/{id_of(person)}/sign-ins"))


class MeFlows(Flows):
    """The flow of who is asking."""

    def get(self) -> Flow[Me]:
        """Return what this key is, and may do."""
        return self._calls.read(Me, Send("GET", "/v1/me"))
