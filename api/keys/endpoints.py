"""``/v1/keys``."""

from __future__ import annotations

from fastapi import APIRouter, Response
from sqlalchemy.orm import Session

from api.auth import Admin
from api.context import Ctx
from api.http_rules import Cursor, Id, Limit, PageOf
from api.idempotency import Made, Once
from api.keys.schemas import KeyRequest, KeyView, NewKeyView, RotationRequest
from api.keys.service import KeyService
from api.problems import described

router = APIRouter(prefix="/v1/keys", tags=["keys"], responses=described(401, 403, 422))


@router.post("", status_code=201, response_model=NewKeyView, responses=described(409, 413))
def create_key(ctx: Ctx, who: Admin, asked: KeyRequest, once: Once) -> Response:
    """Make a key. The answer is the only time that it is shown."""

    def work(session: Session) -> Made:
        row, text = KeyService(session, who).create(asked, ctx.pepper)
        view = NewKeyView.of(row, key=text)
        return Made(view, 201, {"Cache-Control": "no-store"}, subject=row.id)

    return once.carry_out(who, asked, work, holds_secret=True).response


@router.get("")
def list_keys(ctx: Ctx, who: Admin, limit: Limit = 50, cursor: Cursor = None) -> PageOf[KeyView]:
    """List the workspace's keys, the newest first, revoked ones included."""
    with ctx.database.read() as session:
        page = KeyService(session, who).page(limit, cursor)
        return PageOf(items=[KeyView.of(row) for row in page.items], next_cursor=page.next_cursor)


@router.get("/{key_id}", responses=described(404))
def get_key(ctx: Ctx, who: Admin, key_id: Id) -> KeyView:
    """Return what is kept of one key."""
    with ctx.database.read() as session:
        return KeyView.of(KeyService(session, who).get(key_id))


@router.post(
    "/{key_id}/rotate",
    status_code=201,
    response_model=NewKeyView,
    responses=described(404, 409, 413),
)
def rotate_key(
    *, ctx: Ctx, who: Admin, key_id: Id, asked: RotationRequest | None = None, once: Once
) -> Response:
    """Make a key that replaces this one, and let this one work on for a while.

    The new key has the same name, scopes and limits, and lasts as long as the old one was made
    for. The answer is the only time that it is shown.
    """

    def work(session: Session) -> Made:
        service = KeyService(session, who)
        row, text = service.rotate(key_id, asked or RotationRequest(), ctx.pepper)
        view = NewKeyView.of(row, key=text)
        return Made(view, 201, {"Cache-Control": "no-store"}, subject=row.id)

    return once.carry_out(who, asked, work, holds_secret=True).response


@router.delete("/{key_id}", status_code=204, responses=described(404, 409))
def revoke_key(ctx: Ctx, who: Admin, key_id: Id) -> None:
    """Revoke a key at once and for good."""
    with ctx.database.write() as session:
        KeyService(session, who).revoke(key_id)
