"""What Prometheus is told: by its own parser, by its own rules for names, and by whom."""

from __future__ import annotations

import re
import time
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr
from sqlalchemy import insert, update

from api.app import create_app
from api.metrics import HouseCollector
from gan_core.spec import DeviceFacts
from store.columns import new_id, utc_now
from store.database import Database
from store.speeds import SpeedBook
from store.step_tables import Step
from store.sweeping import sweep
from store.tables import Job
from store.workers import WorkerRegister

_BASE_UNITS = ("seconds", "bytes")
_FOREIGN_UNITS = re.compile(r"(millisecond|minute|hour|_ms|kilo|mega|_mb|_kb|_gib|percent)")


def scraped(client: Any) -> dict[str, Any]:
    """Return the samples by name and sorted labels, as Prometheus' own parser reads them."""
    answer = client.get("/metrics")
    assert answer.status_code == 200, answer.text
    found = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            found[sample.name, *sorted(sample.labels.items())] = sample.value
    return found


def busy_house(hospital: Any) -> str:
    """A house in which every metric has something to say."""
    job: str = hospital.finished_job()
    hospital.submit(hospital.ready_dataset("another"))
    device = DeviceFacts(kind="gpu", name="NVIDIA H100", memory_bytes=80 * 2**30)
    with hospital.database.write() as session:
        register, book = WorkerRegister(session), SpeedBook(session)
        for number, paused in enumerate((None, "disk_full: 0.10 GiB are free.")):
            register.seen(
                f"w{number}",
                host="here",
                queues=["gpu", "cpu"] if number else ["cpu"],
                version="1",
                step_id=None,
                device=device,
                paused=paused,
                usage={
                    "resident_bytes": 5,
                    "gpu_memory_used_bytes": 6,
                    "gpu_memory_total_bytes": 7,
                    "free_bytes": 8,
                },
            )
        book.note(device.name, "train infogan 64px batch 8", seconds=2.0, units=100)
        book.note(device.name, "train infogan 64px batch 8 settings 12ab", seconds=2.0, units=100)
    return job


def test_names_and_units_are_prometheus_practice(hospital: Any) -> None:
    busy_house(hospital)
    families = list(text_string_to_metric_families(hospital.client.get("/metrics").text))
    ours = [family for family in families if not family.name.startswith("process_")]
    assert len(ours) > 25
    for family in ours:
        assert re.fullmatch(r"graft_[a-z]+(_[a-z]+)*", family.name), family.name
        assert family.documentation.endswith("."), family.name
        assert not _FOREIGN_UNITS.search(family.name), family.name
        for unit in _BASE_UNITS:
            if f"_{unit}" in family.name:
                assert family.name.endswith(f"_{unit}"), family.name
        for sample in family.samples:
            is_total = sample.name.endswith("_total")
            assert is_total == (family.type == "counter")
            assert all(re.fullmatch(r"[a-z]+", label) for label in sample.labels)


def test_everything_that_the_house_knows_is_told(hospital: Any) -> None:
    busy_house(hospital)
    found = scraped(hospital.client)
    assert found["graft_database_up",] == 1
    assert found["graft_queue_waiting_steps", ("queue", "gpu")] >= 1
    assert found["graft_step_outcomes_total", ("kind", "train"), ("outcome", "succeeded")] >= 1
    assert found["graft_step_run_seconds_count", ("kind", "train")] >= 1
    assert found["graft_step_run_seconds_sum", ("kind", "train")] >= 0
    assert found["graft_lease_expiries_total", ("reason", "lapsed")] == 0
    assert found["graft_workers_alive", ("queue", "cpu")] == 2
    assert found["graft_workers_alive", ("queue", "gpu")] == 1
    assert found["graft_workers_paused", ("reason", "disk_full")] == 1
    for name, value in {
        "graft_worker_resident_memory_bytes": 5,
        "graft_worker_gpu_memory_used_bytes": 6,
        "graft_worker_gpu_memory_size_bytes": 7,
        "graft_worker_disk_free_bytes": 8,
    }.items():
        assert found[name, ("worker", "w0")] == value
    speeds = {key: value for key, value in found.items() if key[0].startswith("graft_measured")}
    assert list(speeds.values()) == [50.0]
    assert found["graft_webhook_deliveries", ("status", "pending")] == 0
    assert found["graft_uploads_open",] == 0
    assert found["graft_outbox_unsent",] > 0
    assert found["graft_outbox_oldest_unsent_seconds",] >= 0
    assert found["graft_requests_in_flight",] == 1  # the scrape itself
    assert found["graft_sent_bytes_total", ("route", "/v1/datasets")] > 100
    assert found["graft_received_bytes_total", ("route", "/v1/datasets")] > 100
    assert [key for key in found if key[0] == "graft_build_info"]
    assert found["graft_disk_free_bytes", ("place", "data")] > 0
    assert found["process_resident_memory_bytes",] > 1e6


def test_no_label_names_what_belongs_to_a_tenant(hospital: Any) -> None:
    job = busy_house(hospital)
    text = hospital.client.get("/metrics").text
    dataset = hospital.client.get(f"/v1/jobs/{job}").json()["dataset_id"]
    for secret in (job, dataset, "lesions", "malignant", "benign", "default", "first admin"):
        assert secret not in text, secret


def test_the_oldest_wait_is_told_by_queue_and_a_pause_is_no_wait(hospital: Any) -> None:
    hospital.submit(hospital.ready_dataset())
    then = utc_now() - timedelta(hours=2)
    with hospital.database.write() as session:
        # Queued by code that did not note when.
        session.execute(
            update(Step).where(Step.status == "queued").values(queued_at=None, created_at=then)
        )
    found = scraped(hospital.client)
    waits = {key[1][1]: found[key] for key in found if key[0] == "graft_queue_oldest_wait_seconds"}
    assert set(waits) == {"gpu", "cpu", "interactive"}
    assert max(waits.values()) == pytest.approx(7200, abs=60)
    with hospital.database.write() as session:
        later = utc_now() + timedelta(seconds=60)
        session.execute(update(Step).where(Step.status == "queued").values(available_at=later))
    found = scraped(hospital.client)
    assert found["graft_queue_oldest_wait_seconds", ("queue", "gpu")] == 0
    assert found["graft_queue_waiting_steps", ("queue", "gpu")] == 0


def test_a_step_whose_work_another_job_is_doing_does_not_wait_for_a_worker(hospital: Any) -> None:
    dataset = hospital.ready_dataset()
    first, _second = (hospital.submit(dataset, name=name) for name in ("one", "two"))
    before = scraped(hospital.client)
    assert hospital.claim_next(first["id"]) is not None
    after = scraped(hospital.client)
    waiting = ("graft_queue_waiting_steps", "graft_steps")
    seen = {
        name: sum(
            found[key]
            for key in found
            if key[0] == name and (name != waiting[1] or ("status", "queued") in key)
        )
        for name, found in ((waiting[0], after), (waiting[1], after))
    }
    told_before = sum(before[key] for key in before if key[0] == waiting[0])
    assert seen[waiting[0]] == told_before - 2
    assert seen[waiting[1]] == told_before - 1


def test_methods_that_clients_make_up_share_one_series(hospital: Any) -> None:
    for number in range(5):
        assert hospital.client.request(f"MADEUP{number}", "/v1/jobs").status_code == 405
    found = scraped(hospital.client)
    assert not [key for key in found if "MADEUP" in str(key)]
    series = [key for key in found if key[0] == "graft_request_seconds_count"]
    assert [found[key] for key in series if ("method", "other") in key] == [5]


def test_a_lease_that_lapsed_is_counted(hospital: Any) -> None:
    job = hospital.submit(hospital.ready_dataset())
    claimed = hospital.claim_next(job["id"])
    with hospital.database.write() as session:
        gone = utc_now() - timedelta(seconds=1)
        session.execute(update(Step).where(Step.id == claimed.id).values(lease_expires_at=gone))
    sweep(hospital.database, max_attempts=3)
    assert scraped(hospital.client)["graft_lease_expiries_total", ("reason", "lapsed")] == 1


def test_a_scrape_tells_what_it_can_when_the_database_is_gone(
    settings: Any, admin_key: str
) -> None:
    gone = Database(f"sqlite:///{settings.data_dir}/none.db")
    with TestClient(create_app(settings, database=gone)) as client:
        client.get("/livez")
        found = scraped(client)
    assert found["graft_database_up",] == 0
    assert [key for key in found if key[0] == "graft_request_seconds_count"]
    assert not [key for key in found if key[0] in {"graft_jobs", "graft_queue_waiting_steps"}]


def test_a_database_that_hangs_holds_up_one_scrape_and_for_seconds_only(
    database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.metrics._PATIENCE_SECONDS", 0.3)
    asked = []

    def hang(_session: Any) -> None:
        asked.append(1)
        time.sleep(8.0)

    monkeypatch.setattr("api.metrics.house_figures", hang)
    collector = HouseCollector(database, 60)
    started = time.monotonic()
    for _ in range(3):
        (up,) = collector.collect()
        assert up.samples[0].value == 0
    assert time.monotonic() - started < 6.0
    assert len(asked) == 1


def test_where_a_token_is_set_nobody_else_is_told(settings: Any, database: Any) -> None:
    guarded = settings.model_copy(update={"metrics_token": SecretStr("für Prometheus")})
    with TestClient(create_app(guarded, database=database)) as client:
        for wrong in ({}, {"Authorization": "Bearer x"}, {"Authorization": "Basic Zm9v"}):
            refused = client.get("/metrics", headers=wrong)
            assert refused.status_code == 401
            assert refused.json()["code"] == "metrics_token_wrong"
            assert "graft_" not in refused.text.replace("graft_metrics", "")
        right = {"Authorization": "Bearer für Prometheus".encode()}
        assert client.get("/metrics", headers=right).status_code == 200


@pytest.mark.slow
def test_a_scrape_of_a_hundred_thousand_steps_takes_less_than_100_ms(hospital: Any) -> None:
    """A fifth of them wait, as after a very large study was submitted."""
    dataset = hospital.ready_dataset()
    with hospital.database.write() as session:
        workspace = session.query(Job).first().workspace_id
        for number in range(1000):
            job_id = new_id("job")
            session.execute(
                insert(Job).values(
                    id=job_id, workspace_id=workspace, kind="study", dataset_id=dataset,
                    spec={"a": "b" * 500}, resolved={"a": "b" * 2000}, advice=[],
                    status="succeeded" if number % 5 else "queued", fraction=1.0,
                )
            )  # fmt: skip
            session.execute(
                insert(Step),
                [
                    {
                        "id": new_id("step"), "workspace_id": workspace, "job_id": job_id,
                        "position": place, "name": f"s{place}", "kind": "train",
                        "queue": "gpu" if place % 2 else "cpu", "key": f"{number:032}{place:032}",
                        "params": {"a": "b" * 500}, "inputs": {"a": "b" * 500},
                        "estimate_seconds": 1.0, "outputs": [{"name": "c" * 500}],
                        "status": "succeeded" if number % 5 else "queued",
                        "queued_at": utc_now(),
                    }
                    for place in range(100)
                ],
            )  # fmt: skip
    with hospital.database.write() as session:
        session.connection().exec_driver_sql("ANALYZE")
    times = []
    for _ in range(5):
        # Of all threads; the time by the clock would be that of whatever else runs here, too.
        started = time.process_time()
        assert hospital.client.get("/metrics").status_code == 200
        times.append(time.process_time() - started)
    found = scraped(hospital.client)
    assert found["graft_queue_waiting_steps", ("queue", "gpu")] == 10_000
    assert min(times) < 0.1, times
