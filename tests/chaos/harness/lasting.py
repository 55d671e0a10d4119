"""The faults that last: lines, sleepers, a full disk, wrong clocks."""

from __future__ import annotations

import errno
import os
import random
import signal
from collections.abc import Callable

from harness.clocks import why_no_clocks
from harness.house import House
from harness.processes import descendants_of, send
from harness.proxy import Line, Proxy
from harness.striking import Fault, Struck, both, finishes, goes_on, rings, some_held, works

_BALLAST_STEP = 1 << 20
_LEAST_FREE = 64 * 1024


def _lease_seconds(house: House) -> float:
    return float(house.plan.settings.get("GRAFT_LEASE_SECONDS", "60"))


def _later(make: Callable[[], Callable[[], bool]]) -> tuple[Callable[[], None], Callable[[], bool]]:
    """Return a call that looks how things stand, and the question whether they came forward."""
    made: list[Callable[[], bool]] = []
    return (lambda: made.append(make())), (lambda: bool(made) and made[-1]())


def _line_fault(
    name: str, line_of: Callable[[House], Proxy | None], line: Line, seconds: tuple[float, float]
) -> Fault:
    """A fault of a line: counted from the moment when the line is good again."""

    def strike(house: House, chance: random.Random) -> Struck | None:
        proxy = line_of(house)
        assert proxy is not None
        is_broker = proxy is house.broker_line
        heard = rings(house) if is_broker else works(house)
        note, forward = _later(lambda: works(house))
        proxy.set(line)

        def lift() -> None:
            proxy.set(Line.PASS)
            note()

        back = heard if is_broker else both(lambda: house.answers("/v1/jobs", 0), forward)
        lasts = chance.uniform(*seconds)
        return Struck(f"{lasts:.0f} s", back, lift, lasts, counts_from_lift=True)

    def why_not(house: House) -> str | None:
        return "this house has SQLite" if line_of(house) is None else None

    return Fault(name, strike, why_not, lasts=True)


def zombie(house: House, chance: random.Random) -> Struck | None:
    """SIGSTOP a worker and all below it for longer than its lease, then SIGCONT."""
    held = some_held(house, chance)
    worker = house.worker_of(held.worker_id) if held else None
    if held is None or worker is None:
        return None
    stopped = [worker.pid, *descendants_of(worker.pid)]
    for pid in stopped:
        send(pid, signal.SIGSTOP)

    def lift() -> None:
        for pid in stopped:
            send(pid, signal.SIGCONT)

    lasts = _lease_seconds(house) + chance.uniform(3.0, 8.0)
    return Struck(f"{worker.name}, {held.kind}, {lasts:.0f} s", goes_on(house, held), lift, lasts)


def full_disk(house: House, chance: random.Random) -> Struck | None:
    """Leave no room where the service keeps its data, for a while."""
    assert house.disk is not None
    ballast = house.disk / "ballast"
    state = os.statvfs(house.disk)
    free = state.f_bavail * state.f_frsize - _LEAST_FREE
    if free <= 0:
        return None
    descriptor = os.open(ballast, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        # Others write at the same time: what was free just now may not be any more.
        for start in range(0, free, _BALLAST_STEP):
            os.posix_fallocate(descriptor, start, min(_BALLAST_STEP, free - start))
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
    finally:
        os.close(descriptor)
    note, forward = _later(lambda: finishes(house))

    def lift() -> None:
        ballast.unlink(missing_ok=True)
        note()

    lasts = chance.uniform(3.0, 8.0)
    return Struck(f"{lasts:.0f} s", forward, lift, lasts, counts_from_lift=True)


def wrong_clock(house: House, chance: random.Random) -> Struck | None:
    """Put one process's wall clock ahead or behind by more than a lease, and back later."""
    name = chance.choice(sorted(house.clocks))
    jump = chance.choice((-1, 1)) * chance.randint(30, 7200)
    house.clocks[name].move(jump)
    note, forward = _later(lambda: works(house))

    def lift() -> None:
        house.clocks[name].move(0)
        note()

    lasts = chance.uniform(3.0, 10.0)
    return Struck(f"{name}, {jump:+d} s", forward, lift, lasts, counts_from_lift=True)


def _without_clocks(house: House) -> str | None:
    return None if house.clocks else why_no_clocks() or "not asked for"


def _broker(house: House) -> Proxy | None:
    return house.broker_line


def _database(house: House) -> Proxy | None:
    return house.database_line


LASTING = (
    _line_fault("delay to Valkey (0.3 s each way)", _broker, Line.DELAY, (4, 10)),
    _line_fault("half-open to Valkey", _broker, Line.HOLE, (4, 12)),
    _line_fault("Valkey refuses", _broker, Line.REFUSE, (3, 8)),
    _line_fault("delay to PostgreSQL (0.3 s each way)", _database, Line.DELAY, (4, 10)),
    _line_fault("half-open to PostgreSQL", _database, Line.HOLE, (4, 12)),
    _line_fault("PostgreSQL refuses", _database, Line.REFUSE, (3, 8)),
    Fault("SIGSTOP past the lease, SIGCONT", zombie, lasts=True),
    Fault("full disk", full_disk, lambda house: house.no_disk, lasts=True),
    Fault("clock jump", wrong_clock, _without_clocks, lasts=True),
)
