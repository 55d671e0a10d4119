"""Is it alive, is it ready, how does it fare: for probes and scrapers, without an API key."""

from __future__ import annotations

import secrets

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel
from starlette.responses import Response

from api.context import Ctx
from api.problems import Problem, described
from api.readiness import Probes, Reason

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """The answer of a probe."""

    status: str
    """``alive``; ``ready``; or ``degraded``: requests are answered, but something keeps jobs from
    getting on, and ``reasons`` says what."""
    checks: dict[str, bool] = {}
    reasons: list[Reason] = []
    problems: list[str] = []
    """The reasons once more, each as one line."""


@router.head("/livez", include_in_schema=False)
@router.get("/livez")
async def livez() -> Health:
    """Say that the process answers. No dependency is looked at."""
    return Health(status="alive")


@router.head("/readyz", include_in_schema=False)
@router.get("/readyz", responses=described(503))
def readyz(request: Request) -> Health:
    """Say whether the database, the file storage and the broker answer, and whether jobs get on."""
    probes: Probes = request.app.state.probes
    checks = probes.checks()
    if silent := probes.silent(checks):
        names = ", ".join(name for name, is_answering in checks.items() if not is_answering)
        raise _not_ready(f"No answer from: {names}.", checks, silent)
    refused, degraded = probes.look()
    if refused:
        raise _not_ready(refused[0].detail, checks, refused)
    return Health(
        status="degraded" if degraded else "ready",
        checks=checks,
        reasons=degraded,
        problems=[str(reason) for reason in degraded],
    )


def _not_ready(detail: str, checks: dict[str, bool], reasons: list[Reason]) -> Problem:
    return Problem(
        503,
        "not_ready",
        detail,
        "Requests that need it will fail until it is back.",
        headers={"Retry-After": "5"},
        checks=checks,
        reasons=[reason.model_dump() for reason in reasons],
    )


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
        **described(401),
    },
)
def metrics(ctx: Ctx, request: Request) -> Response:
    """Return the metrics in Prometheus' text format; for those with the token, where one is set."""
    token = ctx.settings.metrics_token
    if token is not None:
        wanted = f"Bearer {token.get_secret_value()}".encode()
        given = request.headers.get("authorization", "").encode("latin-1")
        if not secrets.compare_digest(given, wanted):
            raise Problem(
                401,
                "metrics_token_wrong",
                "The metrics are shown to those with the token of GRAFT_METRICS_TOKEN alone.",
                "Send it as `Authorization: Bearer …`; it is no API key.",
                headers={"WWW-Authenticate": 'Bearer realm="graft metrics"'},
            )
    return Response(
        generate_latest(request.app.state.metrics.registry),
        headers={"Content-Type": CONTENT_TYPE_LATEST},
    )
