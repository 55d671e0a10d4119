"""Is it alive, is it ready, how does it fare: for probes and scrapers, without a key."""

from __future__ import annotations

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel
from sqlalchemy import select
from starlette.responses import Response

from api.context import Context, Ctx
from api.problems import Problem, described
from store.room import lack_of_room
from store.step_tables import Step
from store.workers import WorkerRegister

router = APIRouter(tags=["health"])
_MISSED_ROUNDS = 6


class Health(BaseModel):
    """The answer of a probe."""

    status: str
    """``alive``; ``ready``; or ``degraded``: requests are answered, but something keeps jobs from
    getting on, and ``problems`` says what."""
    checks: dict[str, bool] = {}
    problems: list[str] = []


@router.head("/livez", include_in_schema=False)
@router.get("/livez")
async def livez() -> Health:
    """Say that the process answers. No dependency is looked at."""
    return Health(status="alive")


@router.head("/readyz", include_in_schema=False)
@router.get("/readyz", responses=described(503))
def readyz(ctx: Ctx) -> Health:
    """Say whether the database, the file storage and the broker answer, and whether jobs get on."""
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
    problems = _problems(ctx)
    return Health(status="degraded" if problems else "ready", checks=checks, problems=problems)


def _problems(ctx: Context) -> list[str]:
    """Return why jobs may stand still although everything answers. Names no worker or machine."""
    problems = [reason] if (reason := lack_of_room(ctx.settings)) is not None else []
    with ctx.database.read() as session:
        workers = WorkerRegister(session).living(ctx.settings.sweep_seconds * _MISSED_ROUNDS)
        served = {queue for worker in workers for queue in worker.queues}
        waiting = session.scalars(select(Step.queue).where(Step.status == "queued").distinct())
        unserved = sorted(set(waiting) - served)
    if not workers:
        problems.append("no_worker: no worker has given a sign of life; jobs wait until one does.")
    else:
        problems += [
            f"no_worker: steps wait in the queue {queue}, on which no living worker works."
            for queue in unserved
        ]
    problems += sorted({worker.paused for worker in workers if worker.paused} - set(problems))
    return problems


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
