"""``/v1/keys``."""

from __future__ import annotations

from fastapi import APIRouter, Response

from api.auth import Admin
from api.context import Ctx
from api.http_rules import Cursor, Id, Limit, PageOf
from api.keys.schemas import KeyRequest, KeyView, NewKeyView
from api.keys.service import KeyService
from api.problems import described

router = APIRouter(prefix="/v1/keys", tags=["keys"], responses=described(401, 403, 422))


@router.post("", status_code=201, responses=described(413))
def create_key(ctx: Ctx, who: Admin, response: Response, asked: KeyRequest) -> NewKeyView:
    """Make a key. The answer is the only time that it is shown."""
    with ctx.database.write() as session:
        row, text = KeyService(session, who).create(asked, ctx.pepper)
        view = NewKeyView.of(row, key=text)
    response.headers["Cache-Control"] = "no-store"
    return view


@router.get("")
def list_keys(ctx: Ctx, who: Admin, limit: Limit = 50, cursor: Cursor = None) -> PageOf[KeyView]:
    """List the workspace's keys, the newest first, revoked ones included."""
    with ctx.database.read() as session:
        page = KeyService(session, who).page(limit, cursor)
        return PageOf(items=[KeyView.of(row) for row in page.items], next_cursor=page.next_cursor)


@router.delete("/{key_id}", status_code=204, responses=described(404, 409))
def revoke_key(ctx: Ctx, who: Admin, key_id: Id) -> None:
    """Revoke a key at once and for good."""
    with ctx.database.write() as session:
        KeyService(session, who).revoke(key_id)
