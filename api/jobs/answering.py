"""The answer to a request that makes a job."""

from __future__ import annotations

from fastapi import BackgroundTasks, Response

from api.context import Context
from api.http_rules import retry_after
from api.jobs.schemas import JobView


def accepted(
    ctx: Context, response: Response, tasks: BackgroundTasks, view: JobView, *, is_new: bool
) -> JobView:
    """Say where the job is and when to look again; ring for its steps once that is sent."""
    if is_new:
        ctx.ring_after(tasks)
    else:
        response.headers["Idempotency-Replayed"] = "true"
    response.headers["Location"] = f"/v1/jobs/{view.id}"
    response.headers["Retry-After"] = retry_after(view.progress.eta_seconds)
    return view
