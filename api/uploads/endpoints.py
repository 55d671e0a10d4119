"""``/v1/uploads``."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Request, Response
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from api.auth import Reader, Researcher
from api.context import Context, Ctx
from api.digests import digest_header, mismatch, stated_sha256
from api.http_rules import Cursor, Id, Limit, PageOf
from api.idempotency import Made, Once
from api.problems import Problem, described
from api.uploads.schemas import MAX_PARTS, PartView, UploadDetail, UploadRequest, UploadView
from api.uploads.service import UploadService
from store.repositories import Identity
from store.upload_tables import UploadPart, UploadStatus
from store.uploads import prefix_of

_OF_ALL: dict[str, Any] = {
    "prefix": "/v1/uploads",
    "tags": ["uploads"],
    "responses": described(401, 403, 422),
}
router = APIRouter(**_OF_ALL)
parts_router = APIRouter(**_OF_ALL)
"""Whose bodies are not limited as JSON is; they count their own bytes."""

_BINARY: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}
Digest = Annotated[
    str | None,
    Header(
        max_length=1000, description="`sha-256=:BASE64:` (RFC 9530); compared with what arrives."
    ),
]


@router.post(
    "", status_code=201, response_model=UploadView, responses=described(409, 413, 415, 429)
)
def create_upload(ctx: Ctx, who: Researcher, body: UploadRequest, once: Once) -> Response:
    """Begin an upload in parts, which can go on where it broke off.

    Send the parts in any order, several at once if you like, with `PUT …/parts/{number}`; then make
    a data set of them with `POST /v1/datasets?upload_id=…`.
    """

    def work(session: Session) -> Made:
        view = UploadView.of(UploadService(session, who, ctx.settings).create(body))
        return Made(view, 201, {"Location": f"/v1/uploads/{view.id}"}, subject=view.id)

    return once.carry_out(who, body, work).response


@router.get("")
def list_uploads(
    *,
    ctx: Ctx,
    who: Reader,
    limit: Limit = 50,
    cursor: Cursor = None,
    status: UploadStatus | None = None,
    sha256: Annotated[str | None, Query(pattern=r"^[0-9a-f]{64}$")] = None,
) -> PageOf[UploadView]:
    """List uploads in parts, the newest first."""
    with ctx.database.read() as session:
        service = UploadService(session, who, ctx.settings)
        page = service.page(limit, cursor, status, sha256)
        return PageOf(
            items=[UploadView.of(row) for row in page.items], next_cursor=page.next_cursor
        )


@router.get("/{upload_id}", responses=described(404))
def get_upload(ctx: Ctx, who: Reader, upload_id: Id) -> UploadDetail:
    """Look at an upload: which parts are there."""
    with ctx.database.read() as session:
        return UploadService(session, who, ctx.settings).detail(upload_id)


@router.delete("/{upload_id}", status_code=204, responses=described(404, 409))
def delete_upload(ctx: Ctx, who: Researcher, upload_id: Id) -> None:
    """Give up an upload. Its parts are deleted."""
    with ctx.database.write() as session:
        UploadService(session, who, ctx.settings).abort(upload_id)


@parts_router.put(
    "/{upload_id}/parts/{number}",
    responses=described(400, 404, 409, 413, 507),
    openapi_extra={
        "requestBody": {"required": True, "content": {"application/octet-stream": _BINARY}}
    },
)
async def put_part(
    *,
    request: Request,
    response: Response,
    ctx: Ctx,
    who: Researcher,
    upload_id: Id,
    number: Annotated[int, Path(ge=1, le=MAX_PARTS, description="From 1.")],
    content_digest: Digest = None,
    repr_digest: Digest = None,
) -> PartView:
    """Send one part. Sent again, it takes the place of the one before."""
    del content_digest, repr_digest  # for the description; read where a missing one is no error
    said = stated_sha256(request.headers)
    size = await run_in_threadpool(_expected_size, ctx, who, upload_id, number)
    body = _Body(request, size, said)
    # A name of its own: the one that is there counts until this one is whole.
    name = f"{number:05d}-{secrets.token_hex(6)}"
    object_key = f"{prefix_of(who.workspace_id, upload_id)}{name}"
    await ctx.objects.put_stream(object_key, body.chunks())
    part = UploadPart(
        number=number, size=size, sha256=body.sha256.hexdigest(), object_key=object_key
    )
    view = await run_in_threadpool(_register, ctx, who, upload_id, part)
    response.headers["Repr-Digest"] = digest_header(view.sha256)
    return view


def _expected_size(ctx: Context, who: Identity, upload_id: str, number: int) -> int:
    with ctx.database.read() as session:
        return UploadService(session, who, ctx.settings).expected_size(upload_id, number)


def _register(ctx: Context, who: Identity, upload_id: str, part: UploadPart) -> PartView:
    object_key = part.object_key
    try:
        with ctx.database.write() as session:
            service = UploadService(session, who, ctx.settings)
            return PartView.of(service.put_part(upload_id, part))
    except Problem:  # deleted, or finished, while the part was under way
        ctx.objects.delete(object_key)
        raise


class _Body:
    """The bytes of one part, as they arrive: counted, hashed, and never gathered in memory."""

    def __init__(self, request: Request, size: int, said_sha256: str | None) -> None:
        self._request = request
        self._size = size
        self._said = said_sha256
        self.sha256 = hashlib.sha256()

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the bytes.

        Raises:
            Problem: 413 ``part_too_large``; 422 ``part_incomplete`` or ``digest_mismatch``.
        """
        declared = self._request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) != self._size:
            raise self._wrong_size(int(declared))
        got = 0
        async for chunk in self._request.stream():
            got += len(chunk)
            if got > self._size:
                raise self._wrong_size(got)
            self.sha256.update(chunk)
            yield chunk
        if got != self._size:
            raise self._wrong_size(got)
        if self._said is not None and self._said != self.sha256.hexdigest():
            raise mismatch()

    def _wrong_size(self, got: int) -> Problem:
        hint = "All parts but the last have `part_size` bytes; the last has what is left."
        if got > self._size:
            return Problem(413, "part_too_large", f"The part must have {self._size:,} bytes.", hint)
        return Problem(
            422,
            "part_incomplete",
            f"The part must have {self._size:,} bytes, and has {got:,}.",
            hint,
        )
