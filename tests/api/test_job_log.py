"""What a job's steps have told, read in both orders, and read on."""

from __future__ import annotations

from typing import Any

import pytest

from store.graph import lock_job
from store.job_log import Told, note_all
from store.records import StepError
from store.repositories import JobRepository


def read(client: Any, job_id: str, **params: Any) -> Any:
    given = {name: value for name, value in params.items() if value is not None}
    answer = client.get(f"/v1/jobs/{job_id}/log", params=given)
    assert answer.status_code == 200, answer.text
    return answer.json()


def texts(page: Any) -> list[str]:
    return [line["text"] for line in page["items"]]


def tell(hospital: Any, job_id: str, *said: str) -> None:
    with hospital.database.write() as session:
        job = lock_job(session, job_id)
        assert job is not None
        step = JobRepository(session, job.workspace_id).steps(job_id)[0]
        note_all(session, step, 1, [Told(text) for text in said])


@pytest.fixture
def quiet(hospital: Any) -> str:
    """A job that no worker has begun."""
    found: str = hospital.submit(hospital.ready_dataset(), gans=[{"name": "infogan"}])["id"]
    return found


def test_a_job_that_has_told_nothing_can_be_listened_to(hospital: Any, quiet: str) -> None:
    page = read(hospital.client, quiet)
    assert page["items"] == []
    tell(hospital, quiet, "one")
    page = read(hospital.client, quiet, cursor=page["next_cursor"])
    assert texts(page) == ["one"]
    tell(hospital, quiet, "two", "three")
    again = read(hospital.client, quiet, cursor=page["next_cursor"])
    assert texts(again) == ["two", "three"]
    nothing = read(hospital.client, quiet, cursor=again["next_cursor"])
    assert (nothing["items"], nothing["next_cursor"]) == ([], again["next_cursor"])


def test_pages_hold_every_line_once_in_either_order(hospital: Any, quiet: str) -> None:
    said = [f"line {n}" for n in range(7)]
    tell(hospital, quiet, *said)
    found: list[str] = []
    cursor = None
    while (page := read(hospital.client, quiet, limit=3, cursor=cursor))["items"]:
        found += texts(page)
        cursor = page["next_cursor"]
    assert found == said
    backwards: list[str] = []
    cursor = None
    while True:
        page = read(hospital.client, quiet, limit=3, order="desc", cursor=cursor)
        backwards += texts(page)
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert backwards == said[::-1]


def test_a_job_tells_what_became_of_its_steps(hospital: Any, quiet: str) -> None:
    claimed = hospital.claim_next(quiet)
    hospital.fail(claimed, StepError("diverged", "It diverged.", "Take another seed."))
    first, second, *rest = read(hospital.client, quiet)["items"]
    assert first["text"].startswith("Started, after ")
    assert (first["level"], first["attempt"], first["step"]) == ("info", 1, claimed.name)
    assert first["at"].endswith("Z")
    assert second["text"] == "Failed (diverged): It diverged. Take another seed."
    assert second["level"] == "error"
    assert second["id"] > first["id"]
    assert {line["text"] for line in rest} <= {"Skipped: a step that it needs has failed."}


def test_a_cursor_of_another_list_or_order_is_refused(hospital: Any, quiet: str) -> None:
    tell(hospital, quiet, "one", "two")
    for order, other in (("asc", "desc"), ("desc", "asc")):
        given = read(hospital.client, quiet, limit=1, order=order)["next_cursor"]
        answer = hospital.client.get(
            f"/v1/jobs/{quiet}/log", params={"cursor": given, "order": other}
        )
        assert (answer.status_code, answer.json()["code"]) == (400, "cursor_unknown")
    answer = hospital.client.get(f"/v1/jobs/{quiet}/log", params={"cursor": "bGluZSAx"})
    assert answer.status_code == 400


def test_a_stranger_reads_nothing_and_another_job_has_other_lines(
    hospital: Any, quiet: str, stranger: Any
) -> None:
    tell(hospital, quiet, "ours")
    answer = stranger.get(f"/v1/jobs/{quiet}/log")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    other = hospital.submit(hospital.ready_dataset("other"), gans=[{"name": "infogan"}])["id"]
    assert "ours" not in texts(read(hospital.client, other))


def test_a_deleted_job_takes_its_lines_along(hospital: Any, quiet: str) -> None:
    tell(hospital, quiet, "ours")
    hospital.client.post(f"/v1/jobs/{quiet}/cancel")
    assert hospital.client.delete(f"/v1/jobs/{quiet}").status_code == 204
    assert hospital.client.get(f"/v1/jobs/{quiet}/log").status_code == 404


def test_the_steps_say_what_they_need_and_do(hospital: Any, quiet: str) -> None:
    claimed = hospital.claim_next(quiet)
    steps = hospital.client.get(f"/v1/jobs/{quiet}/steps").json()["items"]
    by_name = {step["name"]: step for step in steps}
    assert by_name["generate:infogan:10:s0"]["needs"] == ["train:infogan:10:s0"]
    assert by_name["train:infogan:10:s0"]["needs"] == []
    from store.steps import StepLedger

    with hospital.database.write() as session:
        StepLedger(session).heartbeat(
            claimed.id, claimed.token, lease_seconds=60, fraction=0.5, detail="half"
        )
    (running,) = [
        step
        for step in hospital.client.get(f"/v1/jobs/{quiet}/steps").json()["items"]
        if step["status"] == "running"
    ]
    assert (running["detail"], running["name"]) == ("half", claimed.name)
    assert running["queued_at"] <= running["started_at"]
    hospital.fail(claimed, StepError("x", "y"))
    after = hospital.client.get(f"/v1/jobs/{quiet}/steps").json()["items"]
    assert all(step["detail"] is None for step in after)
