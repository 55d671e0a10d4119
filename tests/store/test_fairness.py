"""Whose step a free worker takes, on both databases."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from gan_core.spec import Plan, PlannedStep, StepInput
from gan_core.spec.steps import STEP_VERSIONS
from store.columns import utc_now
from store.fairness import INTERACTIVE, AtWork, Waiting, in_turn
from store.outbox import relay_outbox
from store.records import ClaimedStep
from store.step_tables import Step
from store.steps import StepLedger


class Bell:
    def __init__(self) -> None:
        self.rung: list[str] = []

    def ring(self, queue: str, step_id: str) -> None:  # noqa: ARG002
        self.rung.append(step_id)


def many(count: int, mark: str, **changes: Any) -> Plan:
    """Steps that need nothing of each other, with keys of their own."""
    step = PlannedStep(
        name="",
        kind="train",
        queue="gpu",
        params={},
        inputs={"dataset": StepInput(source="dataset")},
        key="",
        estimate_seconds=10.0,
    )
    names = [f"{mark}{number}" for number in range(count)]
    return Plan(
        steps=[
            step.model_copy(update={"name": name, "key": name.rjust(64, "0"), **changes})
            for name in names
        ]
    )


def begin(house: Any, worker: str = "w1") -> ClaimedStep | None:
    """Claim the step whose turn it is, as a worker does that has heard the bell."""
    for step_id in house.next_in("gpu"):
        claimed: ClaimedStep | None = house.claim(step_id, worker)
        if claimed is not None:
            return claimed
    return None


def end(house: Any, claimed: ClaimedStep) -> None:
    with house.database.write() as session:
        assert StepLedger(session).complete(claimed.id, claimed.token, [])


def served(house: Any, rounds: int) -> list[str]:
    """Serve steps one after the other; return the first letters of their names."""
    marks = []
    for _ in range(rounds):
        claimed = begin(house)
        assert claimed is not None
        marks.append(claimed.name[0])
        end(house, claimed)
    return marks


def test_a_study_of_200_steps_delays_anothers_small_job_by_the_step_at_work_alone(
    house: Any, other_workspace: str
) -> None:
    house.submit(many(200, "a"))
    assert served(house, 2) == ["a", "a"]
    at_work = begin(house)
    assert at_work is not None
    small = house.submit(many(1, "b"), other_workspace)
    end(house, at_work)
    claimed = begin(house)
    assert claimed is not None
    assert claimed.job_id == small
    end(house, claimed)
    assert house.job(small).status == "succeeded"


def test_of_four_workers_that_a_study_holds_the_first_to_be_free_goes_to_the_other_workspace(
    house: Any, other_workspace: str
) -> None:
    house.submit(many(8, "a"))
    held = [begin(house, f"w{number}") for number in range(4)]
    house.submit(many(3, "b"), other_workspace)
    assert held[0] is not None
    end(house, held[0])
    after = [begin(house, "w0"), begin(house, "w5"), begin(house, "w6"), begin(house, "w7")]
    # Three at work for the one, none for the other: it catches up, and then they are even.
    assert [claimed.name[0] for claimed in after if claimed is not None] == ["b", "b", "b", "a"]


def test_two_workspaces_take_turns(house: Any, other_workspace: str) -> None:
    house.submit(many(4, "a"))
    house.submit(many(4, "b"), other_workspace)
    marks = served(house, 8)
    assert marks in (["a", "b"] * 4, ["b", "a"] * 4)


def test_more_jobs_give_a_workspace_no_more_turns(house: Any, other_workspace: str) -> None:
    for mark in "acde":
        house.submit(many(2, mark))
    house.submit(many(4, "b"), other_workspace)
    assert served(house, 8).count("b") == 4


def test_within_a_workspace_the_higher_priority_goes_first_and_no_further(
    house: Any, other_workspace: str
) -> None:
    house.submit(many(3, "a"), priority=-1)
    house.submit(many(3, "c"), priority=INTERACTIVE - 1)
    house.submit(many(3, "b"), other_workspace)
    marks = served(house, 9)
    assert [mark for mark in marks if mark != "b"] == ["c", "c", "c", "a", "a", "a"]
    assert marks[:6].count("b") == 3


def test_what_a_person_waits_for_goes_before_every_workspaces_work(
    house: Any, other_workspace: str
) -> None:
    house.submit(many(4, "a"))
    begin(house, "w1")
    begin(house, "w2")
    house.submit(many(2, "b"), other_workspace)
    house.submit(many(1, "i"), priority=INTERACTIVE)
    assert served(house, 2) == ["i", "b"]


def test_jobs_of_equal_priority_take_turns(house: Any) -> None:
    for mark in "abc":
        house.submit(many(2, mark))
    assert served(house, 6) == ["a", "b", "c", "a", "b", "c"]


def test_a_job_with_fewer_steps_at_work_goes_before_one_that_was_served_longer_ago() -> None:
    now = utc_now()
    first = Waiting("job_1", "ws", 0, now - timedelta(hours=1))
    second = Waiting("job_2", "ws", 0, now)
    at_work = AtWork(Counter(ws=2), Counter(job_1=2), {})
    assert in_turn([first, second], at_work) == [second, first]


def test_the_steps_of_a_job_are_begun_in_the_plans_order(house: Any) -> None:
    house.submit(many(3, "a"))
    names = [claimed.name for claimed in (begin(house), begin(house), begin(house)) if claimed]
    assert names == ["a0", "a1", "a2"]


def test_steps_of_the_other_queue_and_of_jobs_that_are_over_are_not_told(house: Any) -> None:
    job_id = house.submit(many(1, "a"))
    assert house.next_in("cpu") == []
    assert len(house.next_in("gpu")) == 1
    end(house, house.claim_named(job_id, "a0"))
    assert house.next_in("gpu") == []


def test_a_step_whose_twin_runs_waits_is_rung_for_when_it_ends_and_is_reused(house: Any) -> None:
    first, second = house.submit(many(1, "a")), house.submit(many(1, "a"))
    claimed = house.claim_named(first, "a0")
    assert house.next_in("gpu") == []
    relay_outbox(house.database, Bell())
    assert house.finish(claimed)
    bell = Bell()
    relay_outbox(house.database, bell)
    waiting = house.steps(second)["a0"].id
    assert bell.rung == [waiting]
    assert house.next_in("gpu") == [waiting]
    assert begin(house) is None
    assert house.steps(second)["a0"].reused_from == claimed.id
    assert house.job(second).status == "succeeded"


def test_a_step_whose_twin_failed_is_rung_for_and_begun(house: Any) -> None:
    first, second = house.submit(many(1, "a")), house.submit(many(1, "a"))
    claimed = house.claim_named(first, "a0")
    relay_outbox(house.database, Bell())
    house.fail(claimed)
    bell = Bell()
    relay_outbox(house.database, bell)
    assert bell.rung == [house.steps(second)["a0"].id]
    again = begin(house)
    assert again is not None
    assert again.job_id == second


def test_a_twin_does_not_hold_up_the_steps_beside_it(house: Any) -> None:
    house.claim_named(house.submit(many(1, "a")), "a0")
    house.submit(many(3, "a"))
    claimed = begin(house)
    assert claimed is not None
    assert claimed.name == "a1"


def test_another_workspaces_twin_does_not_block(house: Any, other_workspace: str) -> None:
    house.claim_named(house.submit(many(1, "a"), other_workspace), "a0")
    job_id = house.submit(many(1, "a"))
    assert house.next_in("gpu") == [house.steps(job_id)["a0"].id]
    assert house.claim_named(job_id, "a0").job_id == job_id


def test_of_two_workers_that_looked_at_the_same_moment_one_begins_the_work_of_twins(
    house: Any,
) -> None:
    house.submit(many(1, "a"))
    house.submit(many(1, "a"))
    seen_by_both = house.next_in("gpu")
    claimed = [house.claim(step_id, f"w{n}") for n, step_id in enumerate(seen_by_both)]
    assert sum(step is not None for step in claimed) == 1


def test_a_step_that_is_to_be_tried_later_waits_until_then(house: Any) -> None:
    job_id = house.submit(many(1, "a"))
    step_id = house.steps(job_id)["a0"].id

    def set_available(seconds: float) -> None:
        with house.database.write() as session:
            then = utc_now() + timedelta(seconds=seconds)
            session.execute(update(Step).where(Step.id == step_id).values(available_at=then))

    set_available(30)
    assert house.next_in("gpu") == []
    assert house.claim(step_id) is None
    assert house.statuses(job_id) == {"a0": "queued"}
    set_available(-1)
    assert house.next_in("gpu") == [step_id]
    assert house.claim(step_id) is not None
    assert house.steps(job_id)["a0"].available_at is None


def test_a_step_of_newer_code_is_left_to_workers_that_have_it(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = STEP_VERSIONS["train"]
    job_id = house.submit(many(1, "a", code_version=here + 1))
    step_id = house.steps(job_id)["a0"].id
    assert house.next_in("gpu") == []
    assert house.claim(step_id) is None
    assert house.statuses(job_id) == {"a0": "queued"}
    monkeypatch.setitem(STEP_VERSIONS, "train", here + 1)
    assert house.next_in("gpu") == [step_id]
    assert house.claim(step_id) is not None


def test_the_key_of_a_planned_step_is_unchanged_by_claiming_it(house: Any) -> None:
    plan = house.study(
        real_counts=[4],
        name="Läsionen 1",
        benchmark={"classifiers": ["probe"], "subsets": [0]},
        screen={"near_copy_rms": 1e-05},
    )
    job_id = house.submit(plan)
    house.carry_out(job_id)
    assert house.job(job_id).status == "succeeded"
    steps = house.steps(job_id)
    assert all(step.attempt == 1 for step in steps.values())
    assert {name: step.key for name, step in steps.items()} == {s.name: s.key for s in plan.steps}


def test_a_step_of_older_code_gets_the_key_that_a_plan_of_today_would_give_it(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"real_counts": [4], "benchmark": {"classifiers": [], "subsets": [0]}}
    before = house.study(**asked)
    old = house.submit(before)
    monkeypatch.setitem(STEP_VERSIONS, "train", STEP_VERSIONS["train"] + 1)
    today = house.study(**asked)
    assert today.steps[0].key != before.steps[0].key
    house.carry_out(old)
    keys = {name: step.key for name, step in house.steps(old).items()}
    assert keys == {step.name: step.key for step in today.steps}
    # So a job of today has nothing left to do, and one of the old plan would not have been enough.
    assert house.job(house.submit(today)).status == "succeeded"
    assert house.job(house.submit(before)).status != "succeeded"


def test_a_step_of_older_code_is_reused_from_work_of_todays(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"real_counts": [4], "benchmark": {"classifiers": [], "subsets": [0]}}
    old = house.submit(house.study(**asked))
    monkeypatch.setitem(STEP_VERSIONS, "train", STEP_VERSIONS["train"] + 1)
    new = house.submit(house.study(**asked))
    house.finish(house.claim_named(new, "train:infogan:4:s0"))
    train = house.steps(old)["train:infogan:4:s0"]
    assert house.claim(train.id) is None
    assert house.steps(old)["train:infogan:4:s0"].reused_from is not None


def test_a_step_of_older_code_is_not_begun_while_the_same_work_of_todays_runs(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"real_counts": [4], "benchmark": {"classifiers": [], "subsets": [0]}}
    old = house.submit(house.study(**asked))
    monkeypatch.setitem(STEP_VERSIONS, "train", STEP_VERSIONS["train"] + 1)
    new = house.submit(house.study(**asked))
    house.claim_named(new, "train:infogan:4:s0")
    train = house.steps(old)["train:infogan:4:s0"].id
    assert house.claim(train, "w2") is None
    while (begun := begin(house, "w2")) is not None:
        assert begun.name != "train:infogan:4:s0"


def test_a_thousand_uploads_of_one_workspace_do_not_keep_another_from_its_report(
    house: Any, other_workspace: str
) -> None:
    for number in range(4):
        house.submit(many(1, f"u{number}"), priority=INTERACTIVE)
    house.submit(many(1, "r"), other_workspace)
    first = begin(house, "w1")
    second = begin(house, "w2")
    assert first is not None
    assert second is not None
    assert (first.name[0], second.name[0]) == ("u", "r")
