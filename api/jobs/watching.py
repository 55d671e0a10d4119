"""A job's events as they happen (server-sent events, WHATWG HTML 9.2)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator

import anyio
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from api.context import Context
from api.jobs.service import JobService
from api.problems import Problem
from store.repositories import Identity
from store.repositories.keys import still_holds

_LOOK_SECONDS = 0.5
_RECONNECT_MILLISECONDS = 2000
MOST_STREAMS = 200
"""Of a workspace at once, in one process. Each asks the database twice a second."""


def watch(ctx: Context, who: Identity, job_id: str, after: int | None) -> EventSourceResponse:
    """Return a stream of the job's events; it ends after the final one.

    It also ends once the key was revoked or has run out, or the token has: whoever listens comes
    back by themselves, and is told so.

    Args:
        ctx: The app's context.
        who: Must have access to the job, which is looked up before the stream begins.
        job_id: The job.
        after: Id of the last event that the client has; null to begin with the latest.

    Raises:
        Problem: 429 ``too_many_streams``.
    """
    if ctx.streams[who.workspace_id] >= MOST_STREAMS:
        raise Problem(
            429,
            "too_many_streams",
            f"The workspace listens to {MOST_STREAMS} streams of events already.",
            "End some, or ask for the jobs now and then; webhooks tell of their ends, too.",
            headers={"Retry-After": "30"},
        )
    return EventSourceResponse(
        _events(ctx, who, job_id, after), headers={"Cache-Control": "no-store"}, send_timeout=30
    )


async def _events(
    ctx: Context, who: Identity, job_id: str, after: int | None
) -> AsyncIterator[ServerSentEvent]:
    # Here and not when it is asked for: what never began would never be counted off.
    ctx.streams[who.workspace_id] += 1
    try:
        async for event in _told(ctx, who, job_id, after):
            yield event
    finally:
        _count_off(ctx.streams, who.workspace_id)


async def _told(
    ctx: Context, who: Identity, job_id: str, after: int | None
) -> AsyncIterator[ServerSentEvent]:
    while True:
        found, is_final = await run_in_threadpool(_look, ctx, who, job_id, after)
        for event_id, kind, data in found:
            after = event_id
            yield ServerSentEvent(
                json.dumps(data), event=kind, id=str(event_id), retry=_RECONNECT_MILLISECONDS
            )
        if is_final and not found:
            return
        if not found:
            await anyio.sleep(_LOOK_SECONDS)


def _count_off(streams: Counter[str], workspace_id: str) -> None:
    streams[workspace_id] -= 1
    if not streams[workspace_id]:
        del streams[workspace_id]


def _look(
    ctx: Context, who: Identity, job_id: str, after: int | None
) -> tuple[list[tuple[int, str, dict[str, object]]], bool]:
    with ctx.database.read() as session:
        if not still_holds(session, who):
            return [], True
        try:
            events, is_final = JobService(session, who, ctx.objects).events(job_id, after)
        except Problem:  # deleted since the stream began, which can only be ended now
            return [], True
        return [(event.id, event.type, event.data) for event in events], is_final
