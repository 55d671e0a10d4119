"""``/v1/datasets``."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, BackgroundTasks, Header, Query, Request, Response
from sqlalchemy.exc import IntegrityError
from starlette.concurrency import run_in_threadpool

from api.auth import Reader, Researcher
from api.context import Context, Ctx
from api.datasets.from_parts import FromParts, from_parts
from api.datasets.intake import Intake
from api.datasets.schemas import DatasetView
from api.datasets.service import DatasetService, Upload
from api.http_rules import Cursor, Id, Limit, PageOf, retry_after
from api.limits.quotas import Quotas, UploadRoom
from api.problems import Problem, described
from store.columns import new_id
from store.repositories import Identity
from store.tables import DatasetStatus

router = APIRouter(prefix="/v1/datasets", tags=["datasets"], responses=described(401, 403, 422))

IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=255,
        description="Any string of your own; a request that is repeated with it is carried out"
        " once.",
    ),
]
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
    response: Response,
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
    idempotency_key: IdempotencyKey = None,
) -> DatasetView:
    """Upload a zip or tar.gz of class folders, or make a data set of an upload in parts.

    It is read in the background: ask again until it is ready.
    """
    dataset_id = new_id("ds")
    if upload_id is not None:
        await _refuse_body(request)
        asked = FromParts(upload_id, sha256, dataset_id, name, image_size)
        view = await run_in_threadpool(from_parts, ctx, who, asked)
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
        view = await run_in_threadpool(_register, ctx, who, upload, idempotency_key)
    ctx.ring_after(tasks)
    if view.status != "ingesting":
        ctx.remove_uploads_after(tasks)
    response.headers["Location"] = f"/v1/datasets/{view.id}"
    response.headers["Retry-After"] = "1"
    return view


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


def _register(
    ctx: Context, who: Identity, upload: Upload, idempotency_key: str | None
) -> DatasetView:
    try:
        try:
            view, is_new = _create(ctx, who, upload, idempotency_key)
        except IntegrityError:
            # The same request came twice at once, and the other was first.
            view, is_new = _create(ctx, who, upload, idempotency_key)
    except Problem:
        ctx.objects.delete(upload.object_key)
        raise
    # Not when the database has fallen silent: it may have kept the data set, whose upload this is.
    # If it has not, the sweep for orphans finds it.
    if not is_new:
        ctx.objects.delete(upload.object_key)
    return view


def _create(
    ctx: Context, who: Identity, upload: Upload, idempotency_key: str | None
) -> tuple[DatasetView, bool]:
    with ctx.database.write() as session:
        service = DatasetService(session, who, ctx.objects)
        dataset, is_new = service.create(upload, idempotency_key)
        return DatasetView.of(dataset), is_new


@router.get("")
def list_datasets(
    ctx: Ctx,
    who: Reader,
    limit: Limit = 50,
    cursor: Cursor = None,
    status: DatasetStatus | None = None,
) -> PageOf[DatasetView]:
    """List data sets, the newest first."""
    with ctx.database.read() as session:
        page = DatasetService(session, who, ctx.objects).page(limit, cursor, status)
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
