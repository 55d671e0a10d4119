"""Limits on what is kept and computed, which the database counts. Nothing here commits.

Each is looked at twice: before anything is done, so that nothing is done in vain; and once more
behind the line in the trail, where requests of one workspace stand in a row, so that of many at
once no more than allowed get through.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from math import ceil

from fastapi import Request
from sqlalchemy.orm import Session

from api.problems import Problem
from gan_core.spec import Plan
from store.clock import now_of
from store.limits import Allowance, Limits
from store.repositories import Identity, UsageLedger
from store.usage import next_day, next_month

_SOONEST, _LATEST = 5, 600


@dataclass(frozen=True)
class UploadRoom:
    """How much may be uploaded today.

    Attributes:
        left: Bytes; null: no limit.
        whole: Bytes that may be uploaded in a whole day.
        scope: Whose limit it is: ``key`` or ``workspace``.
        seconds: Until there is room again.
    """

    left: int | None = None
    whole: int = 0
    scope: str = ""
    seconds: int = 0

    def refuse_declared(self, request: Request) -> None:
        """Refuse an upload by the size that it says it has, before its body is read.

        Raises:
            Problem: As ``refuse``.
        """
        declared = request.headers.get("content-length", "")
        if declared.isascii() and declared.isdecimal():
            kind = request.headers.get("content-type", "")
            # What a multipart body has beside its file is small, and counted out while reading.
            around = 65536 if kind.startswith("multipart/") else 0
            self.refuse(int(declared) - around)

    def refuse(self, size: int) -> None:
        """Refuse an upload of so many bytes, if there is no room for it.

        Raises:
            Problem: 429 ``upload_quota``; 413 for more than fits into a day.
        """
        if self.left is None or size <= self.left:
            return
        if size > self.whole:
            raise Problem(
                413,
                "upload_too_large",
                f"The upload is larger than the {self.whole} bytes that this {self.scope} may"
                " upload in a day.",
                "Leave out images, or ask the service's operator for a higher limit.",
            )
        raise Problem(
            429,
            "upload_quota",
            f"This {self.scope} may upload {self.whole} bytes a day, of which {self.left} are left"
            " today.",
            "Send it when the day (UTC) is over; `GET /v1/limits` shows what is left.",
            headers={"Retry-After": str(self.seconds)},
            **{"violated-policies": [f"{self.scope}-upload-bytes"]},
        )

    async def counted(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Pass the bytes of an upload on for as long as there is room for them."""
        size = 0
        async for chunk in chunks:
            size += len(chunk)
            self.refuse(size)
            yield chunk


class Quotas:
    """What somebody may still use. Without an ``allowance`` everything."""

    def __init__(self, session: Session, identity: Identity) -> None:
        self._session = session
        self._ledger = UsageLedger(session, identity.workspace_id)
        self._actors = {"key": identity.key_id, "workspace": None}
        self._allowance: Allowance = identity.allowance or Allowance()

    def upload_room(self) -> UploadRoom:
        """Return how much may be uploaded today: of the key's and the workspace's what is less."""
        return self._room_without(0)

    def _room_without(self, size: int) -> UploadRoom:
        """Return the room that there was before so many bytes were booked."""
        now = now_of(self._session)
        rooms = []
        for scope, limits in self.by_scope():
            whole = limits.upload_bytes_per_day
            if whole is not None:
                left = max(0, whole - int(self.uploaded(scope, now)) + size)
                rooms.append(UploadRoom(left, whole, scope, _seconds(now, next_day(now))))
        return min(rooms, key=lambda room: room.left or 0, default=UploadRoom())

    def book_upload(self, size: int) -> None:
        """Note that so many bytes were uploaded.

        Raises:
            Problem: As ``UploadRoom.refuse``.
        """
        self.upload_room().refuse(size)
        day = f"{now_of(self._session):%Y-%m-%d}"
        self._ledger.book("upload_bytes", str(self._actors["key"]), size, day=day)

    def refuse_new_job(self, plan: Plan) -> None:
        """Refuse a job that is about to be made.

        Raises:
            Problem: 429 ``queue_full`` or ``gpu_quota``.
        """
        self._refuse_full_queue(others=1)
        if any(step.queue == "gpu" for step in plan.steps):
            self._refuse_spent_gpu()

    def refuse_surplus(self, uploaded: int = 0) -> None:
        """Refuse what was made in this transaction, when others were faster.

        To be called behind the line in the trail.

        Args:
            uploaded: Bytes that were booked in this transaction.

        Raises:
            Problem: 429 ``queue_full`` or ``upload_quota``.
        """
        self._refuse_full_queue(others=0)
        if uploaded:
            self._room_without(uploaded).refuse(uploaded)

    def _refuse_full_queue(self, *, others: int) -> None:
        for scope, limits in self.by_scope():
            most = limits.unfinished_jobs
            if most is None or self.unfinished(scope) + others <= most:
                continue
            expected = self.seconds_to_next_end(scope)
            seconds = ceil(min(_LATEST, max(_SOONEST, expected or 60.0)))
            raise Problem(
                429,
                "queue_full",
                f"This {scope} may have {most} jobs that wait or run, and has them.",
                "Wait until one is over, or cancel one. `Retry-After` is when the next is expected"
                " to be.",
                headers={"Retry-After": str(seconds)},
                **{"violated-policies": [f"{scope}-unfinished-jobs"]},
            )

    def _refuse_spent_gpu(self) -> None:
        now = now_of(self._session)
        for scope, limits in self.by_scope():
            for most, period, since, until in (
                (limits.gpu_minutes_per_day, "day", day_of(now), next_day(now)),
                (limits.gpu_minutes_per_month, "month", month_of(now), next_month(now)),
            ):
                if most is None or self.gpu_seconds(scope, now, since) < most * 60:
                    continue
                raise Problem(
                    429,
                    "gpu_quota",
                    f"This {scope} may use {most} GPU minutes a {period}, and has used them.",
                    f"Submit it when the {period} (UTC) is over; `GET /v1/limits` shows what is"
                    " left. Jobs that were taken already go on.",
                    headers={"Retry-After": str(_seconds(now, until))},
                    **{"violated-policies": [f"{scope}-gpu-minutes"]},
                )

    def by_scope(self) -> tuple[tuple[str, Limits], ...]:
        """Return the limits of the key and of the workspace."""
        return self._allowance.by_scope()

    def uploaded(self, scope: str, now: datetime) -> float:
        """Return how many bytes were uploaded today."""
        since, actor = f"{now:%Y-%m-%d}", self._actors[scope]
        return self._ledger.used("upload_bytes", since=since, actor=actor)

    def unfinished(self, scope: str) -> int:
        """Return how many jobs wait or run."""
        return self._ledger.unfinished_jobs(actor=self._actors[scope])

    def seconds_to_next_end(self, scope: str) -> float | None:
        """Return when one of them is expected to be over; null: nobody knows."""
        return self._ledger.seconds_to_next_end(actor=self._actors[scope])

    def gpu_seconds(self, scope: str, now: datetime, since: datetime) -> float:
        """Return what was used of GPUs since a midnight, by steps at work included."""
        actor = self._actors[scope]
        booked = self._ledger.used("gpu_seconds", since=f"{since:%Y-%m-%d}", actor=actor)
        return booked + self._ledger.gpu_seconds_at_work(now, since=since, actor=actor)


def day_of(now: datetime) -> datetime:
    """Return the midnight with which the day began."""
    return now.replace(hour=0, minute=0, second=0, microsecond=0)


def month_of(now: datetime) -> datetime:
    """Return the midnight with which the month began."""
    return day_of(now).replace(day=1)


def _seconds(now: datetime, until: datetime) -> int:
    return max(1, ceil((until - now).total_seconds()))
