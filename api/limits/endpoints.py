"""``/v1/limits`` and ``/v1/usage``."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated

from fastapi import APIRouter, Query

from api.auth import Admin, Reader
from api.context import Ctx
from api.limits.schemas import LimitsRequest, LimitsView, UsageList
from api.limits.service import LimitsService
from api.problems import Problem, described
from store.columns import utc_now
from store.repositories import Identity

router = APIRouter(prefix="/v1", tags=["limits"], responses=described(401, 403, 422))

_LONGEST = timedelta(days=366)


@router.get("/limits")
def get_limits(ctx: Ctx, who: Reader) -> LimitsView:
    """Look at the limits that hold for this key and its workspace, and at what is left."""
    with ctx.database.read() as session:
        return LimitsView(items=LimitsService(session, who).standing(ctx.gate))


@router.patch("/limits", responses=described(413))
def lower_limits(ctx: Ctx, who: Admin, asked: LimitsRequest) -> LimitsView:
    """Lower limits of the workspace, or take that back. Only the operator can raise them."""
    with ctx.database.write() as session:
        LimitsService(session, who).lower(ctx.settings, asked)
    # Elsewhere, other processes learn of it within seconds.
    ctx.gate.forget_allowances()
    with ctx.database.read() as session:
        known = ctx.gate.with_allowance(who)
        return LimitsView(items=LimitsService(session, known).standing(ctx.gate))


@router.get("/usage")
def get_usage(
    ctx: Ctx,
    who: Reader,
    from_: Annotated[
        date | None, Query(alias="from", description="First day (UTC); left out: 30 days ago.")
    ] = None,
    to: Annotated[date | None, Query(description="Last day (UTC); left out: today.")] = None,
) -> UsageList:
    """Look at what the workspace has used, by day and kind; administrators see by whom, too."""
    last = to or utc_now().date()
    first = from_ or last - min(timedelta(days=30), last - date.min)
    if last < first or last - first > _LONGEST:
        raise Problem(
            422,
            "invalid_request",
            "`from` must not be later than `to`, nor more than 366 days before it.",
            "Ask for less at a time.",
        )
    with ctx.database.read() as session:
        service = LimitsService(session, who)
        return UsageList(items=service.usage(first, last, by_actor=_is_admin(who)))


def _is_admin(who: Identity) -> bool:
    return "admin" in who.scopes
