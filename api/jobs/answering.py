"""The answer to a request that makes a job."""

from __future__ import annotations

from api.http_rules import retry_after
from api.idempotency import Made
from api.jobs.schemas import JobView


def accepted(view: JobView, *, is_new: bool) -> Made:
    """Say where the job is and when to look again."""
    headers = {
        "Location": f"/v1/jobs/{view.id}",
        "Retry-After": retry_after(view.progress.eta_seconds),
    }
    return Made(view, 202, headers, subject=view.id, is_replay=not is_new)
