"""What the steps of a real plan mean for their job, on both databases."""

from __future__ import annotations

from typing import Any

import pytest

from store.records import StepError
from store.repositories import JobRepository
from store.steps import StepLedger

SMALL = {"real_counts": [4, 6], "benchmark": {"classifiers": ["probe"], "subsets": [0]}}


def cancel(house: Any, job_id: str) -> None:
    with house.database.write() as session:
        JobRepository(session, house.workspace_id).cancel(job_id)


def test_a_job_that_lost_one_column_of_four_has_succeeded_and_tells_what_failed(house: Any) -> None:
    job_id = house.submit(house.study())
    house.carry_out(job_id, failing={"train:infogan:6:s1"})
    job = house.job(job_id)
    assert (job.status, job.error, job.fraction) == ("succeeded", None, 1.0)
    assert job.failures == [
        {
            "step": "train:infogan:6:s1",
            "code": "diverged",
            "detail": "train:infogan:6:s1 diverged.",
            "hint": "Try less.",
        }
    ]


def test_a_job_without_a_failure_has_none_to_tell(house: Any) -> None:
    job_id = house.submit(house.study(**SMALL))
    house.carry_out(job_id)
    assert (house.job(job_id).status, house.job(job_id).failures) == ("succeeded", None)


@pytest.mark.parametrize(
    ("failing", "first"),
    [
        ({"train:infogan:4:s0", "train:infogan:6:s0"}, "train:infogan:4:s0"),
        (
            {
                *("evaluate:real:4:s0", "evaluate:real:6:s0"),
                *("evaluate:infogan:4:s0", "evaluate:infogan:6:s0"),
            },
            "evaluate:real:4:s0",
        ),
        ({"features"}, "features"),
        ({"report"}, "report"),
        ({"package"}, "package"),
    ],
    ids=["every training", "every evaluation", "the features", "the report", "the package"],
)
def test_a_job_without_what_it_was_for_has_failed(
    house: Any, failing: set[str], first: str
) -> None:
    job_id = house.submit(house.study(**SMALL))
    house.carry_out(job_id, failing=failing)
    job = house.job(job_id)
    assert job.status == "failed"
    assert job.error is not None
    assert (job.error["step"], job.error["code"]) == (first, "diverged")
    assert {failure["step"] for failure in job.failures} == failing
    assert job.finished_at is not None
    assert all(step.is_final for step in house.steps(job_id).values())


def test_a_job_is_not_over_while_a_column_is_at_work_though_another_has_failed(house: Any) -> None:
    job_id = house.submit(house.study(**SMALL))
    slow = house.claim_named(job_id, "train:infogan:6:s0")
    house.fail(house.claim_named(job_id, "train:infogan:4:s0"))
    job = house.job(job_id)
    assert (job.status, job.error) == ("running", None)
    assert [failure["step"] for failure in job.failures] == ["train:infogan:4:s0"]
    house.finish(slow)
    house.carry_out(job_id)
    assert house.job(job_id).status == "succeeded"


def test_evidence_stays_with_the_step_and_out_of_what_is_told_of_the_job(house: Any) -> None:
    job_id = house.submit(house.chain("a", "b"))
    evidence = {"history": [{"epoch": 1.0, "generator": 3.5}]}
    house.fail(
        house.claim_named(job_id, "a"), StepError("diverged", "It diverged.", evidence=evidence)
    )
    assert house.steps(job_id)["a"].error["evidence"] == evidence
    job = house.job(job_id)
    assert job.failures == [{"step": "a", "code": "diverged", "detail": "It diverged.", "hint": ""}]
    assert "evidence" not in job.error


def test_cancelling_after_a_failure_waits_for_what_runs_and_then_is_cancelled(house: Any) -> None:
    job_id = house.submit(house.study(**SMALL))
    running = house.claim_named(job_id, "train:infogan:6:s0")
    house.fail(house.claim_named(job_id, "train:infogan:4:s0"))
    cancel(house, job_id)
    assert house.job(job_id).status == "cancelling"
    assert house.steps(job_id)["report"].status == "cancelled"
    with house.database.write() as session:
        assert StepLedger(session).cancelled(running.id, running.token)
    job = house.job(job_id)
    assert (job.status, job.error) == ("cancelled", None)
    # What failed before is still told, and what was skipped stays skipped.
    assert [failure["step"] for failure in job.failures] == ["train:infogan:4:s0"]
    statuses = house.statuses(job_id)
    assert statuses["generate:infogan:4:s0"] == "skipped"
    assert statuses["train:infogan:6:s0"] == "cancelled"
    assert all(step.is_final for step in house.steps(job_id).values())


def test_a_step_that_fails_while_its_job_is_cancelled_was_cancelled(house: Any) -> None:
    job_id = house.submit(house.study(**SMALL))
    running = house.claim_named(job_id, "train:infogan:6:s0")
    cancel(house, job_id)
    assert house.fail(running) == "cancelled"
    job = house.job(job_id)
    assert (job.status, job.failures) == ("cancelled", None)


def test_a_job_of_which_everything_waits_can_be_cancelled_after_a_failure(house: Any) -> None:
    job_id = house.submit(house.study(**SMALL))
    house.fail(house.claim_named(job_id, "train:infogan:4:s0"))
    cancel(house, job_id)
    assert house.job(job_id).status == "cancelled"
    assert house.next_in("gpu") == []
