"""Both clients against a small service that misbehaves on demand."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from scripted_service import (
    CONTENT,
    QUICK,
    URL,
    Service,
    artifact,
    async_client_of,
    broken_after,
    client_of,
    dataset,
    job,
    problem,
    ranged,
    stream,
)

from gan_core.spec.errors import GraftError
from graft.client import ApiError, Client
from graft.client.errors import retry_after
from graft.client.flow import Patience, Send


def test_every_request_carries_the_key() -> None:
    service = Service(httpx.Response(200, json=job()))
    client_of(service).jobs.get("job_1")
    assert service.requests[0].headers["authorization"] == "Bearer graft_k"


@pytest.mark.parametrize("key", ["", "graft_a\ngraft_b", "graft_é", "graft_a b"])
def test_a_key_that_no_header_can_carry_is_told_without_showing_it(key: str) -> None:
    with pytest.raises(GraftError) as caught:
        Client(URL, key=key)
    assert caught.value.code == "key_unusable"
    assert key == "" or key not in str(caught.value) + caught.value.hint


@pytest.mark.parametrize("name", ["../../v1/keys", "job_1?x=y", "job_1/cancel", "", ".."])
def test_what_is_no_id_never_becomes_an_address(name: str) -> None:
    service = Service(httpx.Response(200, json=job()))
    client = client_of(service)
    calls: list[Callable[[], object]] = [
        lambda: client.jobs.get(name),
        lambda: client.jobs.cancel(name),
        lambda: client.jobs.results(name),
        lambda: client.jobs.wait(name),
        lambda: client.jobs.events(name),
        lambda: client.datasets.get(name),
        lambda: client.datasets.wait(name),
        lambda: client.keys.revoke(name),
        lambda: client.models.get(name),
        lambda: client.models.make_images(name, {}),
        lambda: client.jobs.retry(name),
        lambda: client.jobs.delete(name),
        lambda: client.datasets.delete(name),
    ]
    for call in calls:
        with pytest.raises(GraftError, match="is not an id"):
            call()
    assert service.requests == []


def test_a_problem_document_becomes_an_error_with_its_parts() -> None:
    service = Service(problem(422, "real_count_too_large"))
    with pytest.raises(ApiError) as caught:
        client_of(service).jobs.submit({"dataset_id": "ds_1"})
    error = caught.value
    assert (error.code, error.status, error.title) == ("real_count_too_large", 422, "Unprocessable")
    assert (error.detail, error.hint) == ("It cannot be.", "Try less.")
    assert error.type == "urn:graft:problem:real_count_too_large"
    assert len(service.requests) == 1
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert (copy.code, copy.status, copy.hint) == (error.code, error.status, error.hint)


def test_an_answer_from_some_other_program_is_told_as_such() -> None:
    with pytest.raises(ApiError, match="no explanation"):
        client_of(Service(httpx.Response(404, text="<html>"))).jobs.get("x")
    with pytest.raises(ApiError) as caught:
        client_of(Service(httpx.Response(200, text="<html>"))).jobs.get("x")
    assert caught.value.code == "unexpected_answer"


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_busy_service_is_asked_again_after_the_time_it_asks_for(status: int) -> None:
    busy = problem(status, "busy", **{"Retry-After": "0"})
    service = Service(busy, busy, httpx.Response(200, json=job()))
    assert client_of(service).jobs.get("job_1").id == "job_1"
    assert len(service.requests) == 3


def test_a_submission_whose_first_try_is_still_under_way_is_waited_for() -> None:
    still = problem(409, "request_under_way", **{"Retry-After": "0"})
    service = Service(httpx.ReadError("broke"), still, httpx.Response(202, json=job("queued")))
    assert client_of(service).jobs.submit({"dataset_id": "ds_1"}).id == "job_1"
    assert len({request.headers["idempotency-key"] for request in service.requests}) == 1
    other = Service(problem(409, "dataset_not_ready", **{"Retry-After": "0"}))
    with pytest.raises(ApiError, match="cannot be"):
        client_of(other).jobs.submit({"dataset_id": "ds_1"})
    assert len(other.requests) == 1


def test_a_quota_of_the_day_is_told_at_once_and_not_waited_for() -> None:
    service = Service(problem(429, "upload_quota", **{"Retry-After": "3600"}))
    with pytest.raises(ApiError) as caught:
        client_of(service).jobs.get("job_1")
    assert (caught.value.code, len(service.requests)) == ("upload_quota", 1)


def test_patience_has_an_end() -> None:
    service = Service(problem(503, "busy", **{"Retry-After": "0"}))
    with pytest.raises(ApiError) as caught:
        client_of(service).jobs.get("job_1")
    assert caught.value.code == "busy"
    assert len(service.requests) == 4


def test_a_service_that_is_not_there_is_one_clear_error() -> None:
    service = Service(httpx.ConnectError("refused"))
    with pytest.raises(ApiError, match="does not answer") as caught:
        client_of(service).jobs.get("job_1")
    assert caught.value.code == "unreachable"
    assert caught.value.status == 0
    assert "graft serve" in caught.value.hint


def test_a_submission_that_is_tried_again_is_the_same_submission() -> None:
    service = Service(httpx.ReadError("broke"), httpx.Response(202, json=job("queued")))
    client_of(service).jobs.submit({"dataset_id": "ds_1"})
    first, second = (r.headers["idempotency-key"] for r in service.requests)
    assert first == second
    client_of(service).jobs.submit({"dataset_id": "ds_1"})
    assert service.requests[-1].headers["idempotency-key"] != first


def test_what_makes_something_is_sent_again_under_one_key_of_its_own() -> None:
    """Whatever it is: the service then makes it once."""
    made = {"id": "x_1", "status": "pending", "message_id": "m", "type": "t", "replayed": 1}
    made |= {"url": "u", "secret": "s", "key": "k"}
    calls: list[Callable[[Client, str | None], object]] = [
        lambda c, k: c.keys.create("portal", idempotency_key=k),
        lambda c, k: c.keys.rotate("key_1", idempotency_key=k),
        lambda c, k: c.webhooks.create("https://p.example.org/", idempotency_key=k),
        lambda c, k: c.webhooks.rotate_secret("wh_1", idempotency_key=k),
        lambda c, k: c.webhooks.test("wh_1", idempotency_key=k),
        lambda c, k: c.webhooks.replay("wh_1", "dlv_1", idempotency_key=k),
        lambda c, k: c.webhooks.replay_failed("wh_1", idempotency_key=k),
    ]
    for call in calls:
        service = Service(httpx.ReadError("broke"), httpx.Response(201, json=made))
        client = client_of(service)
        call(client, None)
        first, again = (request.headers["idempotency-key"] for request in service.requests)
        assert first == again
        call(client, "of-mine")
        assert service.requests[-1].headers["idempotency-key"] == "of-mine"
        call(client, None)
        assert service.requests[-1].headers["idempotency-key"] not in {first, "of-mine"}


@pytest.mark.parametrize("lost", [httpx.ReadError("broke"), httpx.Response(502)])
def test_a_post_without_a_key_is_sent_again_only_if_it_never_arrived(lost: Any) -> None:
    fine = httpx.Response(200, json=job())
    service = Service(lost, fine)
    client = client_of(service)
    with pytest.raises(ApiError):
        client.run(client.calls.send(Send("POST", "/v1/somewhere")))
    assert len(service.requests) == 1
    for refused in (httpx.ConnectError("refused"), httpx.Response(503)):
        service = Service(refused, fine)
        client = client_of(service)
        client.run(client.calls.send(Send("POST", "/v1/somewhere")))
        assert len(service.requests) == 2


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7.0), ("-3", 0.0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0), ("soon", None)],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(header: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": header}) == seconds


def test_waiting_sends_the_etag_back_and_tells_every_change() -> None:
    headers = {"ETag": '"1"', "Retry-After": "0"}
    service = Service(
        httpx.Response(200, json=job(), headers=headers),
        httpx.Response(304, headers=headers),
        httpx.Response(200, json=job("succeeded")),
    )
    seen: list[str] = []
    done = client_of(service).jobs.wait(
        "job_1", on_update=lambda j: seen.append(j.status), poll_seconds=0.001
    )
    assert done.is_over
    assert seen == ["running", "succeeded"]
    assert service.requests[1].headers["if-none-match"] == '"1"'


def test_waiting_can_be_limited() -> None:
    service = Service(httpx.Response(200, json=job()))
    with pytest.raises(ApiError) as caught:
        client_of(service).jobs.wait("job_1", timeout=0.01, poll_seconds=0.005)
    assert caught.value.code == "wait_timed_out"


def test_the_async_client_does_all_of_it_too(tmp_path: Path) -> None:
    path = tmp_path / "set.zip"
    path.write_bytes(b"PK" * 1000)
    listed = {"items": [artifact().model_dump()], "next_cursor": None}
    service = Service(
        httpx.ConnectError("refused"),
        httpx.Response(202, json=dataset()),
        httpx.Response(200, json=dataset("ready"), headers={"Retry-After": "0"}),
        httpx.Response(202, json=job("queued")),
        stream((1, "queued"), (2, "succeeded")),
        httpx.Response(200, json=job("succeeded")),
        httpx.Response(200, json=listed),
        broken_after(1000),
        ranged(CONTENT),
    )

    async def study() -> list[str | None]:
        async with async_client_of(service) as client:
            uploaded = await client.datasets.upload(path)
            ready = await client.datasets.wait(uploaded)
            submitted = await client.jobs.submit({"dataset_id": ready.id})
            seen = [event.id async for event in client.jobs.events(submitted)]
            done = await client.jobs.wait(submitted)
            await client.artifacts.download_all(done, tmp_path / "out")
            return seen

    assert asyncio.run(study()) == ["1", "2"]
    assert service.requests[1].content == path.read_bytes()
    assert (tmp_path / "out" / "synthetic.zip").read_bytes() == CONTENT


def test_deleting_and_retrying_say_what_they_mean() -> None:
    service = Service(
        httpx.Response(202, json=job("queued") | {"retry_of": "job_0"}),
        httpx.Response(204),
        httpx.Response(204),
        httpx.Response(204),
    )
    client = client_of(service)
    assert client.jobs.retry("job_0").retry_of == "job_0"
    client.jobs.delete("job_1")
    client.datasets.delete("ds_1")
    client.datasets.delete("ds_1", with_jobs=True)
    said = [(request.method, str(request.url).removeprefix(URL)) for request in service.requests]
    assert said == [
        ("POST", "/v1/jobs/job_0/retry"),
        ("DELETE", "/v1/jobs/job_1"),
        ("DELETE", "/v1/datasets/ds_1"),
        ("DELETE", "/v1/datasets/ds_1?with_jobs=true"),
    ]
    assert service.requests[0].headers["idempotency-key"]


@pytest.mark.parametrize("lost", [httpx.ReadTimeout("lost"), httpx.Response(504)])
def test_a_delete_whose_answer_got_lost_has_been_done_when_nothing_is_left(lost: Any) -> None:
    service = Service(lost, problem(404, "not_found"))
    client_of(service).jobs.delete("job_1")
    assert len(service.requests) == 2


@pytest.mark.parametrize("before", [httpx.ConnectError("refused"), httpx.Response(503)])
def test_a_delete_of_what_was_never_there_is_told(before: Any) -> None:
    service = Service(before, problem(404, "not_found"))
    with pytest.raises(ApiError) as caught:
        client_of(service).jobs.delete("job_1")
    assert caught.value.code == "not_found"


def test_the_async_client_deletes_and_retries_too() -> None:
    service = Service(
        httpx.Response(202, json=job("queued")), httpx.Response(204), httpx.Response(204)
    )

    async def tidy() -> None:
        async with async_client_of(service) as client:
            await client.jobs.delete(await client.jobs.retry("job_0"))
            await client.datasets.delete("ds_1", with_jobs=True)

    asyncio.run(tidy())
    assert [request.method for request in service.requests] == ["POST", "DELETE", "DELETE"]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, "NotAuthenticatedError"),
        (403, "NotAllowedError"),
        (404, "NotFoundError"),
        (409, "ConflictError"),
        (410, "GoneError"),
        (413, "InvalidError"),
        (422, "InvalidError"),
        (429, "LimitReachedError"),
        (500, "UnavailableError"),
        (503, "UnavailableError"),
        (507, "UnavailableError"),
    ],
)
def test_a_refusal_has_a_type_and_the_request_by_which_the_logs_know_it(
    status: int, kind: str
) -> None:
    headers = {"X-Request-ID": "abc", "Retry-After": "3600"}
    transport = httpx.MockTransport(Service(problem(status, "some_code", **headers)))
    client = Client(URL, patience=Patience(retries=0), transport=transport)
    with pytest.raises(ApiError) as caught:
        client.jobs.submit({})
    error = caught.value
    assert (type(error).__name__, error.code, error.status) == (kind, "some_code", status)
    assert (error.request_id, error.retry_after) == ("abc", 3600)
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert (type(copy), copy.request_id) == (type(error), "abc")


def test_waiting_outlasts_a_restart_that_a_single_question_does_not() -> None:
    gone = [httpx.ConnectError("refused")] * (QUICK.retries + 1)
    service = Service(
        httpx.Response(200, json=job()), *gone, httpx.Response(200, json=job("failed"))
    )
    assert client_of(service).jobs.wait("job_1", poll_seconds=0.001).status == "failed"
    with pytest.raises(ApiError, match="does not answer"):
        client_of(Service(*gone, httpx.Response(200, json=job()))).jobs.get("job_1")


def test_a_list_can_be_gone_through_page_by_page() -> None:
    pages = [
        {"items": [job() | {"id": "job_1"}], "next_cursor": "c"},
        {"items": [job() | {"id": "job_2"}], "next_cursor": None},
    ]
    service = Service(*(httpx.Response(200, json=page) for page in pages * 2))
    client = client_of(service)
    assert [j.id for j in client.each(client.jobs.list, status="failed")] == ["job_1", "job_2"]
    assert dict(service.requests[1].url.params)["cursor"] == "c"

    async def all_of() -> list[str]:
        async with async_client_of(service) as asked:
            return [j.id async for j in asked.each(asked.jobs.list)]

    assert asyncio.run(all_of()) == ["job_1", "job_2"]


def test_the_time_until_a_connection_counts_as_dead_can_be_chosen() -> None:
    seen: list[Any] = []

    def look(request: httpx.Request) -> httpx.Response:
        seen.append(request.extensions["timeout"]["read"])
        return httpx.Response(200, json=job())

    Client(URL, timeout=7, transport=httpx.MockTransport(look)).jobs.get("job_1")
    assert seen == [7]


def test_the_types_are_there_for_programs_that_use_the_client() -> None:
    import graft

    assert (Path(graft.__file__).parent / "py.typed").is_file()
