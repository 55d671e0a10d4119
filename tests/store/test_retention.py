"""What has been kept for long enough is given up, and nothing else is."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select, text, update

from gan_core.spec.plan import plan_ingest
from store.access_tables import IdempotentRequest
from store.columns import new_id, utc_now
from store.records import Ingested, Output, StepError
from store.removals import carry_out
from store.repositories import ArtifactRepository, JobRepository
from store.repositories.idempotency import IdempotentRequests
from store.retention import expire, prune
from store.speeds import SpeedBook
from store.steps import StepLedger
from store.tables import Artifact, AuditEvent, Dataset, IdempotencyKey, Job, JobEvent, MeasuredSpeed

LONG_AGO = "2020-01-01 00:00:00.000000"


def finished(house: Any, *names: str) -> str:
    job_id: str = house.submit(house.chain(*names))
    while queued := [name for name, s in house.statuses(job_id).items() if s == "queued"]:
        for name in queued:
            house.finish(house.claim_named(job_id, name))
    return job_id


def make_old(house: Any, job_id: str) -> None:
    with house.database.write() as session:
        session.execute(
            text("UPDATE jobs SET finished_at = :then WHERE id = :id"),
            {"then": LONG_AGO, "id": job_id},
        )


def files(house: Any) -> list[str]:
    return sorted(house.objects.list("workspaces/"))


def artifacts(house: Any, job_id: str) -> list[Artifact]:
    with house.database.read() as session:
        return list(ArtifactRepository(session, house.workspace_id).of_job(job_id))


def expire_all(house: Any, days: float = 30) -> int:
    expired = expire(house.database, retention_days=days)
    carry_out(house.database, house.objects)
    return expired


def test_the_files_of_an_old_job_go_and_its_rows_say_when(house: Any) -> None:
    old, young = finished(house, "a", "b"), finished(house, "c", "d")
    make_old(house, old)
    assert expire_all(house) == 2
    assert all(artifact.removed_at is not None for artifact in artifacts(house, old))
    assert all(artifact.removed_at is None for artifact in artifacts(house, young))
    assert {key.split("/")[3] for key in files(house)} == {
        step.id for step in house.steps(young).values()
    }
    with house.database.read() as session:
        said = session.execute(select(AuditEvent.actor, AuditEvent.action, AuditEvent.subject))
        assert said.all() == [("system", "job.expire", old)]
    assert house.job(old).status == "succeeded"
    assert house.statuses(old) == {"a": "succeeded", "b": "succeeded"}
    assert expire_all(house) == 0


def test_how_a_training_went_that_failed_is_kept_as_long_as_its_job(house: Any) -> None:
    old = house.submit(house.chain("a"))
    claimed = house.claim_named(old, "a")
    shown = house.objects.local_path(
        f"workspaces/{house.workspace_id}/live/{claimed.id}/000001/course.json"
    )
    shown.parent.mkdir(parents=True)
    shown.write_bytes(b"x")
    with house.database.write() as session:
        StepLedger(session).fail(
            claimed.id, claimed.token, StepError("x", "y"), retryable=False, max_attempts=1
        )
    assert expire_all(house) == 0
    assert shown.exists()
    make_old(house, old)
    assert expire_all(house) == 1
    assert files(house) == []


def test_what_is_not_kept_any_more_is_not_reused_but_made_again(house: Any) -> None:
    old = finished(house, "a", "b")
    make_old(house, old)
    expire_all(house)
    with house.database.read() as session:
        keys = [step.key for step in house.steps(old).values()]
        assert JobRepository(session, house.workspace_id).finished_keys(keys) == frozenset()
    again = house.submit(house.chain("a", "b"))
    assert house.statuses(again) == {"a": "queued", "b": "pending"}
    house.finish_all(again)
    assert house.job(again).status == "succeeded"
    assert len(files(house)) == 2


def test_files_that_a_younger_job_reuses_are_kept_for_both(house: Any) -> None:
    old = finished(house, "a", "b")
    young = finished(house, "a", "b")
    make_old(house, old)
    assert expire_all(house) == 0
    assert len(files(house)) == 2
    assert all(artifact.removed_at is None for artifact in artifacts(house, old))
    make_old(house, young)
    assert expire_all(house) == 2
    assert files(house) == []
    for job_id in (old, young):
        assert all(artifact.removed_at is not None for artifact in artifacts(house, job_id))


def test_a_job_that_is_not_over_is_not_old_however_long_ago_it_began(house: Any) -> None:
    job_id = house.submit(house.chain("a", "b"))
    house.finish(house.claim_named(job_id, "a"))
    with house.database.write() as session:
        session.execute(text("UPDATE jobs SET created_at = :then"), {"then": LONG_AGO})
    assert expire_all(house) == 0
    assert len(files(house)) == 1


def test_what_an_ingest_made_lives_as_long_as_its_data_set(house: Any) -> None:
    with house.database.write() as session:
        dataset = session.get_one(Dataset, house.dataset_id)
        dataset.status, dataset.facts, dataset.files = "ingesting", None, []
        job = Job(
            id=new_id("job"), kind="ingest", dataset_id=house.dataset_id, spec={}, resolved={}
        )
        plan = plan_ingest("0" * 64, 1, 224)
        JobRepository(session, house.workspace_id).add(job, plan, house.objects)
    claimed = house.claim_named(job.id, "ingest")
    house.upload(claimed)
    from gan_core.spec import DatasetFacts

    facts = DatasetFacts(
        digest="d" * 64,
        image_size=224,
        classes={"a": {"train": 1, "test": 1}, "b": {"train": 1, "test": 1}},
    )
    with house.database.write() as session:
        output = Output("out.bin", "internal", "application/octet-stream", 4, "a" * 64)
        StepLedger(session, house.objects).complete(
            claimed.id, claimed.token, [output], ingested=Ingested(facts)
        )
    make_old(house, job.id)
    assert expire_all(house) == 0
    assert len(files(house)) == 1


def test_who_reuses_a_step_at_the_last_moment_keeps_its_files(house: Any) -> None:
    old = finished(house, "a")
    make_old(house, old)
    expired: list[int] = []
    with house.database.write() as session:
        young = Job(
            id=new_id("job"), kind="study", dataset_id=house.dataset_id, spec={}, resolved={}
        )
        JobRepository(session, house.workspace_id).add(young, house.chain("a"), house.objects)
        thread = threading.Thread(
            target=lambda: expired.append(expire(house.database, retention_days=30))
        )
        thread.start()
        if house.database.engine.dialect.name == "postgresql":
            # What another holds is left for the next time.
            thread.join(30)
            assert expired == [0]
    thread.join(30)
    assert expired == [0]
    carry_out(house.database, house.objects)
    assert house.statuses(young.id) == {"a": "succeeded"}
    assert len(files(house)) == 1


def test_speeds_of_settings_that_nobody_uses_any_more_are_pruned(house: Any) -> None:
    plain = "train fastgan 64px batch 8"
    with house.database.write() as session:
        book = SpeedBook(session)
        for workload in (plain, f"{plain} settings 12345678", f"{plain} settings 87654321"):
            book.note("H100", workload, seconds=1.0, units=1.0)
        session.execute(
            update(MeasuredSpeed)
            .where(MeasuredSpeed.workload.not_like("%8765%"))
            .values(measured_at=utc_now() - timedelta(days=91))
        )
    assert prune(house.database) == 1
    with house.database.read() as session:
        left = set(session.scalars(select(MeasuredSpeed.workload)))
    assert left == {plain, f"{plain} settings 87654321"}


def test_old_idempotency_keys_and_old_events_are_pruned(house: Any) -> None:
    old, young = finished(house, "a", "b"), finished(house, "c", "d")
    make_old(house, old)
    with house.database.write() as session:
        jobs = JobRepository(session, house.workspace_id)
        for key in ("yesterday's", "last week's"):
            jobs.remember(key, "0" * 64, old)
        answers = IdempotentRequests(session, house.workspace_id)
        for key in ("yesterday's", "last week's"):
            assert answers.reserve(key, "0" * 64, "token", 60).state == "granted"
        for table in ("idempotency_keys", "idempotent_requests"):
            session.execute(
                text(f"UPDATE {table} SET created_at = :then WHERE key LIKE 'last%'"),  # noqa: S608
                {"then": LONG_AGO},
            )
    with house.database.read() as session:
        events = select(func.count()).select_from(JobEvent).where(JobEvent.job_id == young)
        before = session.scalar(events)
        last = JobRepository(session, house.workspace_id).latest_event(old)[0].id
    assert prune(house.database) > 1
    with house.database.read() as session:
        jobs = JobRepository(session, house.workspace_id)
        for table in (IdempotencyKey, IdempotentRequest):
            assert session.scalars(select(table.key)).all() == ["yesterday's"]
        assert [event.id for event in jobs.events_after(old, 0)] == [last]
        assert session.scalar(events) == before
    assert prune(house.database) == 0
