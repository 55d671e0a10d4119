"""``/v1/artifacts``."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import RedirectResponse, StreamingResponse

from api.artifacts.schemas import ArtifactView
from api.artifacts.service import ArtifactService, gone
from api.auth import Reader
from api.context import Ctx
from api.digests import digest_header
from api.http_rules import Id, has_tag, wanted_range
from api.problems import Problem, described
from store.tables import Artifact

router = APIRouter(prefix="/v1/artifacts", tags=["artifacts"], responses=described(401, 403, 422))

_BYTES = {"*/*": {"schema": {"type": "string", "format": "binary"}}}


@router.get("/{artifact_id}", responses=described(404))
def get_artifact(ctx: Ctx, who: Reader, artifact_id: Id) -> ArtifactView:
    """Look at an artifact."""
    with ctx.database.read() as session:
        return ArtifactView.of(ArtifactService(session, who).get(artifact_id))


@router.head("/{artifact_id}/content", response_class=Response, responses=described(404, 410))
@router.get(
    "/{artifact_id}/content",
    response_class=Response,
    responses={
        200: {"description": "The whole file.", "content": _BYTES},
        206: {"description": "The bytes that `Range` asks for.", "content": _BYTES},
        304: {"description": "You have it already."},
        307: {"description": "The file is at `Location` for a few minutes; no key is needed."},
        **described(404, 410, 416),
    },
)
def get_content(
    *,
    request: Request,
    ctx: Ctx,
    who: Reader,
    artifact_id: Id,
    if_none_match: Annotated[str | None, Header()] = None,
    if_range: Annotated[str | None, Header()] = None,
    range_: Annotated[str | None, Header(alias="Range")] = None,
) -> Response:
    """Download an artifact, whole or in part (RFC 9110, 14), with its digest (RFC 9530)."""
    with ctx.database.read() as session:
        artifacts = ArtifactService(session, who)
        artifact = artifacts.get_kept(artifact_id)
        shows_patients = artifacts.shows_patients(artifact)
    headers = _headers(artifact)
    if shows_patients:
        # As with the sheets of a data set: they stay on no machine that somebody looked at them on.
        headers["Cache-Control"] = "no-store"
    if has_tag(if_none_match, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    if request.method == "HEAD":
        size = {"Content-Length": str(artifact.size)}
        return Response(headers=headers | size, media_type=artifact.media_type)
    # A part is only good for someone whose other parts are of the same file.
    is_same = if_range is None or if_range == headers["ETag"]
    wanted = wanted_range(range_, artifact.size) if is_same else "none"
    if wanted == "bad":
        raise Problem(
            416,
            "range_unsatisfiable",
            f"The file has {artifact.size} bytes, and none in the range asked for.",
            headers={"Content-Range": f"bytes */{artifact.size}"},
        )
    if ctx.objects.head(artifact.object_key) != artifact.size:
        raise gone()
    with ctx.database.write() as session:
        ArtifactService(session, who).note_download(artifact)
    # A browser is not sent to another origin, which the page's own policy would not let it read.
    address = (
        ctx.objects.presign(artifact.object_key, ctx.settings.presigned_seconds)
        if who.sign_in is None
        else None
    )
    if address is not None:
        return RedirectResponse(address, 307, headers={"Cache-Control": "no-store"})
    if wanted == "none":
        start, end, status = 0, artifact.size, 200
    else:
        (start, end), status = wanted, 206
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{artifact.size}"
    headers["Content-Length"] = str(end - start)
    return StreamingResponse(
        ctx.objects.aiterate(artifact.object_key, start, end),
        status_code=status,
        headers=headers,
        media_type=artifact.media_type,
    )


def _headers(artifact: Artifact) -> dict[str, str]:
    return {
        "ETag": f'"{artifact.sha256}"',
        "Accept-Ranges": "bytes",
        "Repr-Digest": digest_header(artifact.sha256),
        # The name is one of ours (it is made by our own steps), so it needs no escaping.
        "Content-Disposition": f'attachment; filename="{artifact.name}"',
        # Should a browser show it after all: no script of it runs with our origin.
        "Content-Security-Policy": "sandbox; frame-ancestors 'none'",
    }
