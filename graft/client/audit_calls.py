"""The audit trail: every call about it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from graft.client.access_models import (
    AuditLine,
)
from graft.client.answers import (
    Page,
)
from graft.client.audit_chain import Head, verify_lines
from graft.client.calls import Flows, params_of
from graft.client.errors import ApiError
from graft.client.flow import Blocking, Fetch, Flow, Send, reliably
from graft.client.transfer import told_plainly

EXPORT = "/v1/audit/export"


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
        return params_of(
            order=self.order,
            action=self.action,
            actor=self.actor,
            subject=self.subject,
            from_=self.since,
            to=self.before,
        )


class ExportLines:
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
            raise _incomplete(self._base_url)


class AuditFlows(Flows):
    """The flows of the audit trail."""

    def list(
        self,
        which: AuditFilter | None = None,
        *,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Flow[Page[AuditLine]]:
        """Return a page of lines."""
        params = (which or AuditFilter()).params() | params_of(limit=limit, cursor=cursor)
        return self._calls.read(Page[AuditLine], Send("GET", "/v1/audit", params))

    def save(self, target: Path | str) -> Flow[Path]:
        """Take the trail along in a file, which appears whole or not at all.

        Raises:
            ApiError: ``export_incomplete``.
            GraftError: ``cannot_write``.
        """
        path = Path(target)
        part = path.with_name(f".{path.name}.part")
        fetch = Fetch(EXPORT, part, None)
        try:
            with told_plainly(path):
                yield from reliably(fetch, self._calls.patience, self._calls.base_url)
                if not (yield Blocking(partial(_ends_with_a_line, part))):
                    raise _incomplete(self._calls.base_url)
                return part.replace(path)
        finally:
            part.unlink(missing_ok=True)

    def verify(self, noted: Head | None = None) -> Flow[Head]:
        """Check the trail's chain of hashes here; return its head, to be noted elsewhere.

        Raises:
            GraftError: ``audit_broken``.
        """
        with TemporaryDirectory(prefix="graft-audit-") as folder:
            path = yield from self.save(Path(folder) / "trail.ndjson")
            head: Head = yield Blocking(partial(_verified, path, noted))
            return head


def _ends_with_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        if file.seek(0, os.SEEK_END) == 0:
            return True
        file.seek(-1, os.SEEK_END)
        return file.read() == b"\n"


def _verified(path: Path, noted: Head | None) -> Head:
    with path.open("rb") as lines:
        return verify_lines(lines, noted)


def _incomplete(base_url: str) -> ApiError:
    return ApiError(
        "export_incomplete",
        f"The service at {base_url} broke the export off in the middle of a line.",
        "Try again.",
    )
