"""Is it alive, is it ready, how does it fare: for probes and scrapers, without a key."""

from __future__ import annotations

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel
from starlette.responses import Response

from api.context import Ctx
from api.problems import Problem, described

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """The answer of a probe."""

    status: str
    checks: dict[str, bool] = {}


@router.head("/livez", include_in_schema=False)
@router.get("/livez")
async def livez() -> Health:
    """Say that the process answers. No dependency is looked at."""
    return Health(status="alive")


@router.head("/readyz", include_in_schema=False)
@router.get("/readyz", responses=described(503))
def readyz(ctx: Ctx) -> Health:
    """Say whether the database, the file storage and the broker answer."""
    checks = {
        "database": ctx.database.is_answering(),
        "objects": ctx.objects.is_answering(),
        "broker": ctx.doorbell.is_answering(),
    }
    silent = [name for name, is_answering in checks.items() if not is_answering]
    if silent:
        raise Problem(
            503,
            "not_ready",
            f"No answer from: {', '.join(silent)}.",
            "Requests that need it will fail until it is back.",
            headers={"Retry-After": "5"},
            checks=checks,
        )
    return Health(status="ready", checks=checks)


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
def metrics(request: Request) -> Response:
    """Return the metrics in Prometheus' text format."""
    return Response(
        generate_latest(request.app.state.metrics.registry),
        headers={"Content-Type": CONTENT_TYPE_LATEST},
    )
