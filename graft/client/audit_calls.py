"""The audit trail: every call about it, for both clients."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import httpx

from graft.client.audit_chain import Head, verify_lines
from graft.client.calls import Calls
from graft.client.errors import ApiError, from_reply, unreachable
from graft.client.flow import Flow, Send
from graft.client.models import AuditLine, Page

if TYPE_CHECKING:
    from graft.client.asynchronous import AsyncClient
    from graft.client.synchronous import Client

_EXPORT = "/v1/audit/export"


@dataclass(frozen=True)
class AuditFilter:
    """Which lines to list; None: whichever.

    Attributes:
        order: What comes first.
        action: ``artifact.download``, or ``artifact.*``.
        actor: Id of a key or person, or ``system``.
        subject: Id of what something was done with.
        since: At this moment or later; with a time zone.
        before: Before this moment.
    """

    order: Literal["newest", "oldest"] = "newest"
    action: str | None = None
    actor: str | None = None
    subject: str | None = None
    since: datetime | None = None
    before: datetime | None = None

    def params(self) -> dict[str, str]:
        """Return it as parameters of a request."""
        asked = {
            "order": self.order,
            "action": self.action,
            "actor": self.actor,
            "subject": self.subject,
            "from": None if self.since is None else self.since.isoformat(),
            "to": None if self.before is None else self.before.isoformat(),
        }
        return {name: value for name, value in asked.items() if value is not None}


def list_flow(
    calls: Calls, which: AuditFilter, limit: int | None, cursor: str | None
) -> Flow[Page[AuditLine]]:
    """``GET /v1/audit``."""
    page = {"limit": None if limit is None else str(limit), "cursor": cursor}
    params = which.params() | {name: value for name, value in page.items() if value is not None}
    return calls.read(Page[AuditLine], Send("GET", "/v1/audit", params))


class _Lines:
    """Cuts what arrives into lines; a memory of one line."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self._rest = b""

    def cut(self, chunk: bytes) -> list[bytes]:
        """Return the lines that end in a chunk, each with its end."""
        *whole, self._rest = (self._rest + chunk).split(b"\n")
        return [line + b"\n" for line in whole]

    def end(self) -> None:
        """Refuse an end within a line."""
        if self._rest:
            raise ApiError(
                "export_incomplete",
                f"The service at {self._base_url} broke the export off in the middle of a line.",
                "Try again.",
            )


class Audit:
    """The audit trail of the workspace; for administrators."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def list(
        self,
        which: AuditFilter | None = None,
        *,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[AuditLine]:
        """Return a page of lines."""
        flow = list_flow(self._client.calls, which or AuditFilter(), limit, cursor)
        return self._client.run(flow)

    def export(self) -> Iterator[bytes]:
        """Yield the whole trail, a line of JSON at a time; taking it along leaves a line in it."""
        base_url = self._client.calls.base_url
        lines = _Lines(base_url)
        try:
            with self._client.stream("GET", _EXPORT) as response:
                if response.status_code >= 400:
                    raise from_reply(response.status_code, response.read())
                for chunk in response.iter_bytes():
                    yield from lines.cut(chunk)
        except httpx.TransportError as error:
            raise unreachable(base_url, str(error) or type(error).__name__) from error
        lines.end()

    def save(self, target: Path | str) -> Path:
        """Take the trail along in a file, which appears whole or not at all."""
        path = Path(target)
        part = path.with_name(f".{path.name}.part")
        try:
            with part.open("wb") as file:
                for line in self.export():
                    file.write(line)
            return part.replace(path)
        finally:
            part.unlink(missing_ok=True)

    def verify(self, noted: Head | None = None) -> Head:
        """Check the trail's chain of hashes here; return its head, to be noted elsewhere.

        Raises:
            GraftError: ``audit_broken``.
        """
        return verify_lines(self.export(), noted)


class AsyncAudit:
    """The audit trail of the workspace; for administrators."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def list(
        self,
        which: AuditFilter | None = None,
        *,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[AuditLine]:
        """Return a page of lines."""
        flow = list_flow(self._client.calls, which or AuditFilter(), limit, cursor)
        return await self._client.run(flow)

    async def export(self) -> AsyncIterator[bytes]:
        """Yield the whole trail, a line of JSON at a time; taking it along leaves a line in it."""
        base_url = self._client.calls.base_url
        lines = _Lines(base_url)
        try:
            async with self._client.stream("GET", _EXPORT) as response:
                if response.status_code >= 400:
                    raise from_reply(response.status_code, await response.aread())
                async for chunk in response.aiter_bytes():
                    for line in lines.cut(chunk):
                        yield line
        except httpx.TransportError as error:
            raise unreachable(base_url, str(error) or type(error).__name__) from error
        lines.end()
