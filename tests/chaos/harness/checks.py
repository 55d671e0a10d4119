"""What must hold when the storm is over."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.artifacts import Prints, differences, prints_of
from harness.house import House
from harness.ledger import as_list
from harness.processes import all_pids, command_line, folder_of
from harness.workload import Finished, Portals

_SETTLE_SECONDS = 60.0
_SHOWN = 5


@dataclass
class Check:
    """One thing that must hold.

    Attributes:
        name: What.
        wrong: What does not; empty: it holds.
        note: What should be known although it holds.
    """

    name: str
    wrong: list[str] = field(default_factory=list)
    note: str = ""


def wait_until_idle(house: House) -> None:
    """Give the service time to send its last rings and clear up, as it does by itself."""
    until = time.monotonic() + _SETTLE_SECONDS
    while time.monotonic() < until:
        waiting = house.ledger.try_rows("SELECT count(*) FROM outbox WHERE sent_at IS NULL")
        uploads = house.ledger.try_rows(
            "SELECT count(*) FROM datasets WHERE upload_removed_at IS NULL"
        )
        is_idle = waiting is not None and uploads is not None
        if is_idle and not waiting[0][0] and not uploads[0][0] and not house.ledger.held():
            return
        time.sleep(0.5)


def check_jobs(house: House, portals: Portals) -> list[Check]:
    """Every job ended well; those that a full disk ended say so and were submitted again."""
    ended = Check("every job ended")
    for job_id, kind, status in house.ledger.rows("SELECT id, kind, status FROM jobs ORDER BY id"):
        if status not in {"succeeded", "failed", "cancelled"}:
            ended.wrong.append(f"{kind} job {job_id} is {status}")
    well = Check("every study succeeded")
    again = [job for finished in portals.finished for job in finished.earlier]
    for finished in portals.finished:
        if finished.job.status != "succeeded":
            error = finished.job.error
            said = f"{error.step}: {error.code}" if error else ""
            well.wrong.append(f"study {finished.number}: {finished.job.status} {said}")
    well.wrong += portals.broken
    if not portals.are_done:
        well.wrong.append(f"{len(portals.at_work)} studies were not over when the run gave up")
    if again:
        codes = sorted({job.error.code for job in again if job.error})
        well.note = f"{len(again)} ended by the full disk ({', '.join(codes)}) and submitted again"
    return [ended, well]


def check_artifacts(reference: Mapping[int, Prints], finished: Sequence[Finished]) -> list[Check]:
    """What each job left is what the undisturbed run left."""
    check = Check("artifacts are those of the undisturbed run")
    compared = 0
    for one in finished:
        if one.folder is None:
            continue
        found = prints_of(one.folder)
        compared += len(found)
        different = differences(reference[one.number], found)
        if different:
            where = f"study {one.number}, workspace {one.workspace}"
            check.wrong.append(f"{where}: {', '.join(different[:_SHOWN])}")
    check.note = f"{compared} files and zip members compared"
    if not compared:
        check.wrong.append("nothing was compared")
    return [check]


def check_ledger(house: House) -> list[Check]:
    """Nothing is published twice, held, promised or left without a job that is over."""
    rows = house.ledger.rows
    twice = Check("nothing is published twice")
    twice.wrong = [
        f"{name} of step {step_id}, {count} times"
        for step_id, name, count in rows(
            "SELECT step_id, name, count(*) FROM artifacts GROUP BY step_id, name"
            " HAVING count(*) > 1"
        )
    ]
    twice.wrong += [
        f"{name} of job {job_id}, {count} times"
        for job_id, name, count in rows(
            "SELECT job_id, name, count(*) FROM artifacts WHERE name IN"
            " ('synthetic.zip', 'report.html', 'results.json', 'results.csv')"
            " GROUP BY job_id, name HAVING count(*) > 1"
        )
    ]
    deserved = Check("no artifact without a step that succeeded")
    deserved.wrong = [
        f"{name} of step {step_id}, which is {status}"
        for name, step_id, status in rows(
            "SELECT a.name, a.step_id, s.status FROM artifacts a JOIN steps s ON s.id = a.step_id"
            " WHERE s.status <> 'succeeded'"
        )
    ]
    leases = Check("no step at work, no lease left")
    leases.wrong = [
        f"step {step_id} ({name}) is {status}"
        for step_id, name, status in rows(
            "SELECT id, name, status FROM steps WHERE status IN ('queued', 'running')"
            " OR lease_token IS NOT NULL"
        )
    ]
    outbox = Check("no ring is still promised")
    outbox.wrong = [
        f"step {row[0]}"
        for row in rows("SELECT step_id FROM outbox WHERE sent_at IS NULL LIMIT 20")
    ]
    return [twice, deserved, leases, outbox]


def check_idle(house: House) -> list[Check]:
    """With nothing left to do, nothing computes."""
    check = Check("nothing computes when nothing is to do")
    for pid in all_pids():
        arguments = command_line(pid)
        if "gan_core" in arguments and str(house.root) in folder_of(pid):
            check.wrong.append(" ".join(arguments[-3:]))
    return [check]


def check_files(house: House) -> list[Check]:
    """Every object has a row, every row its object, and steps leave nothing in the work folder."""
    root = house.data / "objects"
    there = {p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()}
    known: set[str] = set()
    for column, table in (("outputs", "steps"), ("files", "datasets")):
        for (value,) in house.ledger.rows(f"SELECT {column} FROM {table}"):  # noqa: S608 - ours
            known |= {one["object_key"] for one in as_list(value)}
    known |= {row[0] for row in house.ledger.rows("SELECT object_key FROM artifacts")}
    waiting = {
        row[0]
        for row in house.ledger.rows(
            "SELECT upload_key FROM datasets WHERE upload_removed_at IS NULL"
        )
    }
    missing = Check("every row has its object", [f"{key}" for key in sorted(known - there)])
    strays = sorted(there - known - waiting)
    # An upload whose API was killed before it wrote a row is swept when it is a day old.
    young = [key for key in strays if "/uploads/" in key]
    objects = Check(
        "no object without a row",
        [key for key in strays if "/uploads/" not in key],
        f"{len(young)} uploads without a data set, which the service sweeps after a day"
        if young
        else "",
    )
    work = house.data / "work"
    left = sorted(work.iterdir()) if work.is_dir() else []
    over = {row[0] for row in house.ledger.rows("SELECT id FROM steps")}
    folders = Check(
        "no stray file in the work folder",
        [path.name for path in left if path.name not in over],
        f"{len(left)} folders of steps that are over, which the service sweeps within the hour"
        if left
        else "",
    )
    parts = [
        path.relative_to(house.data).as_posix()
        for path in house.data.rglob("*")
        if path.suffix in {".part", ".new", ".partial"} and work not in path.parents
    ]
    return [missing, objects, folders, Check("no half-written file", parts)]


def check_orphans(left: Sequence[int]) -> list[Check]:
    """Nobody outlives the service."""
    wrong = [f"{pid}: {' '.join(command_line(pid))[:120]}" for pid in left]
    return [Check("no orphan process", wrong)]


def reference_prints(finished: Sequence[Finished]) -> dict[int, Prints]:
    """Return the fingerprints of an undisturbed run, by study."""
    prints: dict[int, Prints] = {}
    for one in finished:
        folder: Path | None = one.folder
        assert folder is not None, f"study {one.number} failed without any fault: {one.job.error}"
        prints[one.number] = prints_of(folder)
    return prints
