"""What must be true at every moment, and of every two moments that follow each other."""

from __future__ import annotations

import math
from typing import Any

from store.step_tables import FINAL_STEP_STATES
from store.tables import FINAL_JOB_STATES
from tests.store.machine.looking import Look
from tests.store.machine.world import MAX_ATTEMPTS, World

_UNSEEN = {"version", "served_at", "priority"}
"""Columns of a job that no client sees, and the version itself."""


def assert_nothing_final_changed(before: Look, after: Look) -> None:
    """Compare two moments: what was over stays, and who watches is told of the rest."""
    for job_id, old in before.jobs.items():
        new = after.jobs[job_id]
        if old.status in FINAL_JOB_STATES:
            assert new == old, f"{job_id} was over, and changed"
        assert old.status == "queued" or new.status != "queued", f"{job_id} is queued again"
        assert old.status != "cancelling" or new.status in {"cancelling", "cancelled"}
        assert new.version >= old.version
        if _seen(new) != _seen(old):
            assert new.version > old.version, f"{job_id} changed, and its version did not"
    for step_id, old in before.steps.items():
        new = after.steps[step_id]
        if old.status in FINAL_STEP_STATES:
            assert new == old, f"{step_id} was over, and changed"
        assert old.status == "pending" or new.status != "pending"
        assert new.strikes >= old.strikes or new.best_fraction > old.best_fraction
    assert {row.id for row in before.artifacts} <= {row.id for row in after.artifacts}


def _seen(job: Any) -> dict[str, Any]:
    return {name: value for name, value in job._mapping.items() if name not in _UNSEEN}


def assert_promises(now: Look, world: World) -> None:
    """Check everything that is promised of one moment."""
    _assert_leases(now, world)
    for job in now.jobs.values():
        _assert_job(now, job)
    for step in now.steps.values():
        _assert_step(now, step)
    _assert_artifacts(now, world)


def _assert_leases(now: Look, world: World) -> None:
    running = {step.id: step for step in now.steps.values() if step.status == "running"}
    assert running.keys() == world.holders.keys(), "who holds what is not what was told"
    for step_id, step in running.items():
        holder = world.holders[step_id]
        assert step.lease_token == holder.step.token
        assert step.lease_expires_at == holder.expires_at
        assert now.jobs[step.job_id].status in {"running", "cancelling"}
    tokens = [step.lease_token for step in now.steps.values() if step.lease_token is not None]
    assert len(tokens) == len(set(tokens)) == len(running), "a lease without a running step"


def _assert_job(now: Look, job: Any) -> None:
    steps = now.steps_by_job[job.id]
    statuses = {step.status for step in steps}
    is_over = statuses <= FINAL_STEP_STATES
    assert (job.status in FINAL_JOB_STATES) == is_over, f"{job.status} with {statuses}"
    assert (job.finished_at is not None) == is_over
    assert 0 <= job.fraction <= 1
    assert job.eta_seconds is None or (job.eta_seconds >= 0 and math.isfinite(job.eta_seconds))
    if job.status == "queued":
        assert "running" not in statuses
    if job.status == "cancelling":
        assert "running" in statuses
        assert not statuses & {"pending", "queued"}
    if job.status in {"succeeded", "failed"}:
        has_what_was_asked = all(s.status == "succeeded" for s in now.last_steps(job.id))
        assert (job.status == "succeeded") == has_what_was_asked
        assert "cancelled" not in statuses
    failed = [step.name for step in steps if step.status == "failed"]
    assert [failure["step"] for failure in job.failures or []] == failed
    assert all("evidence" not in failure for failure in job.failures or [])
    assert (job.error is not None) == (job.status == "failed")
    if job.error is not None:
        assert job.error == job.failures[0]
    if job.kind == "ingest":
        found = now.datasets[job.dataset_id].status
        assert (found == "ingesting") == (not is_over)
        assert (found == "ready") == any(step.status == "succeeded" for step in steps)


def _assert_step(now: Look, step: Any) -> None:
    job = now.jobs[step.job_id]
    name = f"{step.name} of {step.job_id}"
    assert 0 <= step.strikes <= MAX_ATTEMPTS, f"{name} has {step.strikes} strikes"
    assert 0 <= step.fraction <= 1
    assert step.attempt >= 0
    assert (step.finished_at is not None) or step.status not in FINAL_STEP_STATES
    is_ready, is_hopeless = now.is_ready(step.id), now.is_hopeless(step.id)
    if step.status == "pending" and job.status != "cancelling":
        assert not is_ready, f"{name} waits for nothing"
        assert not is_hopeless, f"{name} waits for what will never be"
    if step.status in {"queued", "running"} or (
        step.status == "succeeded" and step.reused_from is None
    ):
        assert is_ready, f"{name} is {step.status} before its needs are met"
    if step.status == "skipped":
        assert is_hopeless, f"{name} was skipped though it can be"
    if step.status == "failed":
        assert step.error is not None
    if step.status == "cancelled":
        assert job.status in {"cancelling", "cancelled"}


def _assert_artifacts(now: Look, world: World) -> None:
    expected = set()
    for step in now.steps.values():
        if step.status != "succeeded":
            assert step.outputs == [], f"{step.name} left something and has not succeeded"
            continue
        if step.reused_from is None:
            assert step.output_prefix == world.published[step.id], f"{step.name} by a stranger"
        else:
            source = now.steps[step.reused_from]
            assert source.workspace_id == step.workspace_id
            assert (source.key, source.kind, source.status) == (step.key, step.kind, "succeeded")
            assert source.outputs == step.outputs
        for output in step.outputs:
            assert output["object_key"] == f"{step.output_prefix}{output['name']}"
            assert world.exists(output["object_key"]), f"{output['object_key']} is gone"
            if output["kind"] != "internal":
                expected.add((step.id, output["name"], output["object_key"]))
    found = [(row.step_id, row.name, row.object_key) for row in now.artifacts]
    assert len(found) == len(set(found))
    assert set(found) == expected, "artifacts are not those of the succeeded steps"
