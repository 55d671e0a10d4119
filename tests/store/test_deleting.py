"""Deleting a job and its files, on both databases, whatever else happens at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, select

from store.columns import new_id
from store.removals import carry_out, is_pending, remove_spent_uploads
from store.repositories import DatasetRepository, JobRepository
from store.step_tables import OutboxRow, Step, StepDependency
from store.tables import (
    Artifact,
    Base,
    Dataset,
    IdempotencyKey,
    Job,
    JobEvent,
    Removal,
)


def finished(house: Any, *names: str) -> str:
    job_id: str = house.submit(house.chain(*names))
    while queued := [name for name, s in house.statuses(job_id).items() if s == "queued"]:
        for name in queued:
            house.finish(house.claim_named(job_id, name))
    return job_id


def delete(house: Any, job_id: str) -> None:
    with house.database.write() as session:
        jobs = JobRepository(session, house.workspace_id)
        job = jobs.hold(job_id)
        assert job is not None
        assert jobs.unfinished_among([job]) == []
        jobs.delete(job)


def files(house: Any) -> list[str]:
    return sorted(house.objects.list("workspaces/"))


def count(house: Any, *tables: type[Base]) -> list[int]:
    with house.database.read() as session:
        return [session.scalar(select(func.count()).select_from(table)) for table in tables]


def in_thread(work: Callable[[], None]) -> tuple[threading.Thread, list[BaseException]]:
    raised: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - told by the test
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, raised


def test_a_deleted_job_is_gone_from_every_table_and_its_files_follow(house: Any) -> None:
    job_id = finished(house, "a", "b")
    with house.database.write() as session:
        JobRepository(session, house.workspace_id).remember("key", "0" * 64, job_id)
    assert len(files(house)) == 2
    delete(house, job_id)
    tables = (Job, Step, StepDependency, OutboxRow, JobEvent, Artifact, IdempotencyKey)
    assert count(house, *tables) == [0] * 7
    assert is_pending(house.database)
    assert carry_out(house.database, house.objects) == 2
    assert files(house) == []
    assert count(house, Removal) == [0]
    remove_spent_uploads(house.database, house.objects)
    assert not is_pending(house.database)


def test_what_lost_attempts_and_checkpoints_left_goes_with_the_job(house: Any) -> None:
    job_id = house.submit(house.chain("a"))
    lost = house.claim_named(job_id, "a")
    house.upload(lost)
    house.let_lease_lapse(lost)
    house.finish(house.claim_named(job_id, "a"))
    checkpoint = house.objects.local_path(
        f"workspaces/{house.workspace_id}/checkpoints/{lost.id}/latest"
    )
    shown = house.objects.local_path(
        f"workspaces/{house.workspace_id}/live/{lost.id}/000001/course.json"
    )
    for path in (checkpoint, shown):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"x")
    assert len(files(house)) == 4
    delete(house, job_id)
    carry_out(house.database, house.objects)
    assert files(house) == []


def test_files_that_another_job_reuses_stay_until_that_one_is_deleted_too(house: Any) -> None:
    first = finished(house, "a", "b")
    second = finished(house, "a", "b")
    assert all(step.reused_from for step in house.steps(second).values())
    delete(house, first)
    assert carry_out(house.database, house.objects) == 0
    assert len(files(house)) == 2
    third = finished(house, "a", "b")
    assert {s.output_prefix for s in house.steps(third).values()} == {
        s.output_prefix for s in house.steps(second).values()
    }
    delete(house, second)
    delete(house, third)
    carry_out(house.database, house.objects)
    assert files(house) == []


def test_a_job_of_which_a_worker_still_ends_a_step_is_not_over(house: Any) -> None:
    job_id = house.submit(house.chain("a", "b"))
    house.claim_named(job_id, "a")
    with house.database.write() as session:
        session.get_one(Job, job_id).status = "failed"
    with house.database.write() as session:
        jobs = JobRepository(session, house.workspace_id)
        held = jobs.hold(job_id)
        assert jobs.unfinished_among([held]) == [held]


def test_a_strangers_job_cannot_be_held(house: Any, other_workspace: str) -> None:
    job_id = finished(house, "a")
    with house.database.write() as session:
        strangers = JobRepository(session, other_workspace)
        assert strangers.hold(job_id) is None
        assert strangers.hold_of_dataset(house.dataset_id) == []


def test_who_reuses_a_step_first_keeps_its_files_from_a_delete_that_comes_second(
    house: Any,
) -> None:
    first = finished(house, "a")
    with house.database.write() as session:
        second = Job(
            id=new_id("job"), kind="study", dataset_id=house.dataset_id, spec={}, resolved={}
        )
        JobRepository(session, house.workspace_id).add(second, house.chain("a"), house.objects)
        deleting, raised = in_thread(lambda: delete(house, first))
        deleting.join(0.5)
        assert deleting.is_alive()
    deleting.join(30)
    assert raised == []
    carry_out(house.database, house.objects)
    assert house.statuses(second.id) == {"a": "succeeded"}
    (output,) = house.steps(second.id)["a"].outputs
    assert files(house) == [output["object_key"]]


def test_a_step_whose_job_is_being_deleted_is_carried_out_anew_and_not_waited_for(
    house: Any,
) -> None:
    first = finished(house, "a")
    submitted: list[str] = []
    with house.database.write() as session:
        jobs = JobRepository(session, house.workspace_id)
        jobs.delete(jobs.hold(first))
        submitting, raised = in_thread(lambda: submitted.append(house.submit(house.chain("a"))))
        if house.database.engine.dialect.name == "postgresql":
            submitting.join(30)
            assert not submitting.is_alive()
    submitting.join(30)
    assert raised == []
    carry_out(house.database, house.objects)
    assert files(house) == []
    assert house.statuses(submitted[0]) == {"a": "queued"}


def test_jobs_deleted_and_submitted_all_at_once_end_with_whole_jobs_and_no_other_file(
    house: Any,
) -> None:
    kept: list[str] = []

    def submit_and_delete(number: int) -> None:
        for turn in range(3):
            job_id = house.submit(house.chain("a", "b", "c"))
            for _ in range(50):
                statuses = house.statuses(job_id)
                if set(statuses.values()) == {"succeeded"}:
                    break
                for name, status in statuses.items():
                    claimed = None
                    if status == "queued":
                        claimed = house.claim(house.steps(job_id)[name].id)
                    if claimed is not None:
                        house.finish(claimed)
            if (number + turn) % 2:
                kept.append(job_id)
            else:
                delete(house, job_id)
            carry_out(house.database, house.objects)

    threads = [in_thread(lambda n=n: submit_and_delete(n)) for n in range(4)]
    for thread, _ in threads:
        thread.join(120)
    assert [error for _, raised in threads for error in raised] == []
    carry_out(house.database, house.objects)
    there = set(files(house))
    named = {
        output["object_key"]
        for job_id in kept
        for step in house.steps(job_id).values()
        for output in step.outputs
    }
    assert len(kept) == 6
    assert there == named


def test_a_data_set_that_is_held_gets_no_further_job(house: Any) -> None:
    raised_by_submit: list[BaseException] = []
    with house.database.write() as session:
        datasets = DatasetRepository(session, house.workspace_id)
        dataset = datasets.get(house.dataset_id)
        assert datasets.hold(dataset)
        submitting, raised_by_submit = in_thread(lambda: house.submit(house.chain("a")))
        submitting.join(0.5)
        assert submitting.is_alive()
        datasets.delete(dataset)
    submitting.join(30)
    assert [type(error).__name__ for error in raised_by_submit] == ["IntegrityError"]
    assert count(house, Dataset, Job, Step) == [0, 0, 0]


def test_a_store_that_is_silent_leaves_the_promise_for_later(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    delete(house, finished(house, "a"))
    with monkeypatch.context() as broken:

        def silent(*_: object) -> None:
            raise OSError("the store does not answer")

        broken.setattr(type(house.objects), "delete_all", silent)
        with pytest.raises(OSError, match="does not answer"):
            carry_out(house.database, house.objects)
    assert is_pending(house.database)
    carry_out(house.database, house.objects)
    assert files(house) == []


def test_an_upload_goes_with_its_data_set(house: Any) -> None:
    key = f"workspaces/{house.workspace_id}/uploads/{house.dataset_id}.zip"
    path = house.objects.local_path(key)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"PK")
    with house.database.write() as session:
        dataset = session.get_one(Dataset, house.dataset_id)
        dataset.upload_key = key
        DatasetRepository(session, house.workspace_id).delete(dataset)
    carry_out(house.database, house.objects)
    assert files(house) == []
