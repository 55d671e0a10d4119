"""``/v1/workers``."""

from __future__ import annotations

from fastapi import APIRouter

from api.auth import Admin
from api.context import Ctx
from api.problems import described
from api.workers.schemas import QueueView, WorkersView, WorkerView
from store.figures import waits
from store.repositories.workers import WorkerRepository
from store.workers import MISSED_ROUNDS

router = APIRouter(prefix="/v1/workers", tags=["workers"], responses=described(401, 403, 422))


@router.get("")
def list_workers(ctx: Ctx, who: Admin) -> WorkersView:
    """Look at the workers that carry out everybody's steps, and at how long the queues are.

    Whose steps a worker is at is told of the own workspace's alone.
    """
    silent_seconds = ctx.settings.sweep_seconds * MISSED_ROUNDS
    with ctx.database.read() as session:
        workers = WorkerRepository(session, who.workspace_id).all(silent_seconds)
        return WorkersView(
            items=[WorkerView.of(worker, ctx.pepper) for worker in workers],
            queues={name: QueueView.of(queue) for name, queue in waits(session).items()},
        )
