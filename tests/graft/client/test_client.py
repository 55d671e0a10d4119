"""Both clients against a small service that misbehaves on demand."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import pickle
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest

from gan_core.reading import layout
from gan_core.spec.errors import GraftError
from graft.client import ApiError, Artifact, AsyncClient, Client
from graft.client.errors import retry_after
from graft.client.flow import Patience, Send
from graft.client.sse import EventParser
from graft.client.transfer import IMAGE_SUFFIXES

URL = "http://127.0.0.1:1"
QUICK = Patience(retries=3, first_wait=0.001)
Handler = Callable[[httpx.Request], httpx.Response]


class Service:
    """Answers from a script, and keeps what was asked."""

    def __init__(self, *answers: httpx.Response | Exception | Handler) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        request.read()
        return self._answer(request)

    async def answer(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        return self._answer(request)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, httpx.Response) else answer(request)


def client_of(service: Service) -> Client:
    return Client(URL, key="graft_k", patience=QUICK, transport=httpx.MockTransport(service))


def async_client_of(service: Service) -> AsyncClient:
    transport = httpx.MockTransport(service.answer)
    return AsyncClient(URL, key="graft_k", patience=QUICK, transport=transport)


def job(status: str = "running", **more: Any) -> dict[str, Any]:
    return {"id": "job_1", "status": status, "progress": {"fraction": 0.5}, **more}


def problem(status: int, code: str, **headers: str) -> httpx.Response:
    document = {
        "type": f"urn:graft:problem:{code}",
        "title": "Unprocessable",
        "status": status,
        "detail": "It cannot be.",
        "hint": "Try less.",
        "code": code,
    }
    return httpx.Response(status, json=document, headers=headers)


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


# --- uploads --------------------------------------------------------------------------------------


def folder_of_images(tmp_path: Path) -> Path:
    for name in ("train/a/1.png", "train/b/2.png", "test/a/3.png", ".DS_Store", "__MACOSX/x"):
        path = tmp_path / "set" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode() * 10)
    return tmp_path / "set"


def dataset(status: str = "ingesting") -> dict[str, Any]:
    return {"id": "ds_1", "name": "set", "status": status, "sha256": "0" * 64}


def test_a_folder_is_packed_the_same_way_every_time_and_without_clutter(tmp_path: Path) -> None:
    service = Service(httpx.Response(202, json=dataset()))
    told: list[tuple[int, int]] = []
    folder = folder_of_images(tmp_path)
    for _ in range(2):
        client_of(service).datasets.upload(
            folder, image_size=64, on_bytes=lambda d, t: told.append((d, t))
        )
    first, second = (request.content for request in service.requests)
    assert first == second
    with zipfile.ZipFile(BytesIO(first)) as archive:
        assert archive.namelist() == ["test/a/3.png", "train/a/1.png", "train/b/2.png"]
    request = service.requests[0]
    assert request.headers["content-type"] == "application/zip"
    assert int(request.headers["content-length"]) == len(first)
    assert dict(request.url.params) == {"name": "set", "image_size": "64"}
    assert told[-1] == (len(first), len(first))


def test_of_a_folder_nothing_but_images_leaves_this_machine(tmp_path: Path) -> None:
    folder = folder_of_images(tmp_path)
    (folder / "train" / "patients.xlsx").write_bytes(b"names")
    (folder / "notes.csv").write_bytes(b"names")
    (folder / "train" / "b" / "SCAN.JPEG").write_bytes(b"image")
    (tmp_path / "elsewhere.png").write_bytes(b"of somebody else")
    (folder / "train" / "a" / "link.png").symlink_to(tmp_path / "elsewhere.png")
    left_out: list[int] = []
    service = Service(httpx.Response(202, json=dataset()))
    client_of(service).datasets.upload(folder, on_left_out=left_out.append)
    with zipfile.ZipFile(BytesIO(service.requests[0].content)) as archive:
        assert sorted(archive.namelist()) == [
            "test/a/3.png",
            "train/a/1.png",
            "train/b/2.png",
            "train/b/SCAN.JPEG",
        ]
    assert left_out == [3]


def test_the_images_of_a_folder_are_what_the_service_reads_as_images() -> None:
    assert IMAGE_SUFFIXES == layout._IMAGES


def test_a_folder_with_other_files_alone_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "patients.csv").write_bytes(b"names")
    service = Service()
    with pytest.raises(GraftError, match="holds no images") as caught:
        client_of(service).datasets.upload(tmp_path / "set")
    assert caught.value.code == "empty_folder"
    assert service.requests == []


@pytest.mark.parametrize("where", ["a file", "a folder"])
def test_what_cannot_be_read_is_told_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    folder = folder_of_images(tmp_path)
    bad = folder / "train" / "b" / ("2.png" if where == "a file" else "")
    # Not by its mode: an administrator reads everything.
    real_open, real_scan = Path.open, os.scandir

    def open_(path: Path, *args: Any, **more: Any) -> Any:
        if path == bad:
            raise PermissionError(13, "Permission denied", str(path))
        return real_open(path, *args, **more)

    def scan(path: Any) -> Any:
        if Path(path) == bad:
            raise PermissionError(13, "Permission denied", str(path))
        return real_scan(path)

    monkeypatch.setattr(Path, "open", open_)
    monkeypatch.setattr(os, "scandir", scan)
    service = Service()
    with pytest.raises(GraftError, match="Permission denied") as caught:
        client_of(service).datasets.upload(folder)
    assert caught.value.code == "unreadable_file"
    assert str(bad) in caught.value.detail
    assert service.requests == []


def test_an_upload_that_broke_off_is_sent_again_whole(tmp_path: Path) -> None:
    path = tmp_path / "set.zip"
    path.write_bytes(b"PK" * 1000)
    service = Service(httpx.WriteError("broke"), httpx.Response(202, json=dataset()))
    client_of(service).datasets.upload(path)
    assert service.requests[1].content == path.read_bytes()


def test_what_is_not_there_cannot_be_uploaded(tmp_path: Path) -> None:
    from gan_core.spec.errors import GraftError

    client = client_of(Service(httpx.Response(202, json=dataset())))
    (tmp_path / "empty").mkdir()
    for name, code in {"nothing": "no_such_file", "empty": "empty_folder"}.items():
        with pytest.raises(GraftError) as caught:
            client.datasets.upload(tmp_path / name)
        assert caught.value.code == code


# --- downloads ------------------------------------------------------------------------------------

CONTENT = bytes(range(256)) * 40


def artifact(content: bytes = CONTENT, name: str = "synthetic.zip") -> Artifact:
    digest = hashlib.sha256(content).hexdigest()
    return Artifact(id="art_1", kind="synthetic-zip", name=name, size=len(content), sha256=digest)


def ranged(content: bytes) -> Handler:
    def answer(request: httpx.Request) -> httpx.Response:
        asked = request.headers.get("range")
        if asked is None:
            return httpx.Response(200, content=content)
        start = int(asked.removeprefix("bytes=").rstrip("-"))
        return httpx.Response(206, content=content[start:])

    return answer


def broken_after(count: int) -> Handler:
    class Broken(httpx.SyncByteStream, httpx.AsyncByteStream):
        def __iter__(self) -> Any:
            yield CONTENT[:count]
            raise httpx.ReadError("broke")

        async def __aiter__(self) -> Any:
            yield CONTENT[:count]
            raise httpx.ReadError("broke")

    return lambda _request: httpx.Response(200, stream=Broken())


def test_a_download_that_broke_off_goes_on_where_it_ended(tmp_path: Path) -> None:
    service = Service(broken_after(1000), ranged(CONTENT))
    target = tmp_path / "out" / "synthetic.zip"
    client_of(service).artifacts.download(artifact(), target)
    assert target.read_bytes() == CONTENT
    assert service.requests[1].headers["range"] == "bytes=1000-"
    assert [path.name for path in target.parent.iterdir()] == ["synthetic.zip"]


def test_what_an_earlier_program_left_is_gone_on_with_too(tmp_path: Path) -> None:
    target = tmp_path / "synthetic.zip"
    part = tmp_path / f".synthetic.zip.{artifact().sha256[:16]}.part"
    part.write_bytes(CONTENT[:500])
    service = Service(ranged(CONTENT))
    client_of(service).artifacts.download(artifact(), target)
    assert target.read_bytes() == CONTENT
    assert service.requests[0].headers["range"] == "bytes=500-"


def test_a_bad_beginning_is_thrown_away_once(tmp_path: Path) -> None:
    target = tmp_path / "synthetic.zip"
    part = tmp_path / f".synthetic.zip.{artifact().sha256[:16]}.part"
    part.write_bytes(b"\xff" * 500)
    client_of(Service(ranged(CONTENT))).artifacts.download(artifact(), target)
    assert target.read_bytes() == CONTENT


def test_other_bytes_than_promised_are_never_kept(tmp_path: Path) -> None:
    target = tmp_path / "synthetic.zip"
    service = Service(ranged(CONTENT[::-1]))
    with pytest.raises(ApiError) as caught:
        client_of(service).artifacts.download(artifact(), target)
    assert caught.value.code == "checksum_mismatch"
    assert list(tmp_path.iterdir()) == []


def test_a_signed_address_is_followed_without_the_key(tmp_path: Path) -> None:
    moved = httpx.Response(307, headers={"Location": "https://bucket.example/signed"})
    service = Service(moved, ranged(CONTENT))
    client_of(service).artifacts.download(artifact(), tmp_path / "synthetic.zip")
    assert service.requests[1].url.host == "bucket.example"
    assert "authorization" not in service.requests[1].headers


def test_a_name_from_the_service_cannot_leave_the_folder(tmp_path: Path) -> None:
    listed = {"items": [artifact(name="../../etc/x").model_dump()], "next_cursor": None}
    service = Service(httpx.Response(200, json=listed), ranged(CONTENT))
    paths = client_of(service).artifacts.download_all("job_1", tmp_path / "out")
    assert paths == [tmp_path / "out" / "x"]


def test_artifacts_of_one_name_are_numbered(tmp_path: Path) -> None:
    other = CONTENT[::-1]
    items = [artifact(name="model.json"), artifact(other, name="model.json")]
    listed = {"items": [item.model_dump() for item in items], "next_cursor": None}
    service = Service(httpx.Response(200, json=listed), ranged(CONTENT), ranged(other))
    paths = client_of(service).artifacts.download_all("job_1", tmp_path)
    assert [path.name for path in paths] == ["model.json", "model-2.json"]
    assert paths[1].read_bytes() == other


def test_what_is_there_already_is_not_fetched_again(tmp_path: Path) -> None:
    listed = {"items": [artifact().model_dump()], "next_cursor": None}
    (tmp_path / "synthetic.zip").write_bytes(CONTENT)
    service = Service(httpx.Response(200, json=listed))
    client_of(service).artifacts.download_all("job_1", tmp_path)
    assert len(service.requests) == 1


# --- events ---------------------------------------------------------------------------------------


def test_an_event_stream_is_parsed_as_the_standard_says() -> None:
    parser = EventParser()
    text = ': hello\r\nretry: 1500\nid: 7\nevent: progress\ndata: {"a":\ndata: 1}\n\nid: 8\n\n'
    events = [event for line in text.splitlines() if (event := parser.feed(line)) is not None]
    assert [(e.id, e.event, e.data) for e in events] == [("7", "progress", {"a": 1})]
    assert parser.retry_seconds == 1.5
    assert parser.headers()["Last-Event-ID"] == "8"


def stream(*events: tuple[int, str]) -> httpx.Response:
    text = "".join(
        f"retry: 1\nid: {number}\nevent: status\ndata: {json.dumps({'status': status})}\n\n"
        for number, status in events
    )
    return httpx.Response(200, text=text, headers={"Content-Type": "text/event-stream"})


def test_events_go_on_after_the_last_one_that_was_seen() -> None:
    service = Service(
        stream((1, "queued"), (2, "running")),
        httpx.Response(200, json=job()),
        stream((3, "succeeded")),
    )
    events = list(client_of(service).jobs.events("job_1"))
    assert [event.id for event in events] == ["1", "2", "3"]
    assert service.requests[2].headers["last-event-id"] == "2"


# --- the same for asyncio -------------------------------------------------------------------------


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


# --- what is told, and when something else is done -----------------------------------------------


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


def test_a_download_that_gets_on_is_not_given_up(tmp_path: Path) -> None:
    """Each connection brings a little: that is no failure, however many there are."""
    size = len(CONTENT) // 20 + 1

    def a_little(request: httpx.Request) -> httpx.Response:
        start = int(request.headers.get("range", "bytes=0-").removeprefix("bytes=").rstrip("-"))

        class Broken(httpx.SyncByteStream):
            def __iter__(self) -> Any:
                yield CONTENT[start : start + size]
                if start + size < len(CONTENT):
                    raise httpx.ReadError("broke")

        return httpx.Response(206 if start else 200, stream=Broken())

    service = Service(a_little)
    client_of(service).artifacts.download(artifact(), tmp_path / "out.zip")
    assert (tmp_path / "out.zip").read_bytes() == CONTENT
    assert len(service.requests) == 20 > QUICK.retries
    stuck = Service(broken_after(1000))
    with pytest.raises(ApiError, match="does not answer"):
        client_of(stuck).artifacts.download(artifact(), tmp_path / "other.zip")


def test_more_than_there_is_does_not_fill_the_disk(tmp_path: Path) -> None:
    service = Service(httpx.Response(200, content=CONTENT * 50))
    with pytest.raises(ApiError):
        client_of(service).artifacts.download(artifact(), tmp_path / "out.zip")
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= len(CONTENT)


def test_an_artifact_can_be_downloaded_by_its_id(tmp_path: Path) -> None:
    service = Service(httpx.Response(200, json=artifact().model_dump()), ranged(CONTENT))
    client_of(service).artifacts.download("art_1", tmp_path / "out.zip")
    assert [r.url.path for r in service.requests] == [
        "/v1/artifacts/art_1",
        "/v1/artifacts/art_1/content",
    ]


def test_an_event_counts_when_it_is_whole() -> None:
    """The end of a connection cuts one off; its id must not be what is gone on from."""
    cut = 'id: 1\ndata: {"status": "queued"}\n\nid: 2\ndata: {"status": "run'
    service = Service(
        httpx.Response(200, text=cut),
        httpx.Response(200, json=job()),
        stream((2, "running"), (3, "succeeded")),
    )
    events = list(client_of(service).jobs.events("job_1"))
    assert [(event.id, event.data["status"]) for event in events] == [
        ("1", "queued"),
        ("2", "running"),
        ("3", "succeeded"),
    ]
    assert service.requests[2].headers["last-event-id"] == "1"


def test_the_last_event_is_not_lost_where_the_job_is_over_before_it_came() -> None:
    service = Service(
        stream((1, "running")),
        httpx.Response(200, json=job("succeeded")),
        stream((2, "succeeded")),
    )
    assert [e.id for e in client_of(service).jobs.events("job_1")] == ["1", "2"]
    nothing_new = Service(
        httpx.Response(200, text=""), httpx.Response(200, json=job("failed")), stream()
    )
    assert list(client_of(nothing_new).jobs.events("job_1", last_event_id="9")) == []


def test_an_event_may_hold_any_character_that_json_may() -> None:
    data = json.dumps({"status": "succeeded", "detail": "a\u2028b\x85c"}, ensure_ascii=False)
    whole = f"\ufeffid: 1\r\ndata: {data}\r\n\r\n".removeprefix("\ufeff").encode()
    for cut in range(1, len(whole)):
        parser = EventParser()
        events = parser.take(whole[:cut]) + parser.take(whole[cut:])
        assert [event.data["detail"] for event in events] == ["a\u2028b\x85c"], cut


def test_a_service_that_starts_anew_does_not_end_the_listening() -> None:
    service = Service(
        problem(503, "busy", **{"Retry-After": "0"}),
        httpx.Response(200, json=job()),
        httpx.ConnectError("refused"),
        httpx.Response(200, json=job()),
        stream((1, "succeeded")),
    )
    assert [e.id for e in client_of(service).jobs.events("job_1")] == ["1"]
    refused = Service(problem(404, "not_found"))
    with pytest.raises(ApiError, match="cannot be"):
        list(client_of(refused).jobs.events("job_1"))
    assert len(refused.requests) == 1


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


def test_an_export_that_was_cut_off_leaves_no_file(tmp_path: Path) -> None:
    for body in (b'{"number": 1}\n{"numb', b"{}"):
        service = Service(httpx.Response(200, content=body))
        with pytest.raises(ApiError) as caught:
            client_of(service).audit.save(tmp_path / "trail.ndjson")
        assert caught.value.code == "export_incomplete"
    assert list(tmp_path.iterdir()) == []


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
