"""``/v1/audit``."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from api.audit.schemas import AuditLine, AuditPage
from api.audit.service import AuditService, stream_lines
from api.auth import Admin
from api.context import Ctx
from api.http_rules import Cursor, Limit, Moment
from api.problems import described
from store.repositories.audit import AuditFilter

router = APIRouter(prefix="/v1/audit", tags=["audit"], responses=described(401, 403, 422))


_Id = Annotated[str | None, Query(max_length=64)]


@router.get("", responses=described(400))
def list_audit_lines(
    *,
    ctx: Ctx,
    who: Admin,
    limit: Limit = 50,
    cursor: Cursor = None,
    order: Annotated[
        Literal["newest", "oldest"], Query(description="What comes first.")
    ] = "newest",
    action: Annotated[
        str | None,
        Query(max_length=64, description="Such as `artifact.download`; or `artifact.*`."),
    ] = None,
    actor: _Id = None,
    subject: _Id = None,
    from_: Annotated[
        Moment | None, Query(alias="from", description="At this moment or later.")
    ] = None,
    to: Annotated[Moment | None, Query(description="Before this moment.")] = None,
) -> AuditPage:
    """Look at the trail: who did what, and when. Reading it leaves no line."""
    wanted = AuditFilter(action=action, actor=actor, subject=subject, since=from_, before=to)
    with ctx.database.read() as session:
        page = AuditService(session, who).page(
            limit, cursor, wanted, newest_first=order == "newest"
        )
        return AuditPage(
            items=[AuditLine.of(row) for row in page.items], next_cursor=page.next_cursor
        )


@router.get(
    "/export",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "A line of the trail a line, the first first. The last one tells of this"
            " export; the header `Graft-Audit-Head` names it and its hash.",
            "content": {"application/x-ndjson": {"schema": {"type": "string"}}},
        }
    },
)
def export_audit(ctx: Ctx, who: Admin) -> StreamingResponse:
    """Take the whole trail along, streamed; `graft audit verify` checks it without the service."""
    with ctx.database.write() as session:
        number, seal = AuditService(session, who).begin_export()
    return StreamingResponse(
        stream_lines(ctx, who, number),
        media_type="application/x-ndjson",
        headers={
            "Graft-Audit-Head": f"{number}:{seal}",
            "Content-Disposition": 'attachment; filename="audit.ndjson"',
            "Cache-Control": "no-store",
        },
    )
