"""Jobs of requests whose Idempotency-Key was noted with the job alone.

Code of schema revision 0003 and earlier keeps no answer, and asks for no other note: as long as
such may run beside this, or has run within the week that a key is kept, both are written and read.
``api.idempotency`` does the rest.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from api.idempotency import key_reused
from store.repositories import JobRepository
from store.tables import Job


def hash_of(asked: list[Any]) -> str:
    """Return the SHA-256 of a request, hex."""
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def earlier_job(
    jobs: JobRepository, idempotency_key: str | None, request_sha256: str
) -> Job | None:
    """Return the job that the same request has made already, if any.

    Raises:
        Problem: 422 ``idempotency_key_reused``.
    """
    if idempotency_key is None:
        return None
    earlier = jobs.by_idempotency_key(idempotency_key)
    if earlier is None:
        return None
    if earlier.request_sha256 != request_sha256:
        raise key_reused()
    return jobs.get(earlier.job_id)  # null: deleted this very moment, the key with it
