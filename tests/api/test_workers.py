"""``GET /v1/workers``: all of them, and of their steps one's own."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from api.workers.schemas import opaque_id
from gan_core.spec import DeviceFacts
from store.columns import utc_now
from store.step_tables import Step
from store.tables import WorkerSeen
from store.workers import WorkerRegister


def seen(database: Any, worker_id: str, **more: Any) -> None:
    about = {"host": "h", "queues": ["gpu"], "version": "1", "step_id": None} | more
    with database.write() as session:
        WorkerRegister(session).seen(worker_id, **about)


def ingest_of(dataset: Any) -> str:
    return str(dataset["links"]["ingest"]).rsplit("/", 1)[-1]


def workers(client: Any) -> Any:
    answer = client.get("/v1/workers")
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_without_a_worker_the_queues_are_there(client: Any) -> None:
    found = workers(client)
    assert found["items"] == []
    assert set(found["queues"]) == {"gpu", "cpu", "interactive"}
    assert found["queues"]["gpu"] == {"waiting": 0, "oldest_seconds": None}


def test_what_waits_is_counted_by_queue(client: Any, hospital: Any) -> None:
    job_id = ingest_of(hospital.upload())
    queues = workers(client)["queues"]
    assert queues["interactive"]["waiting"] == 1
    assert queues["interactive"]["oldest_seconds"] >= 0
    assert queues["cpu"] == {"waiting": 0, "oldest_seconds": None}
    hospital.run(job_id)
    assert workers(client)["queues"]["interactive"]["waiting"] == 0


def test_a_worker_says_what_it_is_and_not_where(client: Any, database: Any, settings: Any) -> None:
    device = DeviceFacts(kind="gpu", name="NVIDIA H100", memory_bytes=80 * 2**30, threads=None)
    usage = {"gpu_memory_used_bytes": 5, "gpu_memory_total_bytes": 9, "resident_bytes": 3}
    paused = "disk_full: There is no room."
    worker_id = "secret-host-77-abcdef01"
    seen(database, worker_id, host="secret-host", device=device, usage=usage, paused=paused)
    answer = client.get("/v1/workers")
    assert "secret-host" not in answer.text
    (worker,) = answer.json()["items"]
    assert worker["id"] == opaque_id(worker_id, settings.secret_key.get_secret_value())
    assert worker["device"] == {
        "name": "NVIDIA H100",
        "kind": "gpu",
        "memory_bytes": 80 * 2**30,
    }
    assert worker["usage"] == usage | {"free_bytes": None}
    assert (worker["queues"], worker["paused"], worker["version"]) == (["gpu"], paused, "1")
    assert (worker["step"], worker["is_busy"], worker["is_gone"]) == (None, False, False)


def test_one_that_fell_silent_is_gone_and_one_that_said_goodbye_is_not_listed(
    client: Any, database: Any, settings: Any
) -> None:
    for name in ("living", "silent", "polite"):
        seen(database, name)
    with database.write() as session:
        WorkerRegister(session).gone("polite")
        silence = timedelta(seconds=settings.sweep_seconds * 7)
        session.get_one(WorkerSeen, "silent").seen_at = utc_now() - silence
    assert [worker["is_gone"] for worker in workers(client)["items"]] == [False, True]


def test_of_the_steps_at_work_only_those_of_the_own_workspace_are_told(
    client: Any, stranger: Any, hospital: Any, database: Any
) -> None:
    job_id = ingest_of(hospital.upload())
    claimed = hospital.claim_next(job_id)
    with database.read() as session:
        holder = session.get_one(Step, claimed.id).worker_id
    seen(database, holder)
    (mine,) = workers(client)["items"]
    assert mine["step"] == {"job_id": job_id, "name": "ingest", "kind": "ingest"}
    assert mine["is_busy"]
    answer = stranger.get("/v1/workers")
    assert job_id not in answer.text
    (theirs,) = answer.json()["items"]
    assert (theirs["step"], theirs["is_busy"], theirs["id"]) == (None, True, mine["id"])


def test_it_is_for_administrators(client: Any) -> None:
    asked = {"name": "r", "scopes": ["researcher"]}
    key = client.post("/v1/keys", json=asked).json()["key"]
    answer = client.get("/v1/workers", headers={"Authorization": f"Bearer {key}"})
    assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")
