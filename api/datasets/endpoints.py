"""``/v1/datasets``."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, BackgroundTasks, Path, Query, Request, Response
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from api.auth import Reader, Researcher
from api.context import Context, Ctx
from api.datasets.from_parts import FromParts, accepted, from_parts
from api.datasets.intake import Intake
from api.datasets.previews import PreviewView, content_of, object_key
from api.datasets.schemas import DatasetView
from api.datasets.service import DatasetService, Upload
from api.http_rules import CreatedAfter, CreatedBefore, Cursor, Id, Limit, PageOf, retry_after
from api.idempotency import Made, Once, OnceOnly, Outcome
from api.limits.quotas import Quotas, UploadRoom
from api.problems import Problem, described
from gan_core.spec.preview import Preview
from store.columns import new_id
from store.repositories import Identity
from store.repositories.paging import Period
from store.tables import DatasetStatus

router = APIRouter(prefix="/v1/datasets", tags=["datasets"], responses=described(401, 403, 422))

_BINARY: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}
_MULTIPART: dict[str, Any] = {
    "schema": {
        "type": "object",
        "required": ["file"],
        "properties": {"file": {"type": "string", "format": "binary"}},
    }
}


@router.post(
    "",
    status_code=202,
    response_model=DatasetView,
    responses=described(400, 404, 409, 413, 415, 507),
    openapi_extra={
        "requestBody": {
            "required": False,
            "description": "The archive; none with `upload_id`.",
            "content": {
                "application/zip": _BINARY,
                "application/gzip": _BINARY,
                "application/x-tar": _BINARY,
                "multipart/form-data": _MULTIPART,
            },
        }
    },
)
async def upload_dataset(
    *,
    request: Request,
    tasks: BackgroundTasks,
    ctx: Ctx,
    who: Researcher,
    name: Annotated[
        str, Query(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$", description="A label.")
    ] = "",
    image_size: Annotated[
        int, Query(ge=32, le=512, description="Side in pixels to which images are brought.")
    ] = 224,
    upload_id: Annotated[
        str | None,
        Query(max_length=64, description="An upload in parts that is complete; the body is empty."),
    ] = None,
    sha256: Annotated[
        str | None,
        Query(
            pattern=r"^[0-9a-f]{64}$",
            description="Of an upload in parts as a whole, where it was not said at its beginning.",
        ),
    ] = None,
    once: Once,
) -> Response:
    """Upload a zip or tar.gz of class folders, or make a data set of an upload in parts.

    It is read in the background: ask again until it is ready.
    """
    dataset_id = new_id("ds")
    if upload_id is not None:
        await _refuse_body(request)
        asked = FromParts(upload_id, sha256, dataset_id, name, image_size)
        outcome = await run_in_threadpool(from_parts, ctx, who, asked, once)
    else:
        object_key = f"workspaces/{who.workspace_id}/uploads/{dataset_id}.zip"
        room = await run_in_threadpool(_room, ctx, who)
        room.refuse_declared(request)
        intake = Intake(request, ctx.settings.max_upload_bytes)
        await ctx.objects.put_stream(object_key, room.counted(intake.chunks()))
        upload = Upload(
            dataset_id,
            object_key,
            intake.size,
            intake.sha256.hexdigest(),
            name,
            image_size,
            intake.format,
        )
        outcome = await run_in_threadpool(_register, ctx, who, upload, once)
    if outcome.is_new:
        ctx.ring_after(tasks)
        # The same bytes may have been read before: then nobody will read these.
        ctx.remove_uploads_after(tasks)
    return outcome.response


async def _refuse_body(request: Request) -> None:
    async for chunk in request.stream():
        if chunk:
            raise Problem(
                422,
                "body_not_empty",
                "The request names an upload in parts, and has a body besides.",
                "Send one of the two.",
            )


def _room(ctx: Context, who: Identity) -> UploadRoom:
    with ctx.database.read() as session:
        return Quotas(session, who).upload_room()


def _register(ctx: Context, who: Identity, upload: Upload, once: OnceOnly) -> Outcome:
    def work(session: Session) -> Made:
        dataset, is_new = DatasetService(session, who, ctx.objects).create(upload, once.key)
        return accepted(DatasetView.of(dataset), is_new=is_new)

    try:
        # Of the body its digest: the same key with other bytes is another request.
        outcome = once.carry_out(who, upload.sha256, work)
    except Problem:
        ctx.objects.delete(upload.object_key)
        raise
    # Not when the database has fallen silent: it may have kept the data set, whose upload this is.
    # If it has not, the sweep for orphans finds it.
    if not outcome.is_new:
        ctx.objects.delete(upload.object_key)
    return outcome


@router.get("")
def list_datasets(
    *,
    ctx: Ctx,
    who: Reader,
    limit: Limit = 50,
    cursor: Cursor = None,
    status: DatasetStatus | None = None,
    created_after: CreatedAfter = None,
    created_before: CreatedBefore = None,
) -> PageOf[DatasetView]:
    """List data sets, the newest first."""
    with ctx.database.read() as session:
        page = DatasetService(session, who, ctx.objects).page(
            limit, cursor, status, Period(created_after, created_before)
        )
        return PageOf(
            items=[DatasetView.of(row) for row in page.items], next_cursor=page.next_cursor
        )


@router.get("/{dataset_id}", responses=described(404))
def get_dataset(ctx: Ctx, who: Reader, response: Response, dataset_id: Id) -> DatasetView:
    """Look at a data set."""
    with ctx.database.read() as session:
        view = DatasetView.of(DatasetService(session, who, ctx.objects).get(dataset_id))
    if view.status == "ingesting":
        response.headers["Retry-After"] = retry_after(None)
    return view


@router.get("/{dataset_id}/preview", responses=described(404, 409, 410))
def get_dataset_preview(ctx: Ctx, who: Reader, response: Response, dataset_id: Id) -> PreviewView:
    """Look at some of a data set's images, and at those that occur twice.

    The sheets are real images: getting one is noted in the audit trail, once for all that are got
    within ten minutes.
    """
    with ctx.database.read() as session:
        key = object_key(DatasetService(session, who, ctx.objects).get(dataset_id))
    preview = Preview.model_validate_json(content_of(ctx.objects, key))
    response.headers["Cache-Control"] = "no-store"
    return PreviewView.of(dataset_id, preview)


@router.get(
    "/{dataset_id}/preview/{number}",
    response_class=Response,
    responses={
        200: {"description": "The sheet.", "content": {"image/png": _BINARY}},
        **described(404, 409, 410),
    },
)
def get_dataset_preview_sheet(
    ctx: Ctx,
    who: Reader,
    dataset_id: Id,
    number: Annotated[int, Path(ge=0, le=9999, description="Of a sheet of the preview.")],
) -> Response:
    """Get a sheet of small pictures as a PNG; its own metadata say that they are real images."""
    with ctx.database.read() as session:
        key = object_key(DatasetService(session, who, ctx.objects).get(dataset_id), number)
    content = content_of(ctx.objects, key)
    ctx.looks.note(ctx.database, who, dataset_id)
    return Response(content, media_type="image/png", headers={"Cache-Control": "no-store"})


@router.delete("/{dataset_id}", status_code=204, responses=described(404, 409))
def delete_dataset(
    ctx: Ctx,
    who: Researcher,
    dataset_id: Id,
    with_jobs: Annotated[
        bool, Query(description="Delete the jobs that use it, too, with all that they left.")
    ] = False,
) -> None:
    """Delete a data set: its packed images, its upload, and the job that read it."""
    with ctx.database.write() as session:
        DatasetService(session, who, ctx.objects).delete(dataset_id, with_jobs=with_jobs)
