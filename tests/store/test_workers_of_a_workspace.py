"""Workers as one workspace may see them, on both databases."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from store.columns import utc_now
from store.repositories.workers import StepAtWork, WorkerAtWork, WorkerRepository
from store.step_tables import Step
from store.tables import WorkerSeen
from store.workers import WorkerRegister


def seen(house: Any, *names: str) -> None:
    with house.database.write() as session:
        for name in names:
            about = {"host": "h", "queues": ["cpu"], "version": "1", "step_id": None}
            WorkerRegister(session).seen(name, **about)


def workers(house: Any, workspace_id: str) -> dict[str, WorkerAtWork]:
    with house.database.read() as session:
        found = WorkerRepository(session, workspace_id).all(60.0)
        return {worker.row.id: worker for worker in found}


def test_a_worker_is_busy_for_everybody_and_at_a_step_for_its_workspace_alone(house: Any) -> None:
    job_id = house.submit(house.chain("a", "b"))
    step = house.claim_named(job_id, "a")
    with house.database.read() as session:
        holder = session.get_one(Step, step.id).worker_id
    seen(house, holder, "idle")
    mine = workers(house, house.workspace_id)
    assert mine[holder].is_busy
    assert mine[holder].step == StepAtWork(job_id, "a", step.kind)
    assert (mine["idle"].is_busy, mine["idle"].step) == (False, None)
    others = workers(house, "ws_other")
    assert others[holder].is_busy
    assert others[holder].step is None


def test_after_a_while_without_a_sign_of_life_it_counts_as_gone(house: Any) -> None:
    seen(house, "silent", "living", "polite")
    with house.database.write() as session:
        session.get_one(WorkerSeen, "silent").seen_at = utc_now() - timedelta(seconds=61)
        WorkerRegister(session).gone("polite")
    found = workers(house, house.workspace_id)
    assert {name: worker.is_silent for name, worker in found.items()} == {
        "silent": True,
        "living": False,
    }
