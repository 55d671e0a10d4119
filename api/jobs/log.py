"""``/v1/jobs/{job_id}/log``."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict

from api.auth import Reader
from api.context import Ctx
from api.http_rules import Cursor, Id, Limit
from api.problems import described, not_found
from store.page_tables import LogLevel, LogLine
from store.repositories import JobRepository, LogRepository
from store.repositories.paging import cursor_for_number, number_in_cursor

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], responses=described(401, 403, 422))


class LogLineView(BaseModel):
    """Something that a step of the job has told."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: int
    """Higher than that of every line before it."""
    at: datetime
    step: str
    """Name of the step."""
    attempt: int
    """At the step; 0: it was never begun."""
    level: LogLevel
    text: str
    """May have several lines."""

    @classmethod
    def of(cls, row: LogLine) -> Self:
        """Return the view of a row."""
        return cls(
            id=row.id,
            at=row.created_at,
            step=row.step_name,
            attempt=row.attempt,
            level=row.level,
            text=row.text,
        )


class LogPage(BaseModel):
    """Some lines, and where the next ones begin."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    items: list[LogLineView]
    next_cursor: str | None = None
    """In ascending order always there: asked again later, it gives what came since. In descending
    order null once there are no older lines."""


@router.get("/{job_id}/log", responses=described(400, 404))
def list_log(
    *,
    ctx: Ctx,
    who: Reader,
    job_id: Id,
    limit: Limit = 100,
    cursor: Cursor = None,
    order: Annotated[Literal["asc", "desc"], Query(description="`asc`: the oldest first.")] = "asc",
) -> LogPage:
    """Read what a job's steps have told: when each was begun, and what became of it.

    A cursor goes on in the order in which it was given. Of a job that has told too many lines, the
    newest are kept.
    """
    seen = None if cursor is None else number_in_cursor(cursor, order)
    with ctx.database.read() as session:
        if JobRepository(session, who.workspace_id).get(job_id) is None:
            raise not_found("job")
        lines = LogRepository(session, who.workspace_id)
        if order == "asc":
            after = seen or 0
            rows = lines.lines(job_id, limit, after=after, before=None)
            last = rows[-1].id if rows else after
            next_cursor: str | None = cursor_for_number(last, order)
        else:
            found = lines.lines(job_id, limit + 1, after=None, before=seen)
            rows = found[:limit]
            next_cursor = cursor_for_number(rows[-1].id, order) if len(found) > limit else None
        return LogPage(items=[LogLineView.of(row) for row in rows], next_cursor=next_cursor)
