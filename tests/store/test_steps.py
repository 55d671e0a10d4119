"""Leases, fencing and the step graph, on both databases."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, select

from gan_core.spec import DatasetFacts
from gan_core.spec.plan import plan_ingest
from store.columns import new_id
from store.outbox import relay_outbox
from store.records import Ingested, Lease, Output, StepError
from store.repositories import ArtifactRepository, JobRepository
from store.step_tables import OutboxRow
from store.steps import StepLedger
from store.sweeping import ring_when_idle, sweep
from store.tables import Artifact, Dataset, Job, JobEvent


class Bell:
    def __init__(self) -> None:
        self.rung: list[tuple[str, str]] = []

    def ring(self, queue: str, step_id: str) -> None:
        self.rung.append((queue, step_id))


def test_only_steps_that_need_nothing_are_queued_and_rung_for(house: Any) -> None:
    job_id = house.submit(house.chain("a", "b"))
    bell = Bell()
    assert relay_outbox(house.database, bell) == 1
    assert house.statuses(job_id) == {"a": "queued", "b": "pending"}
    assert bell.rung == [("gpu", house.steps(job_id)["a"].id)]
    assert relay_outbox(house.database, bell) == 0


def test_a_message_delivered_twice_is_claimed_once(house: Any) -> None:
    job_id = house.submit(house.chain("a"))
    step_id = house.steps(job_id)["a"].id
    first = house.claim(step_id, "w1")
    assert first is not None
    assert first.attempt == 1
    assert house.claim(step_id, "w2") is None
    assert house.job(job_id).status == "running"


def test_of_many_workers_that_claim_at_once_exactly_one_gets_the_step(house: Any) -> None:
    step_id = house.steps(house.submit(house.chain("a")))["a"].id
    gate = threading.Barrier(6)
    got: list[object] = []

    def try_it(number: int) -> None:
        gate.wait()
        got.append(house.claim(step_id, f"w{number}"))

    threads = [threading.Thread(target=try_it, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 6
    assert sum(claimed is not None for claimed in got) == 1


def test_a_claim_tells_where_the_inputs_are_and_where_outputs_go(house: Any) -> None:
    job_id = house.submit(house.chain("a", "b"))
    first = house.claim_named(job_id, "a")
    assert [f.object_key for f in first.inputs["dataset"]] == ["k/train.npy"]
    assert first.dataset.classes["malignant"]["train"] == 10
    house.finish(first)
    second = house.claim_named(job_id, "b")
    assert second.inputs["a"][0].object_key == f"{first.output_prefix}out.bin"
    assert second.step_keys == {"a": "a" * 64, "b": "b" * 64}
    assert list(second.step_keys) == ["a", "b"]
    assert house.workspace_id in second.output_prefix
    assert second.output_prefix != first.output_prefix


def test_pictures_of_a_data_set_for_people_are_brought_to_no_step(house: Any) -> None:
    pictures = [
        {"name": name, "object_key": f"k/{name}", "size": 3, "sha256": "1" * 64}
        for name in ("preview.json", "preview-0.png", "preview-17.png")
    ]
    with house.database.write() as session:
        dataset = session.get_one(Dataset, house.dataset_id)
        dataset.files = [*pictures, *dataset.files]
    claimed = house.claim_named(house.submit(house.chain("a")), "a")
    assert [f.name for f in claimed.inputs["dataset"]] == ["train.npy"]


def test_a_finished_chain_makes_a_succeeded_job_with_artifacts(house: Any) -> None:
    job_id = house.submit(house.chain("a", "b"))
    house.finish_all(job_id)
    job = house.job(job_id)
    assert (job.status, job.fraction, job.error) == ("succeeded", 1.0, None)
    assert job.finished_at is not None
    with house.database.read() as session:
        found = ArtifactRepository(session, house.workspace_id).of_job(job_id)
    assert [a.kind for a in found] == ["report-html", "report-html"]


def test_internal_outputs_are_no_artifacts(house: Any) -> None:
    job_id = house.submit(house.chain("a"))
    claimed = house.claim_named(job_id, "a")
    output = Output("weights.bin", "internal", "application/octet-stream", 1, "b" * 64)
    with house.database.write() as session:
        assert StepLedger(session).complete(claimed.id, claimed.token, [output])
    with house.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Artifact)) == 0


def test_a_heartbeat_prolongs_the_lease_and_shows_progress(house: Any) -> None:
    job_id = house.submit(house.chain("a", "b"))
    claimed = house.claim_named(job_id, "a")
    before = house.steps(job_id)["a"].lease_expires_at
    with house.database.write() as session:
        lease = StepLedger(session).heartbeat(
            claimed.id, claimed.token, lease_seconds=600, fraction=0.5, detail="epoch 5/10"
        )
    assert lease == Lease(held=True, stop=False)
    assert house.steps(job_id)["a"].lease_expires_at > before
    job = house.job(job_id)
    assert (job.fraction, job.stage, job.detail) == (0.25, "train", "epoch 5/10")
    assert job.eta_seconds == pytest.approx(15.0)


def test_a_lapsed_lease_can_be_claimed_and_the_old_holder_changes_nothing(house: Any) -> None:
    job_id = house.submit(house.chain("a"))
    old = house.claim_named(job_id, "a")
    house.let_lease_lapse(old)
    new = house.claim(old.id, "w2")
    assert new is not None
    assert new.attempt == 2
    assert new.output_prefix != old.output_prefix
    error = StepError("x", "y")
    with house.database.write() as session:
        ledger = StepLedger(session)
        assert ledger.heartbeat(old.id, old.token, lease_seconds=60) == Lease(False, False)
        assert not ledger.complete(old.id, old.token, [])
        assert not ledger.fail(old.id, old.token, error, retryable=False, max_attempts=3)
        assert not ledger.release(old.id, old.token)
        assert not ledger.cancelled(old.id, old.token)
    assert house.statuses(job_id) == {"a": "running"}
    assert house.finish(new)
    assert house.job(job_id).status == "succeeded"


def test_a_step_out_of_attempts_cannot_be_claimed(house: Any) -> None:
    house.max_attempts = 1
    job_id = house.submit(house.chain("a"))
    claimed = house.claim_named(job_id, "a")
    house.let_lease_lapse(claimed)
    assert house.claim(claimed.id) is None


def test_a_crash_is_tried_again_until_the_attempts_are_used_up(house: Any) -> None:
    job_id = house.submit(house.chain("a", "b"))
    for attempt in (1, 2, 3):
        claimed = house.claim_named(job_id, "a")
        assert claimed.attempt == attempt
        with house.database.write() as session:
            StepLedger(session).fail(
                claimed.id,
                claimed.token,
                StepError("crashed", "The step's process ended.", "Look at its log."),
                retryable=True,
                max_attempts=3,
            )
    job = house.job(job_id)
    assert job.status == "failed"
    assert job.error == {
        "code": "crashed",
        "detail": "The step's process ended.",
        "hint": "Look at its log.",
        "step": "a",
    }
    assert house.statuses(job_id) == {"a": "failed", "b": "skipped"}


def test_an_error_that_a_person_caused_is_not_tried_again(house: Any) -> None:
    job_id = house.submit(house.chain("a"))
    claimed = house.claim_named(job_id, "a")
    with house.database.write() as session:
        StepLedger(session).fail(
            claimed.id, claimed.token, StepError("bad", "Bad."), retryable=False, max_attempts=3
        )
    assert house.job(job_id).status == "failed"


def test_a_released_step_is_rung_for_again_as_an_attempt_of_its_own(
    house: Any,
) -> None:
    job_id = house.submit(house.chain("a"))
    relay_outbox(house.database, Bell())
    first = house.claim_named(job_id, "a")
    with house.database.write() as session:
        assert StepLedger(session).release(first.id, first.token)
    assert relay_outbox(house.database, Bell()) == 1
    second = house.claim_named(job_id, "a")
    assert second.attempt == first.attempt + 1
    assert second.output_prefix != first.output_prefix


def test_cancelling_a_queued_job_ends_it_at_once(house: Any) -> None:
    job_id = house.submit(house.chain("a", "b"))
    with house.database.write() as session:
        _job, changed = JobRepository(session, house.workspace_id).cancel(job_id)
    assert changed
    assert house.job(job_id).status == "cancelled"
    assert set(house.statuses(job_id).values()) == {"cancelled"}
    assert house.claim(house.steps(job_id)["a"].id) is None


def test_cancelling_a_running_job_waits_for_the_worker(house: Any) -> None:
    job_id = house.submit(house.chain("a", "b"))
    claimed = house.claim_named(job_id, "a")
    with house.database.write() as session:
        jobs = JobRepository(session, house.workspace_id)
        assert jobs.cancel(job_id)[1]
        assert not jobs.cancel(job_id)[1]
    assert house.job(job_id).status == "cancelling"
    with house.database.write() as session:
        ledger = StepLedger(session)
        assert ledger.heartbeat(claimed.id, claimed.token, lease_seconds=60).stop
        assert ledger.cancelled(claimed.id, claimed.token)
    assert house.job(job_id).status == "cancelled"
    assert house.statuses(job_id) == {"a": "cancelled", "b": "cancelled"}


def test_a_step_that_finishes_while_its_job_is_cancelled_leaves_the_job_cancelled(
    house: Any,
) -> None:
    job_id = house.submit(house.chain("a", "b"))
    claimed = house.claim_named(job_id, "a")
    with house.database.write() as session:
        JobRepository(session, house.workspace_id).cancel(job_id)
    assert house.finish(claimed)
    assert house.job(job_id).status == "cancelled"
    assert house.statuses(job_id) == {"a": "succeeded", "b": "cancelled"}


def test_final_states_stay(house: Any) -> None:
    job_id = house.submit(house.chain("a"))
    house.finish_all(job_id)
    with house.database.write() as session:
        job, changed = JobRepository(session, house.workspace_id).cancel(job_id)
        assert (job.status, changed) == ("succeeded", False)
    assert house.claim(house.steps(job_id)["a"].id) is None


def test_finished_steps_with_the_same_key_are_reused(house: Any) -> None:
    first = house.submit(house.chain("a", "b"))
    house.finish_all(first)
    second = house.submit(house.chain("a", "b", "c"))
    steps = house.steps(second)
    # "b" is of another kind in a longer chain, so only "a" is the same work.
    assert house.statuses(second) == {"a": "succeeded", "b": "queued", "c": "pending"}
    assert steps["a"].reused_from == house.steps(first)["a"].id
    claimed = house.claim_named(second, "b")
    assert claimed.inputs["a"][0].object_key.endswith("/out.bin")
    assert house.job(second).fraction == 0.0


def test_a_job_of_which_everything_is_finished_succeeds_at_once(house: Any) -> None:
    house.finish_all(house.submit(house.chain("a", "b")))
    second = house.submit(house.chain("a", "b"))
    assert house.job(second).status == "succeeded"
    with house.database.read() as session:
        assert len(ArtifactRepository(session, house.workspace_id).of_job(second)) == 2


def test_a_step_whose_twin_finished_meanwhile_is_reused_when_it_is_claimed(house: Any) -> None:
    first, second = house.submit(house.chain("a", "b")), house.submit(house.chain("a", "b"))
    house.finish(house.claim_named(first, "a"))
    assert house.claim(house.steps(second)["a"].id) is None
    assert house.statuses(second) == {"a": "succeeded", "b": "queued"}


def test_nothing_is_reused_whose_files_are_gone(house: Any) -> None:
    first = house.submit(house.chain("a"))
    house.finish_all(first)
    house.objects.delete_prefix(house.steps(first)["a"].output_prefix)
    assert house.statuses(house.submit(house.chain("a"))) == {"a": "queued"}


def test_nothing_is_reused_from_another_workspace(house: Any, other_workspace: str) -> None:
    house.finish_all(house.submit(house.chain("a")))
    stranger = house.submit(house.chain("a"), other_workspace)
    assert house.job(stranger).status == "queued"


def test_events_are_numbered_upwards_and_end_with_the_final_state(house: Any) -> None:
    job_id = house.submit(house.chain("a"))
    house.finish_all(job_id)
    with house.database.read() as session:
        events = JobRepository(session, house.workspace_id).events_after(job_id, 0)
        again = JobRepository(session, house.workspace_id).events_after(job_id, events[1].id)
    ids = [event.id for event in events]
    assert ids == sorted(set(ids))
    assert [event.id for event in again] == ids[2:]
    assert events[0].data["status"] == "queued"
    assert events[-1].data["status"] == "succeeded"


def test_of_a_long_jobs_progress_only_the_latest_event_is_kept(house: Any) -> None:
    job_id = house.submit(house.chain("a", "b"))
    claimed = house.claim_named(job_id, "a")
    for epoch in range(5):
        with house.database.write() as session:
            StepLedger(session).heartbeat(
                claimed.id, claimed.token, lease_seconds=60, fraction=epoch / 5, detail=f"{epoch}"
            )
    with house.database.read() as session:
        events = JobRepository(session, house.workspace_id).events_after(job_id, 0)
    assert [event.data["progress"]["detail"] for event in events if event.type == "progress"] == [
        "4"
    ]
    assert [e.data["status"] for e in events if e.type == "status"] == ["queued", "running"]
    assert events[-1].type == "progress"


def _ingest_job(house: Any) -> tuple[str, str]:
    with house.database.write() as session:
        dataset = Dataset(
            id=new_id("ds"),
            workspace_id=house.workspace_id,
            name="new",
            upload_key="k/upload.zip",
            upload_sha256="9" * 64,
            upload_bytes=77,
            image_size=224,
        )
        session.add(dataset)
        session.flush()
        job = Job(id=new_id("job"), kind="ingest", dataset_id=dataset.id, spec={}, resolved={})
        plan = plan_ingest("9" * 64, 77, 224)
        JobRepository(session, house.workspace_id).add(job, plan, house.objects)
        return dataset.id, job.id


def test_an_ingest_fills_its_dataset_and_the_same_upload_is_read_once(house: Any) -> None:
    dataset_id, job_id = _ingest_job(house)
    claimed = house.claim_named(job_id, "ingest")
    assert claimed.dataset is None
    assert claimed.inputs["upload"][0].name == "upload.zip"
    facts = DatasetFacts(digest="f" * 64, image_size=224, classes={"a": {"train": 3}})
    problem = {"code": "unreadable", "detail": "Entry 4 is no image.", "entry": 4}
    outputs = house.upload(claimed)
    with house.database.write() as session, pytest.raises(ValueError, match="ingest"):
        StepLedger(session).complete(claimed.id, claimed.token, outputs)
    with house.database.write() as session:
        assert StepLedger(session).complete(
            claimed.id, claimed.token, outputs, ingested=Ingested(facts, [problem])
        )
    twin_id, _ = _ingest_job(house)
    with house.database.read() as session:
        for found in (dataset_id, twin_id):
            dataset = session.get_one(Dataset, found)
            assert dataset.status == "ready"
            assert dataset.facts["digest"] == "f" * 64
            assert dataset.problems == [problem]
            assert dataset.files[0]["object_key"] == f"{claimed.output_prefix}out.bin"


def test_a_failed_ingest_rejects_the_dataset_with_the_reason(house: Any) -> None:
    dataset_id, job_id = _ingest_job(house)
    claimed = house.claim_named(job_id, "ingest")
    with house.database.write() as session:
        StepLedger(session).fail(
            claimed.id,
            claimed.token,
            StepError("one_class", "The zip holds one class only.", "Add another."),
            retryable=False,
            max_attempts=3,
        )
    with house.database.read() as session:
        dataset = session.get_one(Dataset, dataset_id)
    assert dataset.status == "rejected"
    assert dataset.problems == [
        {"code": "one_class", "detail": "The zip holds one class only.", "hint": "Add another."}
    ]


def test_an_aborted_transaction_leaves_nothing(house: Any) -> None:
    def crash_before_commit() -> None:
        with house.database.write() as session:
            job = Job(
                id=new_id("job"), kind="study", dataset_id=house.dataset_id, spec={}, resolved={}
            )
            JobRepository(session, house.workspace_id).add(job, house.chain("a"), house.objects)
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        crash_before_commit()
    with house.database.read() as session:
        for table in (Job, OutboxRow, JobEvent):
            assert session.scalar(select(func.count()).select_from(table)) == 0


def test_each_beginning_counts_the_rings_anew(house: Any) -> None:
    job_id = house.submit(house.chain("a"))
    for _ in range(4):
        claimed = house.claim_named(job_id, "a")
        assert house.steps(job_id)["a"].rings == 0
        with house.database.write() as session:
            StepLedger(session).release(claimed.id, claimed.token)
    # Else the doorbell would be silent for minutes after a few restarts of the workers.
    assert house.steps(job_id)["a"].rings == 1


def test_a_claim_notes_the_place_and_when_the_job_was_served(house: Any) -> None:
    job_id = house.submit(house.chain("a"))
    assert house.job(job_id).served_at is None
    with house.database.write() as session:
        claimed = StepLedger(session).claim(
            house.steps(job_id)["a"].id,
            worker_id="w1",
            lease_seconds=60,
            max_attempts=3,
            place="here",
        )
    assert claimed is not None
    assert house.steps(job_id)["a"].place == "here"
    assert house.job(job_id).served_at is not None


def test_workers_with_twins_and_a_sweeper_at_once_do_not_lock_each_other(house: Any) -> None:
    """Steps of jobs with the same keys are claimed, finished and rung for by several at once."""
    jobs = [house.submit(house.chain("a", "b", "c")) for _ in range(3)]
    failures: list[BaseException] = []
    over = threading.Event()

    def work(job_id: str) -> None:
        while not house.job(job_id).is_final and not over.is_set():
            for step in house.steps(job_id).values():
                claimed = house.claim(step.id) if step.status == "queued" else None
                if claimed is not None:
                    house.finish(claimed)

    def sweep_on() -> None:
        while not over.is_set():
            sweep(house.database, max_attempts=3, ring_again_after=0.0)
            ring_when_idle(house.database, "idle", ["gpu", "cpu"], slots=3, after_seconds=0.0)
            relay_outbox(house.database, Bell())

    def watched(action: Callable[..., None], *args: str) -> None:
        try:
            action(*args)
        except BaseException as error:  # noqa: BLE001 - told below, in the test's own thread
            failures.append(error)

    sweeper = threading.Thread(target=watched, args=(sweep_on,))
    workers = [threading.Thread(target=watched, args=(work, job_id)) for job_id in jobs]
    for thread in (sweeper, *workers):
        thread.start()
    for thread in workers:
        thread.join(timeout=120)
    over.set()
    sweeper.join(timeout=60)
    assert failures == []
    assert [house.job(job_id).status for job_id in jobs] == ["succeeded"] * 3
