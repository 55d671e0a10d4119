"""What can be seen of a training: while it runs, after it, and after it failed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from store.records import ClaimedStep, Output, StepError
from store.steps import StepLedger

STEP = "train:infogan:10:s0"
SHEET = b"\x89PNG of the first snapshot"
SNAPSHOT = {"number": 0, "epoch": 10, "step": 400, "columns": 8, "rows": 2, "size": 64, "gap": 2}
COURSE = {
    "epochs": 200,
    "points": [{"epoch": 4, "generator": 1.25, "discriminator": 0.5}],
    "judgements": [{"epoch": 10, "step": 400, "kid": None, "coverage": 0.5, "score": 1.5}],
    "chosen_epoch": 10,
    "ended_early": None,
    "notices": ["At epoch 3 a loss was no longer finite."],
    "snapshots": [SNAPSHOT],
}


def begun(hospital: Any) -> tuple[str, ClaimedStep]:
    """A job whose training a worker holds."""
    job_id = hospital.submit(hospital.ready_dataset(), gans=[{"name": "infogan"}])["id"]
    while True:
        claimed = hospital.claim_next(job_id)
        assert claimed is not None
        if claimed.name == STEP:
            return job_id, claimed
        hospital.finish(claimed)


def show(hospital: Any, claimed: ClaimedStep, attempt: int = 1, **files: bytes) -> None:
    """Put live files where a worker's courier does."""
    home = f"workspaces/{claimed.workspace_id}/live/{claimed.id}/{attempt:06d}"
    for name, content in files.items():
        path = hospital.objects.local_path(f"{home}/{_file(name)}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _file(name: str) -> str:
    return "course.json" if name == "course" else f"snapshot-{name[1:]:0>6}.png"


def written(**changes: Any) -> bytes:
    return json.dumps(COURSE | changes).encode()


def look(client: Any, job_id: str, more: str = "", **headers: str) -> Any:
    return client.get(f"/v1/jobs/{job_id}/steps/{STEP}/course{more}", headers=headers)


def test_before_anything_is_shown_there_is_no_course(hospital: Any) -> None:
    job_id, claimed = begun(hospital)
    for more in ("", "/snapshots/0"):
        answer = look(hospital.client, job_id, more)
        assert (answer.status_code, answer.json()["code"]) == (404, "no_course")
    # A sheet without a course is of an attempt that has only begun to show.
    show(hospital, claimed, s0=SHEET)
    assert look(hospital.client, job_id).status_code == 404


def test_while_it_runs_there_is_what_the_worker_sent_last(hospital: Any) -> None:
    job_id, claimed = begun(hospital)
    show(hospital, claimed, course=written(), s0=SHEET)
    answer = look(hospital.client, job_id)
    assert answer.status_code == 200
    found = answer.json()
    content = f"/v1/jobs/{job_id}/steps/{STEP}/course/snapshots/0"
    assert found["snapshots"] == [SNAPSHOT | {"links": {"content": content}}]
    for field in ("epochs", "points", "chosen_epoch", "ended_early", "notices"):
        assert found[field] == COURSE[field]
    assert found["judgements"][0]["coverage"] == 0.5
    assert found["judgements"][0]["kid"] is None
    assert (found["step"], found["is_final"]) == (STEP, False)
    sheet = hospital.client.get(content)
    assert (sheet.status_code, sheet.content) == (200, SHEET)
    assert sheet.headers["content-type"] == "image/png"
    assert sheet.headers["cache-control"] == "no-store"


def test_what_has_not_changed_costs_a_304(hospital: Any) -> None:
    job_id, claimed = begun(hospital)
    show(hospital, claimed, course=written(), s0=SHEET)
    for more in ("", "/snapshots/0"):
        etag = look(hospital.client, job_id, more).headers["etag"]
        assert not etag.startswith("W/")
        again = look(hospital.client, job_id, more, **{"If-None-Match": etag})
        assert (again.status_code, again.content) == (304, b"")
    before = look(hospital.client, job_id).headers["etag"]
    show(hospital, claimed, course=written(chosen_epoch=20), s0=b"other")
    now = look(hospital.client, job_id, **{"If-None-Match": before})
    assert (now.status_code, now.json()["chosen_epoch"]) == (200, 20)


def test_the_latest_attempt_that_shows_anything_is_seen(hospital: Any) -> None:
    job_id, claimed = begun(hospital)
    show(hospital, claimed, 2, course=written(chosen_epoch=2))
    # One that lost the step writes on; one that has just begun has nothing to show yet.
    show(hospital, claimed, 1, course=written(chosen_epoch=1))
    show(hospital, claimed, 10, s0=SHEET)
    assert look(hospital.client, job_id).json()["chosen_epoch"] == 2
    show(hospital, claimed, 10, course=written(chosen_epoch=10))
    assert look(hospital.client, job_id).json()["chosen_epoch"] == 10


def finished(hospital: Any) -> tuple[str, ClaimedStep]:
    job_id, claimed = begun(hospital)
    outputs = []
    for name, content in (("course.json", written()), ("snapshot-000000.png", SHEET)):
        path = hospital.objects.local_path(f"{claimed.output_prefix}{name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        sha256 = hashlib.sha256(content).hexdigest()
        outputs.append(Output(name, "internal", "image/png", len(content), sha256))
    with hospital.database.write() as session:
        ledger = StepLedger(session, hospital.objects)
        assert ledger.complete(claimed.id, claimed.token, outputs)
    return job_id, claimed


def test_of_a_finished_training_its_outputs_are_seen_and_nothing_else(hospital: Any) -> None:
    job_id, claimed = finished(hospital)
    show(hospital, claimed, course=written(chosen_epoch=3))
    found = look(hospital.client, job_id).json()
    assert (found["chosen_epoch"], found["is_final"]) == (10, True)
    assert look(hospital.client, job_id, "/snapshots/0").content == SHEET
    assert look(hospital.client, job_id, "/snapshots/1").status_code == 404


def test_a_step_that_is_reused_shows_what_the_other_one_left(hospital: Any) -> None:
    job_id, _ = finished(hospital)
    spec = hospital.client.get(f"/v1/jobs/{job_id}").json()["requested"]
    again = hospital.client.post("/v1/jobs", json=spec).json()["id"]
    (step,) = [
        step
        for step in hospital.client.get(f"/v1/jobs/{again}/steps").json()["items"]
        if step["name"] == STEP
    ]
    assert step["is_reused"]
    assert look(hospital.client, again).json()["points"] == COURSE["points"]
    assert look(hospital.client, again, "/snapshots/0").content == SHEET


def test_a_training_that_failed_shows_how_it_went(hospital: Any) -> None:
    job_id, claimed = begun(hospital)
    show(hospital, claimed, course=written())
    hospital.fail(claimed, StepError("diverged", "It diverged."))
    found = look(hospital.client, job_id).json()
    assert (found["is_final"], found["points"]) == (True, COURSE["points"])


def test_files_that_are_gone_are_no_course(hospital: Any) -> None:
    job_id, claimed = finished(hospital)
    hospital.objects.delete_prefix(claimed.output_prefix)
    answer = look(hospital.client, job_id)
    assert (answer.status_code, answer.json()["code"]) == (404, "no_course")


@pytest.mark.parametrize(
    ("step", "number"),
    [
        ("..", "0"),
        ("%2e%2e", "0"),
        ("..%2f..%2f..", "0"),
        ("train:infogan:10:s0%2f..%2f..", "0"),
        (STEP, "..%2f..%2fsecret"),
        (STEP, "-1"),
        (STEP, "1000000"),
        (STEP, "0%00"),
        (STEP, "0x0"),
        ("x" * 201, "0"),
        ("%00", "0"),
    ],
)
def test_no_name_and_no_number_leads_out_of_the_step(
    hospital: Any, tmp_path: Path, step: str, number: str
) -> None:
    job_id, claimed = begun(hospital)
    show(hospital, claimed, course=written(), s0=SHEET)
    (tmp_path / "secret").write_bytes(b"secret")
    for more in ("/course", f"/course/snapshots/{number}"):
        if step == STEP and more == "/course":
            continue
        answer = hospital.client.get(f"/v1/jobs/{job_id}/steps/{step}{more}")
        assert answer.status_code in (404, 422), answer.text
        assert SHEET not in answer.content
        assert b"secret" not in answer.content


def test_a_stranger_sees_nothing_of_it(hospital: Any, stranger: Any) -> None:
    job_id, claimed = begun(hospital)
    show(hospital, claimed, course=written(), s0=SHEET)
    for more in ("", "/snapshots/0"):
        answer = look(stranger, job_id, more)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
