"""One run from the undisturbed reference to the last check."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness import checks
from harness.artifacts import Prints
from harness.checks import Check
from harness.faults import AT_ONCE
from harness.hearing import check_hearing
from harness.house import House, Plan
from harness.lasting import LASTING
from harness.run import RECOVERY_SECONDS, Record, Storm
from harness.watcher import Watcher
from harness.workload import Portals, make_images

Tell = Callable[[str], None]


@dataclass
class Size:
    """How much is done.

    Attributes:
        faults: How many strike.
        seed: Of their order, their victims and their moments.
        studies: How many different ones there are.
        jobs: How many jobs there are at least.
        workspaces: Among which they are shared out; each study is run once in each at most.
        at_once: How many jobs are at work at a time.
        epochs: Of the shortest training.
        patience: Seconds that the jobs have to end after the last fault.
        longest: Seconds after which no more faults strike.
        names: Faults to choose from; empty: all.
    """

    faults: int = 100
    seed: int = 0
    studies: int = 6
    jobs: int = 12
    workspaces: int = 8
    at_once: int = 3
    epochs: int = 30
    patience: float = 600.0
    longest: float = 3600.0
    names: frozenset[str] = frozenset()


@dataclass
class Outcome:
    """What came of a run."""

    records: list[Record] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    checks: list[Check] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def is_good(self) -> bool:
        """Whether every check holds."""
        return not any(check.wrong for check in self.checks)


def play(plan: Plan, size: Size, tell: Tell, *, keep: bool = False) -> Outcome:
    """Run the jobs without faults, then with, and compare."""
    folder = Path(tempfile.mkdtemp(prefix="graft-chaos-out-"))
    try:
        images = make_images(folder / "images")
        begin = time.monotonic()
        tell(f"{size.studies} studies, undisturbed")
        reference = _reference(plan, size, images, folder / "reference", tell)
        seconds = time.monotonic() - begin
        tell(f"the undisturbed run of {size.studies} studies took {seconds:.0f} s")
        outcome = _disturbed(
            plan,
            size,
            images=images,
            out=folder / "disturbed",
            reference=reference,
            tell=tell,
            keep=keep,
        )
        outcome.facts["reference_seconds"] = round(seconds, 1)
        return outcome
    finally:
        if keep:
            tell(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def _reference(plan: Plan, size: Size, images: Path, out: Path, tell: Tell) -> dict[int, Prints]:
    house = House(replace(plan, workspaces=1))
    try:
        portals = Portals(
            house,
            images,
            out,
            specs=size.studies,
            first=size.studies,
            at_once=size.at_once,
            epochs=size.epochs,
        )
        portals.start()
        _wait(portals, time.monotonic() + size.longest)
        assert not portals.broken, portals.broken
        return checks.reference_prints(portals.finished)
    finally:
        house.close(keep=False)


def _disturbed(
    plan: Plan,
    size: Size,
    *,
    images: Path,
    out: Path,
    reference: dict[int, Prints],
    tell: Tell,
    keep: bool,
) -> Outcome:
    house = House(plan)
    outcome = Outcome()
    is_raging = True
    try:
        faults = [f for f in (*AT_ONCE, *LASTING) if not size.names or f.name in size.names]
        begin = time.monotonic()
        storm = Storm(house, faults, size.seed, lambda record: tell(_said(record, storm, size)))
        portals = Portals(
            house,
            images,
            out,
            specs=size.studies,
            first=size.jobs,
            goes_on=lambda: is_raging,
            at_once=size.at_once,
            epochs=size.epochs,
        )
        watcher = Watcher(house, portals)
        portals.start()
        watcher.start()
        storm.rage(size.faults, begin + size.longest, lambda: not portals.are_done)
        is_raging = False
        storm_seconds = time.monotonic() - begin
        tell(f"{len(storm.records)} faults in {storm_seconds:.0f} s; the jobs may end now")
        _wait(portals, time.monotonic() + size.patience)
        watcher.stop()
        checks.wait_until_idle(house)
        outcome.checks += check_hearing(house, images)
        checks.wait_until_idle(house)
        outcome.records, outcome.skipped = storm.records, storm.skipped
        outcome.checks += _storm_checks(storm, size, watcher)
        outcome.checks += checks.check_jobs(house, portals)
        outcome.checks += checks.check_artifacts(reference, portals.finished)
        outcome.checks += checks.check_ledger(house)
        outcome.checks += checks.check_idle(house)
        outcome.checks += checks.check_files(house)
        outcome.checks += checks.check_orphans(house.stop())
        outcome.facts |= {
            "jobs": len(portals.finished),
            "storm_seconds": round(storm_seconds, 1),
            "polls": dict(watcher.answers),
            "longest_without_answer_seconds": round(watcher.longest, 1),
            "clients_told": dict(portals.told),
            "starts": {p.name: p.starts for p in (house.api, *house.workers)},
        }
        return outcome
    finally:
        portals.give_up.set()
        if keep:
            tell(f"kept: {house.root}")
        house.close(keep=keep)


def _storm_checks(storm: Storm, size: Size, watcher: Watcher) -> list[Check]:
    struck = Check(f"{size.faults} faults struck")
    if len(storm.records) < size.faults:
        struck.wrong.append(f"{len(storm.records)}: the work ran out, or the time")
    recovered = Check(
        "every fault was recovered from",
        [f"{r.name} ({r.what})" for r in storm.records if r.seconds is None],
    )
    polls = Check(
        "pollers saw nothing that a new try does not mend",
        watcher.worse,
        f"{sum(watcher.answers.values())} polls, {watcher.answers['200']} answered 200, longest"
        f" {watcher.longest:.1f} s without",
    )
    return [struck, recovered, polls]


def _wait(portals: Portals, until: float) -> None:
    while not portals.are_done and time.monotonic() < until:
        time.sleep(0.2)


def _said(record: Record, storm: Storm, size: Size) -> str:
    number = storm.records.index(record) + 1
    end = "" if record.seconds is None else f": back after {record.seconds:.1f} s"
    if record.is_given_up:
        end = f": NOT back after {RECOVERY_SECONDS:.0f} s"
    return f"{number:>4}/{size.faults}  {record.name} ({record.what}){end}"
