"""Listening to a job's events."""

from __future__ import annotations

import json

import httpx
import pytest
from scripted_service import Service, client_of, job, problem, stream

from graft.client import ApiError
from graft.client.sse import EventParser


def test_an_event_stream_is_parsed_as_the_standard_says() -> None:
    parser = EventParser()
    text = ': hello\r\nretry: 1500\nid: 7\nevent: progress\ndata: {"a":\ndata: 1}\n\nid: 8\n\n'
    events = [event for line in text.splitlines() if (event := parser.feed(line)) is not None]
    assert [(e.id, e.event, e.data) for e in events] == [("7", "progress", {"a": 1})]
    assert parser.retry_seconds == 1.5
    assert parser.headers()["Last-Event-ID"] == "8"


def test_events_go_on_after_the_last_one_that_was_seen() -> None:
    service = Service(
        stream((1, "queued"), (2, "running")),
        httpx.Response(200, json=job()),
        stream((3, "succeeded")),
    )
    events = list(client_of(service).jobs.events("job_1"))
    assert [event.id for event in events] == ["1", "2", "3"]
    assert service.requests[2].headers["last-event-id"] == "2"


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
