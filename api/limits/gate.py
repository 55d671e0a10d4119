"""Who is let in: a request is counted before anything is done for it, or its body is read."""

from __future__ import annotations

import hashlib
import ipaddress
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from fastapi import Request
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.limits.counting import WINDOW_SECONDS, Policy, RequestCounter, Standing
from api.problems import Problem
from store.database import Database
from store.limits import Allowance, allowance
from store.repositories import AuditTrail, Identity
from store.settings import Settings
from store.tables import ApiKey, Workspace

V = TypeVar("V")

_REMEMBERED = 10_000
_ALLOWANCE_SECONDS = 10.0
_GOOD_SECONDS = 600.0
_STANDING_SECONDS = 1.0
_SAME_REFUSAL_SECONDS = 60.0


class Memory(Generic[V]):
    """Remembers values for a while; the oldest go first. May be used from several threads."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[float, V]] = OrderedDict()

    def get(self, name: str) -> V | None:
        """Return what is remembered, or null."""
        with self._lock:
            until, value = self._kept.get(name, (0.0, None))
            return value if time.monotonic() < until else None

    def keep(self, name: str, value: V) -> None:
        """Remember a value from now on."""
        with self._lock:
            self._kept.pop(name, None)
            self._kept[name] = (time.monotonic() + self._seconds, value)
            while len(self._kept) > _REMEMBERED:
                self._kept.popitem(last=False)

    def forget(self) -> None:
        """Forget everything."""
        with self._lock:
            self._kept.clear()


@dataclass
class _Looked:
    """How a party stood when it was looked up, and how many requests came since."""

    standing: Standing
    since: int = 0


class Gate:
    """Lets requests in, or answers 429. One for each app."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self.counter = RequestCounter(settings.redis_url.get_secret_value())
        self._allowances: Memory[Allowance] = Memory(_ALLOWANCE_SECONDS)
        self._standings: Memory[_Looked] = Memory(_STANDING_SECONDS)
        self._good: Memory[bool] = Memory(_GOOD_SECONDS)
        self._refused: Memory[bool] = Memory(_SAME_REFUSAL_SECONDS)

    def approach(self, request: Request, credentials: str | None) -> None:
        """Let those pass whose address has not sent too many keys that were none.

        A key that was good here a while ago is no guess: whoever shares an address with somebody
        who guesses is not shut out.

        Raises:
            Problem: 429 ``too_many_refusals``.
        """
        quota = self._settings.limit_refused_per_minute
        if quota is None or (credentials and self._good.get(_fingerprint(credentials))):
            return
        standing = self.counter.standing(Policy("address", _address(request), quota))
        if standing.left == 0:
            raise _too_many_refusals(standing)

    def refuse(self, request: Request) -> None:
        """Count a request that is about to be answered with 401.

        Raises:
            Problem: 429 ``too_many_refusals``, in its place.
        """
        quota = self._settings.limit_refused_per_minute
        if quota is None:
            return
        over = self.counter.count([Policy("address", _address(request), quota)])
        if over is not None:
            raise _too_many_refusals(over)

    def admit_anonymous(self, request: Request) -> None:
        """Count a request for a page that needs no key.

        Raises:
            Problem: 429 ``too_many_requests``.
        """
        quota = self._settings.limit_anonymous_per_minute
        if quota is None:
            return
        over = self.counter.count([Policy("pages", _address(request), quota)])
        if over is not None:
            raise _too_many_requests(over, "this address")

    def admit(self, request: Request, identity: Identity, credentials: str | None) -> Identity:
        """Count a request of somebody who is known; return them with what they may use.

        Args:
            request: The request.
            identity: Who is asking.
            credentials: That they came with, and may come with again; null: none such.

        Raises:
            Problem: 429 ``too_many_requests``.
        """
        if credentials is not None:
            self._good.keep(_fingerprint(credentials), True)
        allowed = self._allowance_of(identity)
        parties = {"key": identity.key_id, "workspace": identity.workspace_id}
        policies = [
            Policy(name, parties[name], limits.requests_per_minute)
            for name, limits in allowed.by_scope()
            if limits.requests_per_minute is not None
        ]
        over = self.counter.count(policies)
        if policies:
            request.state.rate_limit = (policies, over or self._standing(policies[0]))
        if over is not None:
            raise _too_many_requests(over, f"this {over.policy.name}")
        return replace(identity, allowance=allowed)

    def _standing(self, policy: Policy) -> Standing:
        """Return how a party stands: counted a moment ago, less what came here since.

        It is a hint for the client, and every look costs a way to the broker.
        """
        name = f"{policy.name} {policy.party} {policy.quota}"
        found = self._standings.get(name)
        if found is None:
            found = _Looked(self.counter.standing(policy))
            self._standings.keep(name, found)
            return found.standing
        found.since += 1
        return replace(found.standing, left=max(0, found.standing.left - found.since))

    def with_allowance(self, identity: Identity) -> Identity:
        """Return somebody with what they may use now."""
        return replace(identity, allowance=self._allowance_of(identity))

    def note_scope_missing(self, request: Request, identity: Identity, scope: str) -> None:
        """Write into the trail that somebody tried what they may not; the same once a minute."""
        route = getattr(request.scope.get("route"), "path_format", "none")
        tried = f"{identity.key_id} {request.method} {route}"
        if self._refused.get(tried):
            return
        with self._database.write() as session:
            AuditTrail(session, identity.workspace_id).append(
                identity.key_id,
                "request.refused",
                identity.key_id,
                {"code": "scope_missing", "scope": scope, "method": request.method, "route": route},
            )
        self._refused.keep(tried, True)

    def forget_allowances(self) -> None:
        """Look limits up again: they were changed just now."""
        self._allowances.forget()

    def close(self) -> None:
        """Close the connections."""
        self.counter.close()

    def _allowance_of(self, identity: Identity) -> Allowance:
        name = f"{identity.workspace_id} {identity.key_id}"
        found = self._allowances.get(name)
        if found is None:
            with self._database.read() as session:
                workspace = session.get(Workspace, identity.workspace_id)
                key = session.get(ApiKey, identity.key_id)
                found = allowance(
                    self._settings,
                    None if workspace is None else workspace.limits,
                    None if key is None else key.limits,
                )
            self._allowances.keep(name, found)
        return found


def admit_anonymous(request: Request) -> None:
    """Count a request for a page; the app that only describes itself has nothing to count with."""
    context = getattr(request.app.state, "context", None)
    if context is not None:
        context.gate.admit_anonymous(request)


class RateLimitFields:
    """Adds ``RateLimit-Policy`` and ``RateLimit`` (draft-ietf-httpapi-ratelimit-headers-10)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_fields(message: Message) -> None:
            if message["type"] == "http.response.start":
                known = scope.get("state", {}).get("rate_limit")
                if known is not None:
                    policies, standing = known
                    headers = MutableHeaders(scope=message)
                    headers["RateLimit-Policy"] = ", ".join(
                        f'"{policy.name}";q={policy.quota};w={WINDOW_SECONDS}'
                        for policy in policies
                    )
                    headers["RateLimit"] = (
                        f'"{standing.policy.name}";r={standing.left};t={standing.seconds}'
                    )
            await send(message)

        await self._app(scope, receive, send_with_fields)


def _too_many_requests(over: Standing, whose: str) -> Problem:
    return Problem(
        429,
        "too_many_requests",
        f"There were {over.policy.quota} requests of {whose} in the last minute, which is as many"
        " as this service takes.",
        "Wait as long as `Retry-After` says. `GET /v1/limits` shows what is left; job events and"
        " webhooks tell of changes without being asked.",
        headers={"Retry-After": str(over.seconds)},
        **{"violated-policies": [over.policy.name]},
    )


def _too_many_refusals(over: Standing) -> Problem:
    return Problem(
        429,
        "too_many_refusals",
        "Too many requests without a good key came from this address in the last minute.",
        "Wait as long as `Retry-After` says, and check the key.",
        headers={"Retry-After": str(over.seconds)},
        **{"violated-policies": [over.policy.name]},
    )


def _fingerprint(credentials: str) -> str:
    return hashlib.sha256(credentials.encode("utf-8", "surrogateescape")).hexdigest()


def _address(request: Request) -> str:
    """Return the client's address; of IPv6 the network of 64 bits, of which one party has all.

    Behind a proxy it is the proxy's, unless uvicorn trusts what that says (FORWARDED_ALLOW_IPS).
    """
    host = request.client.host if request.client else "unknown"
    try:
        address = ipaddress.ip_address(host.split("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        mapped = address.ipv4_mapped
        if mapped is not None:
            return str(mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
