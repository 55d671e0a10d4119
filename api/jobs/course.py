"""``/v1/jobs/{job_id}/steps/{step_name}/course``."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Path, Response

from api.auth import Reader
from api.context import Ctx
from api.http_rules import Id, has_tag
from api.jobs.course_schemas import CourseFile, CourseView
from api.jobs.course_service import CourseService
from api.problems import described
from store.live import COURSE, snapshot_name

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], responses=described(401, 403, 422))

StepName = Annotated[
    str, Path(min_length=1, max_length=200, description="`name` of a step of the job.")
]
_PNG = {"image/png": {"schema": {"type": "string", "format": "binary"}}}


@router.get(
    "/{job_id}/steps/{step_name}/course",
    response_model=CourseView,
    responses={304: {"description": "Nothing has changed."}, **described(404)},
)
def get_course(
    *,
    ctx: Ctx,
    who: Reader,
    response: Response,
    job_id: Id,
    step_name: StepName,
    if_none_match: Annotated[str | None, Header()] = None,
) -> CourseView | Response:
    """Look at how a training goes, or went: losses, judgements, snapshots.

    While it runs this is what its worker has sent last, every few seconds.
    """
    shown, file = CourseService(ctx.database, ctx.objects, who).read(job_id, step_name, COURSE)
    etag = f'{file.etag[:-1]}-{"final" if shown.is_final else "live"}"'
    if has_tag(if_none_match, etag):
        return Response(status_code=304, headers={"ETag": etag})
    response.headers["ETag"] = etag
    course = CourseFile.model_validate_json(file.content)
    return course.view(job_id, step_name, is_final=shown.is_final)


@router.get(
    "/{job_id}/steps/{step_name}/course/snapshots/{number}",
    response_class=Response,
    responses={
        200: {"description": "A sheet of samples.", "content": _PNG},
        304: {"description": "You have it already."},
        **described(404),
    },
)
def get_snapshot(
    *,
    ctx: Ctx,
    who: Reader,
    job_id: Id,
    step_name: StepName,
    number: Annotated[int, Path(ge=0, le=999_999, description="`number` of a snapshot.")],
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """Look at a snapshot's samples: a PNG that says in its own metadata that it is synthetic."""
    name = snapshot_name(number)
    _shown, file = CourseService(ctx.database, ctx.objects, who).read(job_id, step_name, name)
    # Samples of a training are not screened: one may be a near-copy of a patient's image.
    headers = {"ETag": file.etag, "Cache-Control": "no-store"}
    if has_tag(if_none_match, file.etag):
        return Response(status_code=304, headers=headers)
    return Response(file.content, headers=headers, media_type="image/png")
