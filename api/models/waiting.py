"""Waiting a moment for pictures, so that whoever asked need not come back for them.

``Prefer: wait=N`` (RFC 7240) on a request that makes images: the answer is the job as it is at its
end, or after so many seconds. Without it a page would ask again, and have lost half of the time
between two questions each time.
"""

from __future__ import annotations

import re
import time
from threading import BoundedSemaphore
from typing import Annotated

from fastapi import Header, Response

from api.context import Context
from api.jobs.answering import accepted
from api.jobs.schemas import JobView
from store.repositories import Identity, JobRepository
from store.tables import FINAL_JOB_STATES

MOST_SECONDS = 10
"""What is waited for at the most, whatever is preferred."""
MOST_WAITING = 40
"""Requests that wait at once in one process; each holds one of its threads. Others are answered at
once, as a preference may always be."""
_LOOK_SECONDS = 0.05
_WAIT = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?(\d{1,6})\"?\s*(?:$|[,;])", re.IGNORECASE)

_waiting = BoundedSemaphore(MOST_WAITING)

Prefer = Annotated[
    str | None,
    Header(
        max_length=200,
        description="`wait=N` (RFC 7240): answer with the job as it is at its end, or after N"
        f" seconds, {MOST_SECONDS} at the most. `Preference-Applied` says whether that was done.",
    ),
]


def seconds_of(prefer: str | None) -> int:
    """Return how long somebody would wait; 0: not at all, or what they prefer is something else."""
    found = _WAIT.search(prefer or "")
    return min(MOST_SECONDS, int(found[1])) if found else 0


def at_its_end(ctx: Context, who: Identity, made: Response, prefer: str | None) -> Response:
    """Return the answer to a request that made a job, once that is over.

    Args:
        ctx: The app's context.
        who: Whose job it is.
        made: The answer as it would be at once, whose ``Location`` names the job.
        prefer: The request's header.

    Returns:
        An answer that says how the job is now; the one that was given where nobody waits.
    """
    seconds = seconds_of(prefer)
    job_id = made.headers.get("Location", "").rpartition("/")[2]
    if not seconds or not job_id or not _waiting.acquire(blocking=False):
        return made
    try:
        # Rung for now: what else is done after an answer would come after the wait.
        ctx.ring()
        view = _wait(ctx, who, job_id, seconds)
    finally:
        _waiting.release()
    if view is None:  # deleted meanwhile: the answer was right when it was made
        return made
    headers = dict(accepted(view, is_new=True).headers)
    headers["Preference-Applied"] = f"wait={seconds}"
    if view.status in FINAL_JOB_STATES:
        del headers["Retry-After"]
    if (replayed := made.headers.get("Idempotency-Replayed")) is not None:
        headers["Idempotency-Replayed"] = replayed
    return Response(view.model_dump_json(), made.status_code, headers, "application/json")


def _wait(ctx: Context, who: Identity, job_id: str, seconds: float) -> JobView | None:
    until = time.monotonic() + seconds
    while True:
        with ctx.database.read() as session:
            job = JobRepository(session, who.workspace_id).get(job_id)
            view = None if job is None else JobView.of(job)
            is_over = job is None or job.is_final
        if is_over or time.monotonic() >= until:
            return view
        time.sleep(_LOOK_SECONDS)
