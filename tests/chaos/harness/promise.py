"""The promise: a worker that is killed is made up for within 75 s, with the default settings."""

from __future__ import annotations

import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from harness.checks import Check
from harness.house import SHORT, House, Plan
from harness.ledger import Held
from harness.processes import send
from harness.run import Record
from harness.workload import Portals, make_images

PROMISED_SECONDS = 75.0
# The default. A save that is slow makes it longer: saving may take 2% of the time.
_CHECKPOINT_SECONDS = 60.0
_EPOCHS = 8000
_HEAD_START = 80.0
_LONGEST = 240.0


def keep_promise(
    kills: int, is_postgres: bool, tell: Callable[[str], None]
) -> tuple[list[Record], list[Check]]:
    """Kill workers in the middle of a long training; measure how soon it goes on, and from where.

    Returns:
        A record for each kill, and the checks.
    """
    settings = {"GRAFT_MIN_FREE_BYTES": SHORT["GRAFT_MIN_FREE_BYTES"]}  # the disk is small
    in_time = Check(f"with default settings, back at work within {PROMISED_SECONDS:.0f} s")
    kept = Check("at most one checkpoint interval is lost")
    records: list[Record] = []
    house = House(Plan(settings=settings, is_postgres=is_postgres, has_clocks=False))
    try:
        with tempfile.TemporaryDirectory(prefix="graft-chaos-out-") as folder:
            images = make_images(Path(folder) / "images")
            out = Path(folder) / "out"
            portals = Portals(house, images, out, specs=1, first=1, at_once=1, epochs=_EPOCHS)
            portals.start()
            for _ in range(kills):
                try:
                    record, lost = _kill(house)
                except AssertionError as error:  # what was measured before it must not be lost
                    in_time.wrong.append(str(error))
                    break
                records.append(record)
                if record.seconds is None or record.seconds > PROMISED_SECONDS:
                    in_time.wrong.append(_said(record.seconds))
                # A beat or two of progress may not have been told yet.
                if lost is None or lost > _CHECKPOINT_SECONDS + 5.0:
                    kept.wrong.append(f"{_said(lost)} of training")
                tell(
                    f"{record.name}: {_said(record.seconds)} until it went on,"
                    f" {_said(lost)} of training lost"
                )
            portals.give_up.set()
    finally:
        house.close(keep=False)
    in_time.note = ", ".join(f"{r.seconds:.0f} s" for r in records if r.seconds is not None)
    return records, [in_time, kept]


def _said(seconds: float | None) -> str:
    return "unknown" if seconds is None else f"{seconds:.1f} s"


def _training(house: House) -> Held | None:
    return next((step for step in house.ledger.held() if step.kind == "train"), None)


def _await(question: Callable[[], Held | None]) -> Held | None:
    until = time.monotonic() + _LONGEST
    while time.monotonic() < until:
        found = question()
        if found is not None:
            return found
        time.sleep(0.2)
    return None


def _kill(house: House) -> tuple[Record, float | None]:
    """Kill the worker that trains; return the record, and the seconds of training lost."""
    before = _await(lambda: _training(house))
    assert before is not None, "no training began"
    # Its pace, between two moments at which it is well under way.
    time.sleep(_HEAD_START / 2)
    early, early_at = _training(house), time.monotonic()
    time.sleep(_HEAD_START / 2)
    late, late_at = _training(house), time.monotonic()
    assert early is not None
    assert late is not None
    pace = (late.fraction - early.fraction) / (late_at - early_at)
    worker = house.worker_of(late.worker_id)
    assert worker is not None
    send(worker.pid, signal.SIGKILL)
    record = Record("SIGKILL worker, default settings", late.kind, late_at, late_at)
    again = _await(lambda: _other(house, late, moved=False))
    record.seconds = None if again is None else time.monotonic() - late_at
    # The first that the new attempt says of itself tells from where it went on.
    first = _await(lambda: _other(house, late, moved=True))
    if first is None or pace <= 0:
        return record, None
    return record, max(0.0, late.fraction - first.fraction) / pace


def _other(house: House, held: Held, *, moved: bool) -> Held | None:
    now = _training(house)
    if now is None or now.token == held.token:
        return None
    return now if not moved or now.fraction != held.fraction else None
