"""``graft workers``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graft.cli.connecting import JsonOption, asks_service, connect

if TYPE_CHECKING:
    from graft.client import Worker


@asks_service
def workers(as_json: JsonOption = False) -> None:
    """List the workers and how much waits for them; for administrators."""
    from graft.cli.saying import say_json, when
    from graft.cli.tables import duration, plain_table

    with connect() as client:
        house = client.workers.list()
    if as_json:
        say_json(house)
        return
    rows = [
        [one.id, ", ".join(one.queues), _does(one), _device(one), _memory(one), when(one.seen_at)]
        for one in house.items
    ]
    plain_table(["id", "queues", "does", "device", "GPU memory", "last seen"], rows)
    waiting = [
        [
            name,
            str(queue.waiting),
            "–" if queue.oldest_seconds is None else duration(queue.oldest_seconds),
        ]
        for name, queue in sorted(house.queues.items())
    ]
    plain_table(["queue", "waiting", "the first for"], waiting)


def _does(worker: Worker) -> str:
    """Say what a worker does, what keeps it from it first."""
    if worker.is_gone:
        return "silent"
    if worker.step is not None:
        return f"{worker.step.name} of {worker.step.job_id}"
    if worker.is_busy:
        return "a step of another workspace"
    return "nothing" if worker.paused is None else f"paused: {worker.paused}"


def _device(worker: Worker) -> str:
    return "" if worker.device is None else str(worker.device.get("name", ""))


def _memory(worker: Worker) -> str:
    from graft.cli.tables import size

    usage = worker.usage or {}
    used, total = usage.get("gpu_memory_used_bytes"), usage.get("gpu_memory_total_bytes")
    return "" if used is None or total is None else f"{size(used)} of {size(total)}"
