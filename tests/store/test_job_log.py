"""What is told of a job's steps: in order, once, bounded, and nothing of an upload."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from sqlalchemy import select

from store import job_log
from store.graph import lock_job
from store.job_log import Told, note_all, trim
from store.page_tables import LogLine
from store.records import StepError
from store.repositories import JobRepository, LogRepository
from store.steps import StepLedger

DIVERGED = StepError("diverged", "It diverged.", "Take another seed.")


def told(house: Any, job_id: str) -> list[tuple[str, str, str]]:
    with house.database.read() as session:
        rows = session.scalars(
            select(LogLine).where(LogLine.job_id == job_id).order_by(LogLine.id)
        ).all()
        return [(row.step_name, row.level, row.text) for row in rows]


def fail(house: Any, claimed: Any, *, retryable: bool, pause: float = 0.0) -> Any:
    with house.database.write() as session:
        return StepLedger(session).fail(
            claimed.id,
            claimed.token,
            DIVERGED,
            retryable=retryable,
            max_attempts=3,
            pause_seconds=pause,
        )


def tell(house: Any, job_id: str, *lines: Told) -> None:
    with house.database.write() as session:
        assert lock_job(session, job_id) is not None
        step = JobRepository(session, house.workspace_id).steps(job_id)[0]
        note_all(session, step, 1, lines)


def test_every_end_of_an_attempt_is_told(house: Any) -> None:
    job_id = house.submit(house.chain("a", "b"))
    assert fail(house, house.claim_named(job_id, "a"), retryable=True) == "retried"
    claimed = house.claim_named(job_id, "a")
    with house.database.write() as session:
        assert StepLedger(session).release(claimed.id, claimed.token)
    house.let_lease_lapse(house.claim_named(job_id, "a"))
    house.finish(house.claim_named(job_id, "a"))
    assert fail(house, house.claim_named(job_id, "b"), retryable=False) == "failed"
    found = told(house, job_id)
    texts = [text.split(", after")[0].split(" in ")[0] for _, _, text in found]
    assert texts == [
        "Started",
        "Failed (diverged): It diverged. Take another seed. It is tried again.",
        "Started, attempt 2",
        "Its worker handed it back, to be gone on with later.",
        "Started, attempt 3",
        "Its worker fell silent; it is tried again.",
        "Started, attempt 4",
        "Done",
        "Started",
        "Failed (diverged): It diverged. Take another seed.",
    ]
    levels = ["info", "warning", "info", "info", "info", "warning", "info", "info", "info", "error"]
    assert [level for _, level, _ in found] == levels
    assert [step for step, _, _ in found] == ["a"] * 8 + ["b"] * 2


def test_a_step_that_is_reused_skipped_or_cancelled_says_so(house: Any) -> None:
    house.finish_all(house.submit(house.chain("a", "b")))
    again = house.submit(house.chain("a", "c", "d"))
    assert [text for step, _, text in told(house, again) if step == "a"] == [
        "Reused: a step that was finished before had made the same."
    ]
    fail(house, house.claim_named(again, "c"), retryable=False)
    assert told(house, again)[-1] == (
        "d",
        "warning",
        "Skipped: a step that it needs has failed.",
    )
    other = house.submit(house.chain("e", "f"))
    claimed = house.claim_named(other, "e")
    with house.database.write() as session:
        JobRepository(session, house.workspace_id).cancel(other)
    with house.database.write() as session:
        StepLedger(session).cancelled(claimed.id, claimed.token)
    assert [text for _, _, text in told(house, other)][1:] == [
        "A cancel was asked for; its worker is told.",
        "Cancelled.",
    ]


def test_what_was_wrong_with_an_upload_is_not_told_in_its_words(house: Any) -> None:
    job_id = house.submit(house.chain("a", kind="ingest"))
    fail(house, house.claim_named(job_id, "a"), retryable=False)
    assert told(house, job_id)[-1][2] == "Failed (diverged)."


def test_a_worker_that_has_lost_the_step_tells_nothing_of_its_end(house: Any) -> None:
    job_id = house.submit(house.chain("a"))
    lost = house.claim_named(job_id, "a")
    house.let_lease_lapse(lost)
    house.claim_named(job_id, "a")
    before = told(house, job_id)
    assert fail(house, lost, retryable=False) is None
    assert told(house, job_id) == before


def test_lines_are_bounded_in_length_and_number(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = house.submit(house.chain("a"))
    other = house.submit(house.chain("b"))
    tell(house, other, Told("theirs"))
    tell(house, job_id, Told("x" * 10_000 + "the end"), Told("a\0b", "warning"))
    (_, _, long), (_, _, clean) = told(house, job_id)
    assert len(long) == job_log.MOST_CHARACTERS
    assert long.endswith("the end")
    assert clean == "ab"
    monkeypatch.setattr(job_log, "MOST_LINES", 5)
    tell(house, job_id, *(Told(str(n)) for n in range(9)))
    with house.database.write() as session:
        trim(session, job_id)
    assert [text for _, _, text in told(house, job_id)] == ["4", "5", "6", "7", "8"]
    assert len(told(house, other)) == 1


def test_whoever_reads_on_misses_no_line_however_many_tell_at_once(house: Any) -> None:
    job_id = house.submit(house.chain("a"))
    tellers, each = 4, 15
    threads = [
        threading.Thread(
            target=lambda who=who: [
                tell(house, job_id, Told(f"{who} {n}"), Told(f"{who} {n}.")) for n in range(each)
            ]
        )
        for who in range(tellers)
    ]
    for thread in threads:
        thread.start()
    seen: list[str] = []
    last = 0
    while True:
        is_over = not any(thread.is_alive() for thread in threads)
        with house.database.read() as session:
            lines = LogRepository(session, house.workspace_id).lines(
                job_id, 7, after=last, before=None
            )
        seen += [line.text for line in lines]
        last = lines[-1].id if lines else last
        if is_over and not lines:
            break
    for thread in threads:
        thread.join()
    assert len(seen) == len(set(seen)) == 2 * tellers * each


def test_another_workspace_reads_none(house: Any, other_workspace: str) -> None:
    job_id = house.submit(house.chain("a"))
    tell(house, job_id, Told("ours"))
    with house.database.read() as session:
        theirs = LogRepository(session, other_workspace)
        assert theirs.lines(job_id, 10, after=0, before=None) == []
        assert theirs.lines(job_id, 10, after=None, before=None) == []
