"""Jobs and steps through everything that can happen to them, in any order, by a clock of ours.

People submit and cancel; a broker loses, doubles and reorders messages; workers claim, tell of
progress, finish, fail, are killed, and come back when nobody expects them any more; time passes
and clocks are set back. After every event everything that is promised must hold
(``machine.promises``), and in the end, with workers that work and a broker that rings, every job
must end.
"""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from gan_core.spec import Plan
from store.database import Database
from store.objects import Objects
from store.sweeping import Swept
from store.tables import FINAL_JOB_STATES
from tests.store.machine.clock import fake_clock
from tests.store.machine.graphs import graphs, real_studies
from tests.store.machine.looking import Look
from tests.store.machine.promises import assert_nothing_final_changed, assert_promises
from tests.store.machine.world import (
    WORKSPACES,
    Attempt,
    Slot,
    World,
    without_waiting_for_the_disk,
)

MOST_JOBS = 6
SILENCE_SECONDS = 61.0
ROUNDS = 300
_WHICH = st.integers(0, 5)
"""Picks one of however many there are."""
_DEED = st.sampled_from(["complete", "fail", "retry", "release", "heartbeat", "obey"])
_WORKSPACE = st.integers(0, WORKSPACES - 1)


class House(RuleBasedStateMachine):
    """Everything that can happen, in rules."""

    def __init__(self, database: Database, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self._undo = ExitStack()
        clock = self._undo.enter_context(fake_clock())
        self.world = World(database, Objects((folder / "objects").as_uri()), clock)
        self.seen: Look = self.world.look()
        self.rings_when_idle = True

    @initialize(
        rings_when_idle=st.booleans(),
        asked=st.lists(st.tuples(_WORKSPACE, graphs()), min_size=2, max_size=3),
    )
    def begin(self, rings_when_idle: bool, asked: list[tuple[int, Plan]]) -> None:
        self.rings_when_idle = rings_when_idle
        for workspace, plan in asked:
            self.world.submit(workspace, plan, 0)

    # People

    @precondition(lambda self: len(self.seen.jobs) < MOST_JOBS)
    @rule(workspace=_WORKSPACE, plan=graphs(), priority=st.sampled_from([0, 0, 5, 10]))
    def submit(self, workspace: int, plan: Plan, priority: int) -> None:
        self.world.submit(workspace, plan, priority)

    @precondition(lambda self: len(self.seen.jobs) < MOST_JOBS)
    @rule(workspace=_WORKSPACE, plan=real_studies())
    def submit_study(self, workspace: int, plan: Plan) -> None:
        self.world.submit(workspace, plan, 0)

    @precondition(lambda self: len(self.seen.jobs) < MOST_JOBS)
    @rule(workspace=_WORKSPACE, upload=st.sampled_from("89"))
    def submit_upload(self, workspace: int, upload: str) -> None:
        self.world.submit_upload(workspace, upload * 64)

    @precondition(lambda self: self.seen.jobs)
    @rule(which=_WHICH)
    def cancel(self, which: int) -> None:
        job = _pick(list(self.seen.jobs.values()), which)
        is_news = job.status not in FINAL_JOB_STATES and job.status != "cancelling"
        assert self.world.cancel(job.id) == is_news

    # The broker

    @rule(is_up=st.booleans())
    def broker(self, is_up: bool) -> None:
        self.world.broker.is_up = is_up
        self.world.relay()

    @precondition(lambda self: self.world.broker.messages)
    @rule(which=st.none() | _WHICH)
    def lose_messages(self, which: int | None) -> None:
        """Lose one, or all."""
        messages = self.world.broker.messages
        if which is None:
            messages.clear()
        else:
            messages.remove(_pick(messages, which))

    # Workers that do as they should

    def idle(self) -> list[Slot]:
        return [slot for slot in self.world.slots if slot.attempt is None]

    def at_work(self) -> list[Attempt]:
        return [slot.attempt for slot in self.world.slots if slot.attempt is not None]

    def deliver_to(self, slot: Slot, message: tuple[str, str]) -> None:
        queue, candidates = self.world.candidates(message[1])
        self.world.claim_first(slot, queue, candidates, self.world.look())

    @precondition(lambda self: self.world.broker.messages and self.idle())
    @rule(which=_WHICH, is_doubled=st.booleans())
    def deliver(self, which: int, is_doubled: bool) -> None:
        message = _pick(self.world.broker.messages, which)
        if not is_doubled:
            self.world.broker.messages.remove(message)
        self.deliver_to(self.idle()[0], message)

    @precondition(lambda self: self.world.broker.messages and self.idle())
    @rule(which=_WHICH)
    def deliver_and_complete(self, which: int) -> None:
        slot = self.idle()[0]
        message = _pick(self.world.broker.messages, which)
        self.world.broker.messages.remove(message)
        self.deliver_to(slot, message)
        if slot.attempt is not None:
            self.world.complete(slot.attempt)

    @precondition(lambda self: self.world.broker.messages and len(self.idle()) > 1)
    @rule(first=_WHICH, second=_WHICH)
    def deliver_two_at_once(self, first: int, second: int) -> None:
        """Both look before either claims."""
        looked = [
            (slot, *self.world.candidates(_pick(self.world.broker.messages, which)[1]))
            for slot, which in zip(self.idle(), (first, second), strict=False)
        ]
        listed = self.world.look()
        for slot, queue, candidates in looked:
            self.world.claim_first(slot, queue, candidates, listed)

    @precondition(lambda self: self.seen.steps and self.idle())
    @rule(which=st.integers(0, 60))
    def claim_what_may_not_be_had(self, which: int) -> None:
        """Take any step at all, as one does whose list has grown old."""
        self.world.claim(self.idle()[0], _pick(list(self.seen.steps), which))

    @precondition(lambda self: self.at_work())
    @rule(
        which=_WHICH,
        fraction=st.sampled_from([None, 0.0, 0.3, 0.6, 1.0, 1.5]),
        detail=st.sampled_from([None, "epoch 1", "epoch 2"]),
    )
    def heartbeat(self, which: int, fraction: float | None, detail: str | None) -> None:
        attempt = _pick(self.at_work(), which)
        self.world.heartbeat(attempt, fraction, detail)

    @precondition(lambda self: self.at_work())
    @rule(which=_WHICH)
    def complete(self, which: int) -> None:
        self.world.complete(_pick(self.at_work(), which))

    @precondition(lambda self: self.at_work())
    @rule(which=_WHICH, retryable=st.booleans(), pause=st.sampled_from([0.0, 30.0]))
    def fail(self, which: int, retryable: bool, pause: float) -> None:
        attempt = _pick(self.at_work(), which)
        self.world.fail(attempt, retryable=retryable, pause_seconds=pause)

    @precondition(lambda self: self.at_work())
    @rule(which=_WHICH)
    def release(self, which: int) -> None:
        self.world.release(_pick(self.at_work(), which))

    @precondition(lambda self: self.at_work())
    @rule(which=_WHICH)
    def obey(self, which: int) -> None:
        self.world.acknowledge_cancel(_pick(self.at_work(), which))

    # Workers that do not

    @precondition(lambda self: self.at_work())
    @rule(which=_WHICH, seconds=st.sampled_from([0.0, SILENCE_SECONDS, SILENCE_SECONDS]))
    def kill(self, which: int, seconds: float) -> None:
        """Kill a worker; most often its silence is noticed before anything else happens."""
        attempt = _pick(self.at_work(), which)
        (slot,) = [slot for slot in self.world.slots if slot.attempt is attempt]
        self.world.kill(slot)
        if seconds:
            self.world.clock.move(seconds)
            self.world.sweep()
            self.world.relay()

    @precondition(lambda self: self.world.old)
    @rule(
        which=st.integers(0, 3),
        deed=_DEED,
    )
    def come_back(self, which: int, deed: str) -> None:
        """Have an attempt act of which nobody should hear any more."""
        attempt = _pick(self.world.old[::-1], which)
        if deed == "heartbeat":
            self.world.heartbeat(attempt, 0.5, "back")
        elif deed == "complete":
            self.world.complete(attempt)
        elif deed in {"fail", "retry"}:
            self.world.fail(attempt, retryable=deed == "retry", pause_seconds=30.0)
        elif deed == "release":
            self.world.release(attempt)
        else:
            self.world.acknowledge_cancel(attempt)

    @precondition(lambda self: self.at_work() and self.idle())
    @rule(which=_WHICH, deed=_DEED)
    def come_back_to_a_step_that_another_holds(self, which: int, deed: str) -> None:
        attempt = _pick(self.at_work(), which)
        self.kill(which, SILENCE_SECONDS)
        self.world.claim(self.idle()[0], attempt.step.id)
        self.world.old.remove(attempt)
        self.world.old.append(attempt)
        self.come_back(0, deed)

    @precondition(lambda self: self.at_work())
    @rule(which=_WHICH, is_known=st.booleans())
    def be_killed_while_the_job_is_cancelled(self, which: int, is_known: bool) -> None:
        """Nobody is left to obey: it is noticed by the silence, or at once."""
        attempt = _pick(self.at_work(), which)
        self.world.cancel(attempt.step.job_id)
        self.kill(which, 0.0 if is_known else SILENCE_SECONDS)
        if is_known:
            self.world.take_abandoned(attempt)

    @precondition(lambda self: self.world.old)
    @rule(which=st.integers(0, 3))
    def take_abandoned(self, which: int) -> None:
        self.world.take_abandoned(_pick(self.world.old[::-1], which))

    # Housekeepers and time

    @rule()
    def sweep(self) -> None:
        self.world.sweep()
        self.world.relay()

    @rule(which=_WHICH)
    def ring_when_idle(self, which: int) -> None:
        slot = _pick(self.world.slots, which)
        rung = self.world.ring_when_idle(slot)
        assert rung <= (slot.attempt is None or not self.world.holds(slot.attempt))

    @rule(seconds=st.sampled_from([1.0, 11.0, 61.0, 130.0, 3_700.0, 90_000.0]))
    def pass_time(self, seconds: float) -> None:
        self.world.clock.move(seconds)

    @rule(seconds=st.sampled_from([5.0, 90.0, 3_700.0, 90_000.0]))
    def set_clock_back(self, seconds: float) -> None:
        self.world.clock.move(-seconds)

    @invariant()
    def everything_promised_holds(self) -> None:
        now = self.world.look()
        assert_nothing_final_changed(self.seen, now)
        assert_promises(now, self.world)
        self.seen = now

    # The end

    def teardown(self) -> None:
        """Let workers and housekeepers do their work for a while: every job must end."""
        try:
            # Not on the way out of a rule that has failed, whose complaint would be lost.
            if sys.exc_info()[0] is None:
                self._live_on()
        finally:
            self._undo.close()
            shutil.rmtree(self._folder / "objects", ignore_errors=True)

    def _live_on(self) -> None:
        world = self.world
        world.broker.is_up = True
        for _ in range(ROUNDS):
            if self.seen.is_over():
                break
            # Without the idle workers' rings a step may wait for half an hour until it is rung for.
            world.clock.move(30.0 if self.rings_when_idle else 150.0)
            self._work_through()
            self.everything_promised_holds()
        waiting = [(j.id, j.status) for j in self.seen.jobs.values() if j.finished_at is None]
        assert not waiting, f"after {ROUNDS} rounds these have not ended: {waiting}"
        self._work_through()
        world.clock.move(3_700.0)
        assert world.sweep() == Swept(0, 0, 0, 0)
        self.everything_promised_holds()
        assert self.seen.unsent == 0
        assert not world.holders

    def _work_through(self) -> None:
        world = self.world
        world.sweep()
        for slot in world.slots:
            if slot.attempt is not None and world.heartbeat(slot.attempt, None, None):
                world.acknowledge_cancel(slot.attempt)
            if slot.attempt is not None:
                world.complete(slot.attempt)
            if self.rings_when_idle:
                world.ring_when_idle(slot)
        world.relay()
        while world.broker.messages:
            slot = world.slots[0]
            self.deliver_to(slot, world.broker.messages.pop(0))
            if slot.attempt is not None:
                world.complete(slot.attempt)


def _pick(things: list[Any], which: int) -> Any:
    return things[which % len(things)]


def _run(database: Database, folder: Path, max_examples: int, steps: int) -> None:
    without_waiting_for_the_disk(database)
    run_state_machine_as_test(
        lambda: House(database, folder),
        settings=settings(
            max_examples=max_examples,
            stateful_step_count=steps,
            deadline=None,
            print_blob=True,
            derandomize="CI" in os.environ,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_whatever_happens_to_jobs_and_steps_what_is_promised_holds_and_every_job_ends(
    migrated_sqlite: Path, tmp_path: Path
) -> None:
    path = tmp_path / "graft.db"
    shutil.copy(migrated_sqlite, path)
    database = Database(f"sqlite:///{path}")
    try:
        _run(database, tmp_path, 12, 40)
    finally:
        database.dispose()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_same_for_longer_on_both_databases(database: Database, tmp_path: Path) -> None:
    _run(database, tmp_path, 200, 60)
