"""Traces: none without an endpoint, and a whole one from request to child where there is one."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from gan_core.spec.errors import GraftError
from store.settings import Settings
from store.tracing import NO_TRACING, start_tracing

HAS_OTEL = importlib.util.find_spec("opentelemetry.sdk") is not None
needs_otel = pytest.mark.skipif(not HAS_OTEL, reason="the extra `otel` is not installed")
PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class Collector:
    """Takes what an OTLP exporter sends, on a free port of loopback."""

    def __init__(self, *, status: int = 200) -> None:
        self.spans: list[Any] = []
        self.services: set[str] = set()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
                    ExportTraceServiceRequest,
                )

                assert self.path == "/v1/traces"
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    import gzip

                    body = gzip.decompress(body)
                sent = ExportTraceServiceRequest.FromString(body)
                for resource in sent.resource_spans:
                    for attribute in resource.resource.attributes:
                        if attribute.key == "service.name":
                            collector.services.add(attribute.value.string_value)
                    for scope in resource.scope_spans:
                        collector.spans.extend(scope.spans)
                self.send_response(status)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def named(self, name: str) -> Any:
        (found,) = [span for span in self.spans if span.name == name]
        return found

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.close()


def test_without_an_endpoint_nothing_is_imported_and_nothing_made() -> None:
    code = (
        "import sys\nfrom store.settings import Settings\n"
        "from store.tracing import start_tracing, NO_TRACING\n"
        "import api.app, worker.running\n"
        "assert start_tracing(Settings(), 'x') is NO_TRACING\n"
        "print([m for m in sys.modules"
        " if m.startswith(('opentelemetry.sdk', 'opentelemetry.exporter', 'store.otel'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
    with NO_TRACING.span("x", kind="server", parent=PARENT, a_b=1) as span:
        span.note(a_b=2)
        span.rename("y")
        span.fail("z")
        assert span.traceparent is None


def test_an_endpoint_without_the_extra_is_refused_at_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "store.otel", None)
    with pytest.raises(GraftError) as missing:
        start_tracing(Settings(otel_endpoint="http://127.0.0.1:1"), "graft-api")
    assert missing.value.code == "otel_missing"
    assert "graft-gan[otel]" in missing.value.hint


@needs_otel
def test_spans_arrive_below_the_parent_that_was_handed_on(collector: Collector) -> None:
    tracing = start_tracing(Settings(otel_endpoint=collector.url), "graft-worker")
    with tracing.span("step train", kind="consumer", parent=PARENT, graft_job_id="job_1") as outer:
        outer.note(http_response_status__code=200)
        assert outer.traceparent is not None
        with tracing.span("child", parent=outer.traceparent):
            pass
    tracing.close()
    step, child = collector.named("step train"), collector.named("child")
    assert step.trace_id.hex() == child.trace_id.hex() == PARENT.split("-")[1]
    assert step.parent_span_id.hex() == PARENT.split("-")[2]
    assert child.parent_span_id == step.span_id
    assert {a.key for a in step.attributes} == {"graft.job.id", "http.response.status_code"}
    assert collector.services == {"graft-worker"}


@needs_otel
def test_a_failure_is_told_by_its_type_and_not_by_its_words(collector: Collector) -> None:
    tracing = start_tracing(Settings(otel_endpoint=collector.url), "graft-api")

    def work() -> None:
        with tracing.span("x"):
            raise ValueError("KIM-MINSEO.png is odd")

    with pytest.raises(ValueError, match="odd"):
        work()
    tracing.close()
    assert collector.named("x").status.message == "ValueError"
    assert b"MINSEO" not in collector.named("x").SerializeToString()


@needs_otel
def test_a_request_and_the_step_that_it_asks_for_are_one_trace(
    collector: Collector, tmp_path: Path
) -> None:
    import io
    import zipfile

    from fastapi.testclient import TestClient
    from sqlalchemy import select

    import migrations
    from api.app import create_app
    from store.bootstrap import ensure_admin
    from store.database import Database
    from store.objects import Objects
    from store.settings import prepare
    from store.step_tables import Step
    from worker.running import StepRunner
    from worker.shared import SharedState

    class Bell:
        def ring(self, queue: str, step_id: str) -> None:  # noqa: ARG002
            return

    settings = prepare(
        Settings(
            data_dir=tmp_path / "data",
            redis_url="redis://127.0.0.1:1/0",
            otel_endpoint=collector.url,
        )
    )
    migrations.upgrade(settings.resolved_database_url())
    database = Database.from_settings(settings)
    key = ensure_admin(database, settings)
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr("benign/MINSEO.png", "no image")
    with TestClient(
        create_app(settings, database=database), headers={"Authorization": f"Bearer {key}"}
    ) as client:
        made = client.post(
            "/v1/datasets?name=MINSEO",
            content=body.getvalue(),
            headers={"Content-Type": "application/zip", "traceparent": PARENT},
        ).json()
        job = made["links"]["ingest"]
        client.get("/livez")
    with database.read() as session:
        job_id = job.rsplit("/", 1)[-1]
        (step_id,) = session.scalars(select(Step.id).where(Step.job_id == job_id))
    tracing = start_tracing(settings, "graft-worker")
    runner = StepRunner(
        settings,
        database,
        Objects.from_settings(settings),
        Bell(),
        SharedState(),
        tracing=tracing,
    )
    assert runner.run(step_id) == "failed"
    tracing.close()
    database.dispose()
    request = collector.named("POST /v1/datasets")
    ran, child = collector.named("step ingest"), collector.named("child")
    assert {span.trace_id.hex() for span in (request, ran, child)} == {PARENT.split("-")[1]}
    assert request.parent_span_id.hex() == PARENT.split("-")[2]
    assert ran.parent_span_id == request.span_id
    assert child.parent_span_id == ran.span_id
    assert collector.services == {"graft-api", "graft-worker"}
    assert not [span for span in collector.spans if "livez" in span.name]
    assert not [span for span in collector.spans if b"MINSEO" in span.SerializeToString()]


@needs_otel
def test_a_collector_that_is_away_delays_nobody(tmp_path: Path) -> None:
    import time

    tracing = start_tracing(Settings(otel_endpoint="http://127.0.0.1:1"), "graft-api")
    started = time.monotonic()
    for _ in range(100):
        with tracing.span("x"):
            pass
    assert time.monotonic() - started < 1.0
    tracing.close()
