"""The faults that are over at once: processes killed or told to end, and the broker emptied."""

from __future__ import annotations

import random
import signal

from harness.house import House
from harness.ledger import Held
from harness.processes import Managed, children_of, command_line, descendants_of, folder_of, send
from harness.striking import Fault, Struck, both, goes_on, rings, some_held, works
from redis import Redis
from redis.exceptions import RedisError


def _is_step(pid: int, step_id: str | None = None) -> bool:
    arguments = command_line(pid)
    is_step = "gan_core" in arguments and "run" in arguments
    # One that was started ahead was told its step later, and went to its folder then.
    return is_step and (step_id is None or step_id in folder_of(pid))


def child_of(worker: Managed, held: Held) -> int | None:
    """Return the process that computes a step."""
    for pid in descendants_of(worker.pid):
        if _is_step(pid, held.id):
            return pid
    return None


def pool_processes(worker: Managed) -> list[int]:
    """Return Celery's pool processes."""
    return [pid for pid in children_of(worker.pid) if not _is_step(pid)]


def kill_worker(house: House, chance: random.Random) -> Struck | None:
    """SIGKILL a worker's parent while it holds a step."""
    held = some_held(house, chance)
    worker = house.worker_of(held.worker_id) if held else None
    if held is None or worker is None or not send(worker.pid, signal.SIGKILL):
        return None
    return Struck(f"{worker.name}, {held.kind}", goes_on(house, held))


def kill_pool(house: House, chance: random.Random) -> Struck | None:
    """SIGKILL the pool process that looks after a step."""
    held = some_held(house, chance)
    worker = house.worker_of(held.worker_id) if held else None
    if held is None or worker is None:
        return None
    child = child_of(worker, held)
    for pid in pool_processes(worker):
        if child is None or child in descendants_of(pid):
            send(pid, signal.SIGKILL)
            return Struck(f"{worker.name}, {held.kind}", goes_on(house, held))
    return None


def kill_child(house: House, chance: random.Random) -> Struck | None:
    """SIGKILL the process that computes a step."""
    for _ in range(20):
        held = some_held(house, chance)
        worker = house.worker_of(held.worker_id) if held else None
        child = child_of(worker, held) if held and worker else None
        if held is not None and child is not None and send(child, signal.SIGKILL):
            return Struck(held.kind, goes_on(house, held))
    return None


def stop_worker(house: House, chance: random.Random) -> Struck | None:
    """SIGTERM a worker while it holds a step: it hands it back."""
    held = some_held(house, chance)
    worker = house.worker_of(held.worker_id) if held else None
    if held is None or worker is None or not send(worker.pid, signal.SIGTERM):
        return None
    return Struck(f"{worker.name}, {held.kind}", goes_on(house, held))


def kill_api(house: House, chance: random.Random) -> Struck | None:
    """SIGKILL the API."""
    if not house.api.is_alive or not send(house.api.pid, signal.SIGKILL):
        return None
    return Struck("api", lambda: house.answers("/v1/jobs", 0))


def kill_valkey(house: House, chance: random.Random) -> Struck | None:
    """SIGKILL the broker; it comes back with what its append-only file holds."""
    heard = rings(house)
    if not house.valkey.is_alive or not send(house.valkey.pid, signal.SIGKILL):
        return None
    return Struck("valkey", heard)


def flush_valkey(house: House, chance: random.Random) -> Struck | None:
    """FLUSHALL: every message is gone."""
    heard = rings(house)
    try:
        with Redis(port=house.broker_port, socket_timeout=2.0) as client:
            size = client.dbsize()
            client.flushall()
    except RedisError:
        return None
    return Struck(f"{size} keys", heard)


def kill_postgres(house: House, chance: random.Random) -> Struck | None:
    """SIGKILL the database's server with all its backends."""
    server = house.postgres
    if server is None or not server.is_alive:
        return None
    forward = works(house)
    backends = children_of(server.pid)
    for pid in [server.pid, *backends]:
        send(pid, signal.SIGKILL)
    what = f"{len(backends)} backends"
    return Struck(what, both(lambda: house.answers("/v1/jobs", 0), forward))


def _without_postgres(house: House) -> str | None:
    return "this house has SQLite" if house.postgres is None else None


AT_ONCE = (
    Fault("SIGKILL worker parent", kill_worker),
    Fault("SIGKILL pool process", kill_pool),
    Fault("SIGKILL training child", kill_child),
    Fault("SIGTERM worker", stop_worker),
    Fault("SIGKILL API", kill_api),
    Fault("SIGKILL Valkey", kill_valkey),
    Fault("FLUSHALL", flush_valkey),
    Fault("SIGKILL PostgreSQL", kill_postgres, _without_postgres),
)
