"""``/v1/me``."""

from __future__ import annotations

from fastapi import APIRouter

from api.auth import Reader
from api.context import Ctx
from api.me.schemas import Me
from api.problems import described

router = APIRouter(prefix="/v1/me", tags=["identity"], responses=described(401, 403))


@router.get("")
def get_me(ctx: Ctx, who: Reader) -> Me:
    """Return who is asking: what a portal can check its key with."""
    with ctx.database.read() as session:
        return Me.of(session, who)
