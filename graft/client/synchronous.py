"""``Client``: the service for programs without an event loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import httpx

from gan_core.spec.results import Results
from graft.client.audit_calls import Audit
from graft.client.calls import Calls, Spec, Waiting, id_of
from graft.client.connection import TIMEOUT, ignore_update, is_loopback, request_headers
from graft.client.errors import from_reply, unreachable
from graft.client.flow import (
    Digests,
    Effect,
    Fetch,
    FileDigests,
    Flow,
    OnBytes,
    Patience,
    Reply,
    Send,
    Sleep,
)
from graft.client.limit_calls import Limits
from graft.client.model_calls import Models
from graft.client.models import (
    TERMINAL_JOB_STATES,
    Artifact,
    Dataset,
    Event,
    Job,
    Key,
    NewKey,
    Page,
    PlannedJob,
)
from graft.client.parts import Archive, UploadWatch
from graft.client.sse import EventParser
from graft.client.transfer import OnLeftOut, PartFile, as_zip, digests_of, read_chunks
from graft.client.webhook_calls import Webhooks

T = TypeVar("T")

# Within a class that has a method `list`, the name means that method.
Paths = list[Path]
Names = list[str]
ArtifactList = list[Artifact]


class Client:
    """A connection to a Graft service.

    Args:
        base_url: Address of the service, ``http://127.0.0.1:8471``.
        key: API key.
        patience: How often and how long to try again.
        transport: Another way to carry requests, for tests.
    """

    def __init__(
        self,
        base_url: str,
        *,
        key: str | None = None,
        patience: Patience | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._http = httpx.Client(
            base_url=base_url,
            headers=request_headers(key),
            timeout=TIMEOUT,
            transport=transport,
            trust_env=not is_loopback(base_url),
        )
        self.calls = Calls(base_url, patience or Patience())
        self.datasets = Datasets(self)
        self.jobs = Jobs(self)
        self.artifacts = Artifacts(self)
        self.keys = Keys(self)
        self.models = Models(self)
        self.webhooks = Webhooks(self)
        self.audit = Audit(self)
        self.limits = Limits(self)

    def run(self, flow: Flow[T]) -> T:
        """Carry out a flow.

        Raises:
            ApiError: The service refused, or did not answer in the end.
        """
        try:
            effect = next(flow)
            while True:
                try:
                    outcome = self._perform(effect)
                except httpx.TransportError as error:
                    effect = flow.throw(error)
                else:
                    effect = flow.send(outcome)
        except StopIteration as done:
            result: T = done.value
            return result

    def _perform(self, effect: Effect) -> Reply | FileDigests | None:
        match effect:
            case Sleep(seconds):
                time.sleep(seconds)
                return None
            case Send():
                response = self._http.request(
                    effect.method,
                    effect.path,
                    params=effect.params or None,
                    headers=effect.headers,
                    json=effect.json,
                    content=read_chunks(effect.file, effect.on_bytes, effect.start, effect.length)
                    if effect.file
                    else None,
                )
                return Reply(response.status_code, response.headers, response.content)
            case Fetch():
                return self._fetch(effect)
            case Digests():
                return digests_of(effect)

    def _fetch(self, fetch: Fetch) -> Reply:
        with (
            PartFile(fetch) as part,
            # The content may lie in an object store that signs addresses: 307.
            self._http.stream(
                "GET", fetch.path, headers=part.headers(), follow_redirects=True
            ) as response,
        ):
            if response.status_code not in {200, 206}:
                return Reply(response.status_code, response.headers, response.read())
            part.begin(response.status_code)
            for chunk in response.iter_bytes():
                part.write(chunk)
            return Reply(response.status_code, response.headers, b"")

    def stream_events(self, job_id: str, last_event_id: str | None) -> Iterator[Event]:
        """Yield a job's events, connecting again where the last connection ended."""
        parser = EventParser(last_event_id)
        silent = 0
        while True:
            try:
                with self._http.stream(
                    "GET", f"/v1/jobs/{job_id}/events", headers=parser.headers()
                ) as response:
                    if response.status_code >= 400:
                        raise from_reply(response.status_code, response.read())
                    for line in response.iter_lines():
                        event = parser.feed(line)
                        if event is not None:
                            silent = 0
                            yield event
                            if event.data.get("status") in TERMINAL_JOB_STATES:
                                return
            except httpx.TransportError as error:
                silent += 1
                if silent > self.calls.patience.retries:
                    raise unreachable(self.calls.base_url, str(error)) from error
            if self.jobs.get(job_id).is_over:
                return
            time.sleep(parser.retry_seconds)

    def stream(self, method: str, path: str) -> AbstractContextManager[httpx.Response]:
        """Open an answer that is read while it arrives."""
        return self._http.stream(method, path)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class Datasets:
    """Data sets."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def upload(
        self,
        source: Path | str,
        *,
        name: str | None = None,
        image_size: int | None = None,
        on_pack: OnBytes | None = None,
        on_left_out: OnLeftOut | None = None,
        on_check: OnBytes | None = None,
        on_resumed: OnBytes | None = None,
        on_bytes: OnBytes | None = None,
    ) -> Dataset:
        """Upload a zip or tar.gz of class folders, or the images of a folder, packed first.

        Of a large archive that was begun to be uploaded before, only what is missing is sent.

        Args:
            source: The archive or folder.
            name: A label; default: the file's name.
            image_size: Side in pixels to which images are brought; default: the service's (224).
            on_pack: Called while a folder is packed.
            on_left_out: Called with how many files of a folder are no images and stay here.
            on_check: Called while a large archive is read for its checksum.
            on_resumed: Called once if a part of it was there already, with how many bytes.
            on_bytes: Called while the archive is sent.
        """
        with as_zip(Path(source), on_pack, on_left_out) as path:
            called = Path(source).stem if name is None else name
            watch = UploadWatch(on_bytes, on_check, on_resumed)
            return self._client.run(
                self._client.calls.upload(Archive(path, called, image_size), watch)
            )

    def get(self, dataset_id: str) -> Dataset:
        """Return a data set as it stands."""
        return self._client.run(self._client.calls.dataset(dataset_id))

    def list(self, *, limit: int | None = None, cursor: str | None = None) -> Page[Dataset]:
        """Return a page of data sets, the newest first."""
        return self._client.run(self._client.calls.datasets(limit, cursor))

    def wait(
        self,
        dataset: Dataset | str,
        *,
        on_update: Callable[[Dataset], None] = ignore_update,
        timeout: float | None = None,
        poll_seconds: float | None = None,
    ) -> Dataset:
        """Return the data set once it is ready or rejected."""
        return self._client.run(
            self._client.calls.wait_for_dataset(dataset, on_update, Waiting(timeout, poll_seconds))
        )

    def delete(self, dataset: Dataset | str, *, with_jobs: bool = False) -> None:
        """Delete a data set; ``with_jobs``: also the jobs that use it, with all their files."""
        self._client.run(self._client.calls.delete_dataset(dataset, with_jobs=with_jobs))


class Jobs:
    """Jobs."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def submit(self, spec: Spec, *, idempotency_key: str | None = None) -> Job:
        """Submit a job; tried again safely, since a key of its own goes with it."""
        return self._client.run(self._client.calls.submit(spec, idempotency_key))

    def plan(self, spec: Spec) -> PlannedJob:
        """Return what a job would do, without starting it."""
        return self._client.run(self._client.calls.plan(spec))

    def get(self, job_id: str) -> Job:
        """Return a job as it stands."""
        return self._client.run(self._client.calls.job(job_id))

    def list(
        self, *, limit: int | None = None, cursor: str | None = None, kind: str | None = "study"
    ) -> Page[Job]:
        """Return a page of jobs, the newest first; ``kind``: ``study``, ``images``; None: all."""
        return self._client.run(self._client.calls.jobs(limit, cursor, kind))

    def wait(
        self,
        job: Job | str,
        *,
        on_update: Callable[[Job], None] = ignore_update,
        timeout: float | None = None,
        poll_seconds: float | None = None,
    ) -> Job:
        """Return the job once it is over."""
        return self._client.run(
            self._client.calls.wait_for_job(job, on_update, Waiting(timeout, poll_seconds))
        )

    def events(self, job: Job | str, *, last_event_id: str | None = None) -> Iterator[Event]:
        """Yield a job's events until it is over."""
        return self._client.stream_events(id_of(job), last_event_id)

    def cancel(self, job: Job | str) -> Job:
        """Ask for a job to be cancelled; asking twice does no harm."""
        return self._client.run(self._client.calls.cancel(job))

    def retry(self, job: Job | str, *, idempotency_key: str | None = None) -> Job:
        """Submit what a job that is over was asked for once more; what it finished is reused."""
        return self._client.run(self._client.calls.retry(job, idempotency_key))

    def delete(self, job: Job | str) -> None:
        """Delete a job that is over, with all its files."""
        self._client.run(self._client.calls.delete_job(job))

    def results(self, job: Job | str) -> Results:
        """Return the table, the summaries and the verdicts."""
        return self._client.run(self._client.calls.results(job))


class Artifacts:
    """Files that jobs leave."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def list(self, job: Job | str) -> ArtifactList:
        """Return all of a job's artifacts."""
        return self._client.run(self._client.calls.artifacts(job))

    def download(
        self, artifact: Artifact, target: Path | str, *, on_bytes: OnBytes | None = None
    ) -> Path:
        """Download to a file that appears whole and checked, or not at all."""
        flow = self._client.calls.download(artifact, Path(target), on_bytes)
        return self._client.run(flow)

    def download_all(
        self,
        job: Job | str,
        folder: Path | str,
        *,
        kinds: frozenset[str] | None = None,
        on_bytes: Callable[[Artifact, int, int], None] | None = None,
    ) -> Paths:
        """Download a job's artifacts, or those of some kinds, into a folder."""
        flow = self._client.calls.download_all(job, Path(folder), kinds, on_bytes)
        return self._client.run(flow)


class Keys:
    """API keys."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def list(self, *, limit: int | None = None, cursor: str | None = None) -> Page[Key]:
        """Return a page of keys."""
        return self._client.run(self._client.calls.keys(limit, cursor))

    def create(self, name: str, *, scopes: Names | None = None) -> NewKey:
        """Make a key; it is shown this once."""
        return self._client.run(self._client.calls.make_key(name, scopes))

    def revoke(self, key_id: str) -> None:
        """Make a key worthless."""
        self._client.run(self._client.calls.revoke_key(key_id))
