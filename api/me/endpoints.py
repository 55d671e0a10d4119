"""``/v1/me``."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from api.auth import Reader, Scope
from api.context import Ctx
from api.problems import described
from store.repositories.workspaces import workspace_name
from store.roles import what_scopes_allow

router = APIRouter(prefix="/v1/me", tags=["identity"], responses=described(401, 403))
_SCOPES: tuple[Scope, ...] = ("reader", "researcher", "admin")


class Me(BaseModel):
    """Who is asking, and what that allows."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    kind: Literal["key", "person"]
    """``person``: whoever an OpenID Connect token speaks of."""
    id: str
    """As the audit trail names it."""
    name: str
    workspace_id: str
    workspace_name: str
    scopes: list[Scope]
    """All of them, also those that another one brings with it."""
    expires_at: datetime | None
    """Of the key or the token; null: never."""


@router.get("")
def get_me(ctx: Ctx, who: Reader) -> Me:
    """Return who is asking: what a portal can check its key with."""
    with ctx.database.read() as session:
        name = workspace_name(session, who.workspace_id)
    allowed = what_scopes_allow(who.scopes)
    return Me(
        kind=who.kind,
        id=who.key_id,
        name=who.name,
        workspace_id=who.workspace_id,
        workspace_name=name,
        scopes=[scope for scope in _SCOPES if scope in allowed],
        expires_at=who.expires_at,
    )
