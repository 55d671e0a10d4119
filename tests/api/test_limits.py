"""Limits: refused in time, for the right party, with an honest time to come back."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import anyio
import pytest
from fastapi.testclient import TestClient
from starlette.requests import Request
from starlette.types import Message

from api.app import create_app
from api.limits.gate import Memory, _address
from api.limits.quotas import Quotas, UploadRoom
from store.columns import utc_now
from store.repositories import UsageLedger
from store.step_tables import Step
from store.tables import Dataset, Job, Workspace

Serve = Callable[..., Any]
ZIP = {"Content-Type": "application/zip"}


@pytest.fixture
def serve(
    settings: Any, database: Any, objects: Any, admin_key: str, hospital: Any
) -> Iterator[Serve]:
    """Start the app with other settings; what it returns does what the portal does."""
    opened: list[TestClient] = []

    def make(**changes: Any) -> Any:
        app = create_app(settings.model_copy(update=changes), database=database, objects=objects)
        client = TestClient(
            app,
            raise_server_exceptions=False,
            follow_redirects=False,
            headers={"Authorization": f"Bearer {admin_key}"},
        )
        opened.append(client)
        return type(hospital)(client, database, objects)

    yield make
    for client in opened:
        client.app.state.context.gate.close()  # type: ignore[attr-defined]
        client.close()


def key(house: Any, *scopes: str, **more: Any) -> dict[str, str]:
    asked = {"name": "other", "scopes": scopes or ["researcher"], **more}
    made = house.client.post("/v1/keys", json=asked)
    assert made.status_code == 201, made.text
    return {"Authorization": f"Bearer {made.json()['key']}"}


def refused(answer: Any, code: str, *policies: str) -> int:
    """Check a refusal; return the seconds after which to come back."""
    assert answer.status_code == 429, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == code
    if policies:
        assert answer.json()["violated-policies"] == list(policies)
    return int(answer.headers["retry-after"])


def seconds_to_midnight() -> float:
    midnight = (utc_now() + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return (midnight - utc_now()).total_seconds()


# --- requests --------------------------------------------------------------------------------


def test_a_key_that_asks_too_often_is_refused_and_others_are_not(serve: Serve) -> None:
    house = serve(limit_requests_per_minute=4)
    other = key(house)  # the first of the four
    answers = [house.client.get("/v1/jobs") for _ in range(4)]
    assert [a.status_code for a in answers] == [200, 200, 200, 429]
    assert 1 <= refused(answers[-1], "too_many_requests", "key") <= 60
    assert house.client.get("/v1/jobs", headers=other).status_code == 200


def test_every_answer_tells_what_is_left(serve: Serve) -> None:
    house = serve(limit_requests_per_minute=3, limit_workspace_requests_per_minute=50)
    first = house.client.get("/v1/jobs")
    assert first.headers["ratelimit-policy"] == '"key";q=3;w=60, "workspace";q=50;w=60'
    assert first.headers["ratelimit"] == '"key";r=2;t=60'
    missing = house.client.get("/v1/jobs/job_none")
    assert (missing.status_code, missing.headers["ratelimit"][:9]) == (404, '"key";r=1')
    house.client.get("/v1/jobs")
    over = house.client.get("/v1/jobs")
    assert over.headers["ratelimit"] == f'"key";r=0;t={refused(over, "too_many_requests")}'


def test_a_workspace_is_limited_together_and_another_is_not(
    serve: Serve, stranger: TestClient
) -> None:
    house = serve(limit_workspace_requests_per_minute=3)
    one = key(house)
    for headers in (one, {}):
        assert house.client.get("/v1/jobs", headers=headers).status_code == 200
    for headers in (one, {}):
        over = house.client.get("/v1/jobs", headers=headers)
        refused(over, "too_many_requests", "workspace")
    theirs = {"Authorization": stranger.headers["authorization"]}
    assert house.client.get("/v1/jobs", headers=theirs).status_code == 200


def test_what_a_key_may_not_do_is_counted_too(serve: Serve) -> None:
    house = serve(limit_requests_per_minute=3)
    reader = key(house, "reader")
    statuses = [house.client.get("/v1/keys", headers=reader).status_code for _ in range(4)]
    assert statuses == [403, 403, 403, 429]


def test_without_limits_there_are_no_fields_and_no_refusals(serve: Serve) -> None:
    house = serve(limit_requests_per_minute=None, limit_workspace_requests_per_minute=None)
    answer = house.client.get("/v1/jobs")
    assert answer.status_code == 200
    assert "ratelimit" not in answer.headers


# --- without a key ---------------------------------------------------------------------------


def test_keys_cannot_be_guessed_and_whoever_has_one_is_not_shut_out(serve: Serve) -> None:
    house = serve(limit_refused_per_minute=5)
    unused = key(house)
    bad = {"Authorization": "Bearer graft_guessed"}
    statuses = [house.client.get("/v1/jobs", headers=bad).status_code for _ in range(7)]
    assert statuses == [401] * 5 + [429] * 2
    refused(house.client.get("/v1/jobs", headers=bad), "too_many_refusals", "address")
    # Somebody with the same address whose key was good before goes on.
    assert house.client.get("/v1/jobs").status_code == 200
    # A key that was not seen here yet could be the next guess: a right one looks like a wrong one.
    refused(house.client.get("/v1/jobs", headers=unused), "too_many_refusals")
    house.client.headers.pop("Authorization")
    refused(house.client.get("/v1/jobs"), "too_many_refusals")


def test_probes_are_never_limited_and_pages_generously(serve: Serve) -> None:
    house = serve(limit_refused_per_minute=1, limit_anonymous_per_minute=3)
    house.client.headers.pop("Authorization")
    for _ in range(3):
        house.client.get("/v1/jobs")
    assert [house.client.get("/").status_code for _ in range(4)] == [200] * 3 + [429]
    for path in ("/livez", "/metrics", "/readyz"):
        assert all(house.client.get(path).status_code != 429 for _ in range(5))


@pytest.mark.parametrize(
    ("host", "counted_as"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:bbbb::2%eth0", "2001:db8:1:2::/64"),
        ("testclient", "testclient"),
    ],
)
def test_an_address_is_counted_as_what_one_party_has(host: str, counted_as: str) -> None:
    request = Request({"type": "http", "headers": [], "client": (host, 1)})
    assert _address(request) == counted_as
    assert _address(Request({"type": "http", "headers": [], "client": None})) == "unknown"


def test_a_memory_forgets_what_is_old_and_what_is_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("api.limits.gate.time", SimpleNamespace(monotonic=lambda: now[0]))
    memory: Memory[int] = Memory(10.0)
    memory.keep("a", 1)
    assert memory.get("a") == 1
    now[0] = 10.0
    assert memory.get("a") is None
    monkeypatch.setattr("api.limits.gate._REMEMBERED", 2)
    for name in "abc":
        memory.keep(name, 1)
    assert [memory.get(name) for name in "abc"] == [None, 1, 1]


# --- uploads ---------------------------------------------------------------------------------


def test_an_upload_that_does_not_fit_into_the_day_any_more_is_refused_before_its_body_is_read(
    serve: Serve,
) -> None:
    size = len(serve().small_zip())
    house = serve(limit_upload_bytes_per_day=2 * size)
    for _ in range(2):
        house.upload()
    before = house.objects.list("workspaces")
    sent: list[Message] = []

    async def receive() -> Message:
        raise AssertionError("the body was read")

    async def send(message: Message) -> None:
        sent.append(message)

    headers = {
        "authorization": house.client.headers["authorization"],
        "content-type": "application/zip",
        "content-length": str(size),
    }
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/datasets",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("192.0.2.1", 1),
    }
    anyio.run(house.client.app, scope, receive, send)
    assert sent[0]["status"] == 429
    problem = json.loads(sent[1]["body"])
    assert problem["code"] == "upload_quota"
    assert problem["violated-policies"] == ["workspace-upload-bytes"]
    seconds = int(dict(sent[0]["headers"])[b"retry-after"])
    assert abs(seconds - seconds_to_midnight()) < 60
    assert house.objects.list("workspaces") == before


def test_one_that_does_not_say_its_size_is_refused_while_it_is_read_and_leaves_nothing(
    serve: Serve,
) -> None:
    size = len(serve().small_zip())
    house = serve(limit_upload_bytes_per_day=size + 10)
    house.upload()
    before = house.objects.list("workspaces")

    def body() -> Iterator[bytes]:
        yield house.small_zip()

    answer = house.client.post("/v1/datasets", content=body(), headers=ZIP)
    refused(answer, "upload_quota")
    assert house.objects.list("workspaces") == before


def test_one_that_fits_into_no_day_is_too_large_and_not_told_to_come_back(serve: Serve) -> None:
    house = serve(limit_upload_bytes_per_day=10)
    answer = house.client.post("/v1/datasets", content=house.small_zip(), headers=ZIP)
    assert (answer.status_code, answer.json()["code"]) == (413, "upload_too_large")
    assert "retry-after" not in answer.headers

    def body() -> Iterator[bytes]:
        yield house.small_zip()

    answer = house.client.post("/v1/datasets", content=body(), headers=ZIP)
    assert (answer.status_code, answer.json()["code"]) == (413, "upload_too_large")


def test_a_multipart_body_may_be_a_little_longer_than_what_is_left(serve: Serve) -> None:
    size = len(serve().small_zip())
    house = serve(limit_upload_bytes_per_day=size)
    answer = house.client.post("/v1/datasets", files={"file": ("x.zip", house.small_zip())})
    assert answer.status_code == 202


def test_of_many_uploads_at_once_no_more_than_fit_get_through(serve: Serve) -> None:
    size = len(serve().small_zip())
    house = serve(limit_upload_bytes_per_day=3 * size)
    statuses: list[int] = []

    def send(_number: int) -> None:
        answer = house.client.post("/v1/datasets", content=house.small_zip(), headers=ZIP)
        statuses.append(answer.status_code)

    threads = [threading.Thread(target=send, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [202] * 3 + [429] * 3
    with house.database.read() as session:
        assert session.query(Dataset).count() == 3
    uploads = [name for name in house.objects.list("workspaces") if "/uploads/" in name]
    assert len(uploads) == 3


def test_yesterdays_uploads_count_no_more(serve: Serve) -> None:
    size = len(serve().small_zip())
    house = serve(limit_upload_bytes_per_day=size)
    with house.database.write() as session:
        workspace_id = session.query(Workspace).one().id
        yesterday = f"{utc_now() - timedelta(days=1):%Y-%m-%d}"
        UsageLedger(session, workspace_id).book("upload_bytes", "key", size, day=yesterday)
    house.upload()


# --- jobs ------------------------------------------------------------------------------------


def test_a_full_queue_takes_no_job_of_any_kind_until_one_is_over(serve: Serve) -> None:
    house = serve(limit_unfinished_jobs=2)
    dataset_id = house.ready_dataset()
    first = house.submit(dataset_id, name="first")
    house.submit(dataset_id, name="second")
    body = {"dataset_id": dataset_id, "real_counts": [10], "name": "third"}
    seconds = refused(
        house.client.post("/v1/jobs", json=body), "queue_full", "workspace-unfinished-jobs"
    )
    assert 5 <= seconds <= 600
    refused(
        house.client.post("/v1/datasets", content=house.small_zip("new"), headers=ZIP), "queue_full"
    )
    # Planning costs nothing.
    assert house.client.post("/v1/jobs?dry_run=true", json=body).status_code == 200
    house.client.post(f"/v1/jobs/{first['id']}/cancel")
    refused_retry = house.submit(dataset_id, name="third")
    refused(house.client.post(f"/v1/jobs/{first['id']}/retry"), "queue_full")
    house.client.post(f"/v1/jobs/{refused_retry['id']}/cancel")
    assert house.client.post(f"/v1/jobs/{first['id']}/retry").status_code == 202


def test_a_request_that_is_repeated_is_answered_though_the_queue_is_full(serve: Serve) -> None:
    house = serve(limit_unfinished_jobs=1)
    dataset_id = house.ready_dataset()
    body = {"dataset_id": dataset_id, "real_counts": [10]}
    once = {"Idempotency-Key": "1"}
    first = house.client.post("/v1/jobs", json=body, headers=once)
    again = house.client.post("/v1/jobs", json=body, headers=once)
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json()["id"] == again.json()["id"]


def test_of_many_jobs_at_once_no_more_than_allowed_get_through(serve: Serve) -> None:
    house = serve(limit_unfinished_jobs=3)
    dataset_id = house.ready_dataset()
    statuses: list[int] = []

    def send(number: int) -> None:
        body = {"dataset_id": dataset_id, "real_counts": [10], "name": str(number)}
        statuses.append(house.client.post("/v1/jobs", json=body).status_code)

    threads = [threading.Thread(target=send, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [202] * 3 + [429] * 3
    with house.database.read() as session:
        unfinished = session.query(Job).where(Job.status.in_(["queued", "running"])).count()
    assert unfinished == 3


def test_images_of_a_model_are_jobs_too(serve: Serve) -> None:
    house = serve(limit_unfinished_jobs=1)
    model = house.model(house.finished_job())
    assert house.client.post(model["links"]["images"], json={"seeds": [1]}).status_code == 202
    refused(house.client.post(model["links"]["images"], json={"seeds": [2]}), "queue_full")
    dry = house.client.post(f"{model['links']['images']}?dry_run=true", json={"seeds": [2]})
    assert dry.status_code == 200


def test_a_key_can_have_less_than_its_workspace(serve: Serve) -> None:
    house = serve()
    small = key(house, limits={"unfinished_jobs": 1, "requests_per_minute": 5})
    dataset_id = house.ready_dataset()
    house.submit(dataset_id, name="admin's")
    for number, status in ((1, 202), (2, 429)):
        body = {"dataset_id": dataset_id, "real_counts": [10], "name": f"small {number}"}
        answer = house.client.post("/v1/jobs", json=body, headers=small)
        assert answer.status_code == status
    refused(answer, "queue_full", "key-unfinished-jobs")
    house.submit(dataset_id, name="admin's second")
    assert answer.headers["ratelimit-policy"].startswith('"key";q=5;')


def test_of_two_that_both_saw_room_one_is_refused_behind_the_line_in_the_trail(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On PostgreSQL two transactions do not see each other; here neither looks.
    monkeypatch.setattr(Quotas, "refuse_new_job", lambda *_: None)
    monkeypatch.setattr(Quotas, "upload_room", lambda _: UploadRoom())
    size = len(serve().small_zip())
    house = serve(limit_unfinished_jobs=1, limit_upload_bytes_per_day=size)
    dataset_id = house.ready_dataset()
    sent = house.client.post("/v1/datasets", content=house.small_zip(), headers=ZIP)
    refused(sent, "upload_quota")
    house.submit(dataset_id)
    body = {"dataset_id": dataset_id, "real_counts": [10], "name": "second"}
    refused(house.client.post("/v1/jobs", json=body), "queue_full")
    # Nothing of them is left.
    lines = house.client.get("/v1/audit?order=oldest").json()["items"]
    assert [line["action"] for line in lines] == ["key.create", "dataset.create", "job.submit"]
    [used] = [
        one for one in house.client.get("/v1/usage").json()["items"] if "bytes" in one["kind"]
    ]
    assert used["amount"] == size


# --- GPU time --------------------------------------------------------------------------------


def book_gpu(house: Any, minutes: float, day: datetime) -> None:
    with house.database.write() as session:
        workspace_id = session.query(Workspace).filter_by(name="default").one().id
        ledger = UsageLedger(session, workspace_id)
        ledger.book("gpu_seconds", "key_x", minutes * 60, day=f"{day:%Y-%m-%d}")


def test_once_the_days_gpu_minutes_are_used_no_job_that_needs_one_is_taken(serve: Serve) -> None:
    house = serve(limit_gpu_minutes_per_day=10)
    dataset_id = house.ready_dataset()
    book_gpu(house, 30, utc_now() - timedelta(days=1))
    book_gpu(house, 9.9, utc_now())
    taken = house.submit(dataset_id, gans=[{"name": "infogan"}])
    book_gpu(house, 0.2, utc_now())
    body = {"dataset_id": dataset_id, "real_counts": [10], "gans": [{"name": "infogan"}]}
    body["name"] = "late"
    answer = house.client.post("/v1/jobs", json=body)
    seconds = refused(answer, "gpu_quota", "workspace-gpu-minutes")
    assert abs(seconds - seconds_to_midnight()) < 60
    # What reads an upload needs none; and what was taken goes on.
    house.upload("more")
    assert house.claim_next(taken["id"]) is not None


def test_a_step_at_work_counts_before_it_is_over(serve: Serve) -> None:
    house = serve(limit_gpu_minutes_per_month=10)
    job = house.submit(house.ready_dataset(), gans=[{"name": "infogan"}])
    while True:
        claimed = house.claim_next(job["id"])
        assert claimed is not None
        if claimed.queue == "gpu":
            break
        house.finish(claimed)
    [limit] = [
        one
        for one in house.client.get("/v1/limits").json()["items"]
        if one["name"] == "gpu_minutes_per_month"
    ]
    assert limit["used"] < 1
    with house.database.write() as session:
        session.get_one(Step, claimed.id).started_at = utc_now() - timedelta(minutes=11)
    if utc_now().day > 1 or utc_now().hour > 0:
        answer = house.client.post(f"/v1/models/{'art_none'}/images")
        assert answer.status_code == 404
        body = {"dataset_id": job["dataset_id"], "real_counts": [10], "name": "x"}
        body["gans"] = [{"name": "infogan"}]
        refused(house.client.post("/v1/jobs", json=body), "gpu_quota")


# --- looking at it, and changing it ----------------------------------------------------------


def by_name(answer: Any) -> dict[tuple[str, str], dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    return {(one["name"], one["scope"]): one for one in answer.json()["items"]}


def test_limits_tell_what_is_left_and_when_it_frees(serve: Serve) -> None:
    house = serve(limit_upload_bytes_per_day=100_000, limit_gpu_minutes_per_day=60)
    house.upload()
    size = len(house.small_zip())
    found = by_name(house.client.get("/v1/limits"))
    uploads = found["upload_bytes_per_day", "workspace"]
    assert (uploads["limit"], uploads["used"], uploads["left"]) == (100_000, size, 100_000 - size)
    frees_at = datetime.fromisoformat(uploads["frees_at"])
    assert abs((frees_at - datetime.now(UTC)).total_seconds() - seconds_to_midnight()) < 5
    assert found["unfinished_jobs", "workspace"]["used"] == 1
    assert found["requests_per_minute", "key"]["used"] == 2
    assert ("gpu_minutes_per_month", "workspace") not in found


def test_an_administrator_lowers_limits_and_takes_that_back_but_raises_none(serve: Serve) -> None:
    house = serve(limit_unfinished_jobs=10)

    def patch(**limits: Any) -> Any:
        return house.client.patch("/v1/limits", json={"limits": limits})

    assert by_name(patch(unfinished_jobs=3))["unfinished_jobs", "workspace"]["limit"] == 3
    found = by_name(patch(upload_bytes_per_day=5))
    assert found["unfinished_jobs", "workspace"]["limit"] == 3
    assert found["upload_bytes_per_day", "workspace"]["limit"] == 5
    high = patch(unfinished_jobs=11)
    assert (high.status_code, high.json()["code"]) == (422, "limit_too_high")
    assert by_name(patch(unfinished_jobs=None))["unfinished_jobs", "workspace"]["limit"] == 10
    for bad in ({"unfinished_jobs": 0}, {"unfinished_jobs": "many"}, {"colour": 3}):
        assert patch(**bad).status_code == 422
    made = house.client.post("/v1/keys", json={"name": "n", "limits": {"unfinished_jobs": 11}})
    assert (made.status_code, made.json()["code"]) == (422, "limit_too_high")
    assert (
        house.client.patch("/v1/limits", json={"limits": {}}, headers=key(house)).status_code == 403
    )


def test_a_keys_limits_are_shown_with_it(serve: Serve) -> None:
    house = serve()
    key(house, limits={"unfinished_jobs": 1})
    newest, oldest = house.client.get("/v1/keys").json()["items"]
    assert (newest["limits"], oldest["limits"]) == ({"unfinished_jobs": 1}, {})


def test_usage_is_by_day_and_kind_and_only_administrators_see_by_whom(
    serve: Serve, stranger: TestClient
) -> None:
    house = serve()
    house.upload()
    book_gpu(house, 2, utc_now())
    mine = house.client.get("/v1/usage").json()["items"]
    today = f"{utc_now():%Y-%m-%d}"
    assert [(one["day"], one["kind"], one["amount"]) for one in mine] == [
        (today, "gpu_seconds", 120.0),
        (today, "upload_bytes", len(house.small_zip())),
    ]
    assert all(one["actor"].startswith("key_") for one in mine)
    theirs = house.client.get("/v1/usage", headers=key(house, "reader")).json()["items"]
    assert [(one["kind"], one["actor"]) for one in theirs] == [
        ("gpu_seconds", None),
        ("upload_bytes", None),
    ]
    assert stranger.get("/v1/usage").json()["items"] == []


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({"from": "2026-11-01", "to": "2026-11-30"}, 200),
        ({"to": "0001-01-01"}, 200),
        ({"from": "2026-11-30", "to": "2026-11-01"}, 422),
        ({"from": "2020-01-01"}, 422),
        ({"from": "yesterday"}, 422),
    ],
)
def test_usage_is_asked_for_by_days(client: TestClient, params: Any, status: int) -> None:
    assert client.get("/v1/usage", params=params).status_code == status
