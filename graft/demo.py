"""``graft demo``: the main job end to end, as a portal would do it, over HTTP."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gan_core.spec.errors import GraftError
from graft.cli.connecting import KEY_FILE
from graft.cli.datasets import left_out_line, show_dataset, upload_with_bars
from graft.cli.specs import read_spec
from graft.cli.tables import console, duration, estimated, show_results, size
from graft.cli.watching import transfer_bars, watch_job
from graft.client import Client, Dataset, Job, PlannedJob
from graft.client.transfer import as_zip, sha256_of
from graft.serving.children import end_with_parent
from graft.serving.data_dir import running_service

_START_SECONDS = 90.0
_STOP_SECONDS = 90.0
_KINDS = frozenset({"synthetic-zip", "report-html", "results-csv", "results-json"})


def run_demo(*, data: Path | None, profile: str | None, spec: Path | None, out: Path) -> None:
    """Run the demonstration.

    Args:
        data: A zip or folder of classes; None: phantoms, drawn at the first run.
        profile: Wins over the spec's; None: the spec's, else ``quick``.
        spec: A job spec in YAML or JSON, without a data set's id.
        out: Where the zip, the report and the table are put; the service's own data lies in a
            hidden folder there, so that a second run finds what the first has finished.

    Raises:
        GraftError: Whatever a person can mend.
    """
    started = time.monotonic()
    if data is not None and not data.exists():
        raise GraftError(
            "no_such_file",
            f"There is no file or folder {str(data)!r}.",
            "Give a zip, or a folder with one folder of images for each class.",
        )
    # Read before anything is started: a typing error should cost nobody a minute.
    wanted = read_spec(spec, profile, "to-be-uploaded")
    out.mkdir(parents=True, exist_ok=True)
    service_dir = (out / ".service").absolute()
    say = console()
    source = _phantoms(service_dir) if data is None else data
    with _service(service_dir) as client:
        dataset = _dataset(client, source)
        show_dataset(dataset)
        if dataset.status != "ready":
            raise GraftError(
                "dataset_rejected",
                "The data set was rejected, for the reasons above.",
                "docs/use.md says what a data set looks like.",
            )
        wanted["dataset_id"] = dataset.id
        planned = client.jobs.plan(wanted)
        reused = sum(1 for step in planned.steps if step.is_reused)
        say.print(
            f"{len(planned.steps)} steps, {reused} of them finished before; {estimated(planned)}"
        )
        job = _carry_out(client, wanted, planned)
        results = client.jobs.results(job)
        with transfer_bars() as bars:
            # The models lie beside the zip, where `graft verify` looks for them.
            for folder, kinds in ((out, _KINDS), (out / "models", frozenset({"model"}))):
                client.artifacts.download_all(
                    job,
                    folder,
                    kinds=kinds,
                    on_bytes=lambda artifact, done, total: bars.of(artifact.name)(done, total),
                )
        advice = job.advice or planned.advice
    say.print()
    show_results(results)
    for line in advice:
        say.print(f"[dim]note: {line}[/]")
    say.print()
    for name in ("synthetic.zip", "report.html", "results.csv", "results.json"):
        path = out / name
        if path.exists():
            say.print(f"{path}  [dim]{size(path.stat().st_size)}[/]")
    if data is None:
        say.print("[dim]The images are phantoms: drawings, no patients. Use DATA=… for yours.[/]")
    say.print(f"done in {duration(time.monotonic() - started)}")


def _carry_out(client: Client, wanted: dict[str, object], planned: PlannedJob) -> Job:
    job = _unfinished(client, planned) or client.jobs.submit(wanted)
    try:
        job = watch_job(client, job)
    except KeyboardInterrupt:
        console().print("\nstopping; the same command goes on from where this one was")
        raise
    if job.status != "succeeded":
        error = job.error
        raise GraftError(
            "job_failed" if error is None else error.code,
            f"The job {job.status}." if error is None else error.detail,
            "" if error is None or error.hint is None else error.hint,
        )
    return job


def _unfinished(client: Client, planned: PlannedJob) -> Job | None:
    """Return a job that an interrupted run left, if it is the same; cancel those that are not."""
    found: Job | None = None
    for job in client.jobs.list(limit=100).items:
        if job.is_over:
            continue
        if found is None and job.status != "cancelling" and job.spec == planned.spec:
            found = job
        else:
            client.jobs.cancel(job)
    return found


def _dataset(client: Client, source: Path) -> Dataset:
    """Upload, unless the service has read the very same bytes before."""

    def say_left_out(count: int) -> None:
        console().print(f"note: {left_out_line(count)}", style="dim", markup=False)

    with as_zip(source, on_left_out=say_left_out) as path:
        digest = sha256_of(path)
        cursor: str | None = None
        while True:
            page = client.datasets.list(limit=100, cursor=cursor)
            for known in page.items:
                if known.sha256 == digest and known.status == "ready":
                    return known
            cursor = page.next_cursor
            if cursor is None:
                break
        return upload_with_bars(client, path, source.stem, wait=True)


def _phantoms(service_dir: Path) -> Path:
    path = service_dir / "phantoms.zip"
    if not path.exists():
        service_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        command = [sys.executable, "-m", "graft", "phantom", str(path)]
        if subprocess.run(command, check=False).returncode != 0:
            raise GraftError("phantoms_failed", "The phantoms could not be drawn.")
    return path


@contextmanager
def _service(data_dir: Path) -> Iterator[Client]:
    """Run ``graft serve`` for as long as the context lasts."""
    running = running_service(data_dir)
    if running is not None:
        raise GraftError(
            "already_serving",
            f"Another demonstration runs here, at {running.url} (process {running.pid}).",
            "Wait for it, or stop it.",
        )
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    log_path = data_dir / "serve.log"
    # The demonstration is this folder's alone, whatever service the environment names.
    env = {name: value for name, value in os.environ.items() if name not in _ELSEWHERE}
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "graft", "serve", "--data-dir", str(data_dir)],
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            # Ctrl-C must reach us alone; we end the service when we have said goodbye.
            start_new_session=True,
            preexec_fn=end_with_parent,  # noqa: PLW1509 - no threads here
        )
    try:
        with _signals_as_exceptions():
            url = _wait_until_ready(process, data_dir, log_path)
            key = (data_dir / KEY_FILE).read_text(encoding="utf-8").strip()
            with Client(url, key=key) as client:
                yield client
    finally:
        _stop(process)


_ELSEWHERE = frozenset(
    {"GRAFT_DATABASE_URL", "GRAFT_REDIS_URL", "GRAFT_OBJECT_STORE_URL", "GRAFT_PORT", "GRAFT_HOST"}
)


@contextmanager
def _signals_as_exceptions() -> Iterator[None]:
    """Have SIGTERM unwind the stack as SIGINT does, so that the service is always stopped."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = {
        n: signal.signal(n, interrupt) for n in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _wait_until_ready(process: subprocess.Popen[bytes], data_dir: Path, log_path: Path) -> str:
    until = time.monotonic() + _START_SECONDS
    while True:
        service = running_service(data_dir)
        if service is not None and service.pid == process.pid:
            return service.url
        if process.poll() is not None or time.monotonic() > until:
            lines = log_path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise GraftError(
                "service_failed",
                "The service did not start: " + (" ".join(lines[-4:]) or "it said nothing"),
                f"Its log is {log_path}, and more is in {data_dir / 'logs'}.",
            )
        time.sleep(0.05)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Stop the service; a further Ctrl-C ends it without grace."""
    before = signal.signal(signal.SIGINT, lambda *_: process.send_signal(signal.SIGINT))
    try:
        process.terminate()
        try:
            process.wait(timeout=_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    finally:
        signal.signal(signal.SIGINT, before)
