"""One request, followed by its id through the API's log and the worker's; and what no log holds."""

from __future__ import annotations

import io
import json
import logging
import socket
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import structlog
from fastapi.testclient import TestClient
from PIL import Image
from sqlalchemy import select

import migrations
from api.app import create_app
from store.bootstrap import ensure_admin
from store.database import Database
from store.doorbell import DoorbellSilent
from store.logs import configure_logs
from store.objects import Objects
from store.records import ClaimedStep
from store.settings import Settings, prepare
from store.step_tables import Step
from store.tables import Job
from worker.running import StepRunner
from worker.shared import SharedState
from worker.telling import log_context, without_names

REQUEST_ID = "portal-4711"
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE_ID}-00f067aa0ba902b7-01"
FILE_NAME = "KIM-MINSEO-1961"
CLASS_NAME = "melanoma_of_mrs_park"


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """Everything that is logged, as it is written in production."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    configure_logs(Settings(log_level="DEBUG"))
    stream = io.StringIO()
    (handler,) = root.handlers
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(stream)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Any]:
    """The API and a worker on one data directory, without a broker between them."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        silent = probe.getsockname()[1]
    settings = prepare(
        Settings(
            data_dir=tmp_path / "data",
            redis_url=f"redis://127.0.0.1:{silent}/0",
            device="cpu",
            threads=1,
        )
    )
    migrations.upgrade(settings.resolved_database_url())
    database = Database.from_settings(settings)
    key = ensure_admin(database, settings)
    app = create_app(settings, database=database)
    with TestClient(app, headers={"Authorization": f"Bearer {key}"}) as client:
        yield settings, database, client, key
    database.dispose()


class Bell:
    def ring(self, queue: str, step_id: str) -> None:
        raise DoorbellSilent(f"cannot ring {queue} for {step_id}")


def planted_zip(*, broken: bool = False) -> bytes:
    buffer = io.BytesIO()
    generator = np.random.default_rng(0)
    with zipfile.ZipFile(buffer, "w") as archive:
        for split, count in {"train": 6, "test": 3}.items():
            for name in (CLASS_NAME, "benign"):
                for number in range(count):
                    image = io.BytesIO()
                    pixels = generator.integers(0, 255, (32, 32, 3)).astype(np.uint8)
                    Image.fromarray(pixels).save(image, "PNG")
                    body = b"no image" if broken else image.getvalue()
                    archive.writestr(f"{split}/{name}/{FILE_NAME}-{number}.png", body)
    return buffer.getvalue()


def upload(client: Any, body: bytes) -> Any:
    answer = client.post(
        "/v1/datasets?name=Mrs%20Park",
        content=body,
        headers={
            "Content-Type": "application/zip",
            "X-Request-ID": REQUEST_ID,
            "traceparent": TRACEPARENT,
        },
    )
    assert answer.status_code == 202, answer.text
    return answer.json()["links"]["ingest"].rsplit("/", 1)[-1]


def run_queued(house: Any, job_id: str) -> str:
    settings, database, _client, _key = house
    with database.read() as session:
        (step_id,) = session.scalars(select(Step.id).where(Step.job_id == job_id))
    runner = StepRunner(settings, database, Objects.from_settings(settings), Bell(), SharedState())
    return runner.run(step_id)


@pytest.mark.parametrize("broken", [False, True])
def test_a_request_is_followed_by_its_id_and_no_line_tells_a_name_or_a_key(
    house: Any, written: io.StringIO, broken: bool
) -> None:
    _settings, database, client, key = house
    job_id = upload(client, planted_zip(broken=broken))
    with database.read() as session:
        job = session.get_one(Job, job_id)
        assert (job.request_id, job.traceparent) == (REQUEST_ID, TRACEPARENT)
    word = run_queued(house, job_id)
    assert word == ("failed" if broken else "done")
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    ours = [line for line in lines if line.get("request_id") == REQUEST_ID]
    events = [line["event"] for line in ours]
    assert events.count("request") == 1
    assert {"step_started", "step_ended"} <= set(events)
    for line in ours:
        assert line["trace_id"] == TRACE_ID
        if line["event"].startswith("step_"):
            assert line["job_id"] == job_id
            assert line["step_id"].startswith("step_")
    # The next request's lines do not carry on with these.
    client.get("/v1/jobs")
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert {line["request_id"] for line in lines if line["event"] == "request"} > {REQUEST_ID}
    for planted in (FILE_NAME, CLASS_NAME, "Park", key, key.split("_")[-1]):
        assert planted not in written.getvalue()


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (TRACEPARENT, TRACEPARENT),
        (f"cc-{TRACE_ID}-00f067aa0ba902b7-01-more", TRACEPARENT),
        (TRACEPARENT + "-more", None),
        (f"ff-{TRACE_ID}-00f067aa0ba902b7-01", None),
        (f"00-{'0' * 32}-00f067aa0ba902b7-01", None),
        (f"00-{TRACE_ID}-{'0' * 16}-01", None),
        (TRACEPARENT.upper(), None),
        ('"; drop table', None),
    ],
)
def test_only_a_valid_traceparent_is_gone_on_with(
    house: Any, written: io.StringIO, sent: str, kept: str | None
) -> None:
    from store.tracing import parent_of

    assert parent_of(sent) == kept
    _settings, _database, client, _key = house
    client.get("/v1/jobs", headers={"traceparent": sent})
    *_, line = [json.loads(line) for line in written.getvalue().splitlines()]
    assert line.get("trace_id") == (None if kept is None else TRACE_ID)


def claimed(classes: dict[str, Any] | None) -> ClaimedStep:
    from datetime import UTC, datetime

    from gan_core.spec import DatasetFacts

    facts = None
    if classes is not None:
        facts = DatasetFacts(digest="d", image_size=64, classes=classes)
    return ClaimedStep(
        *("step_1", "job_1", "ws_1", "ds_1", "train:infogan", "train", "gpu", "k"),
        *({}, 1, "t", "p/", {}, {}, facts, datetime.now(UTC)),
    )


def test_a_crashed_childs_words_are_logged_without_the_names_of_classes() -> None:
    words = ["Traceback (most recent call last):", f"KeyError: '{CLASS_NAME}' of {CLASS_NAME}s"]
    step = claimed({CLASS_NAME: {"train": 5}, "b": {"train": 5}})
    assert without_names(words, step) == [words[0], f"KeyError: '<class>' of {CLASS_NAME}s"]


def test_of_a_crash_while_an_upload_is_read_only_where_and_what_kind_is_logged() -> None:
    words = [
        "Traceback (most recent call last):",
        '  File "gan_core/reading/images.py", line 7, in read',
        f"    open({FILE_NAME})",
        f"gan_core.spec.errors.GraftError: {FILE_NAME} is odd",
        f"{FILE_NAME}",
    ]
    assert without_names(words, claimed(None)) == [
        words[0],
        words[1],
        "gan_core.spec.errors.GraftError",
    ]


def test_a_job_that_no_request_asked_for_has_lines_without_one() -> None:
    assert set(log_context(claimed(None))) == {"workspace_id", "job_id", "step_id", "step_name"}
