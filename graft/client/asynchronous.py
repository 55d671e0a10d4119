"""``AsyncClient``: the same calls as ``Client``, awaited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import httpx

from gan_core.spec.results import Results
from graft.client.audit_calls import AsyncAudit
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
from graft.client.limit_calls import AsyncLimits
from graft.client.model_calls import AsyncModels
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
from graft.client.webhook_calls import AsyncWebhooks

T = TypeVar("T")

# Within a class that has a method `list`, the name means that method.
Paths = list[Path]
Names = list[str]
ArtifactList = list[Artifact]


async def _chunks(effect: Send) -> AsyncIterator[bytes]:
    assert effect.file is not None  # noqa: S101 - asked for by the caller
    chunks = read_chunks(effect.file, effect.on_bytes, effect.start, effect.length)
    # A slow disk must not hold up the event loop.
    while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
        yield chunk


class AsyncClient:
    """A connection to a Graft service, for asyncio.

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
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._http = httpx.AsyncClient(
            base_url=base_url,
            headers=request_headers(key),
            timeout=TIMEOUT,
            transport=transport,
            trust_env=not is_loopback(base_url),
        )
        self.calls = Calls(base_url, patience or Patience())
        self.datasets = AsyncDatasets(self)
        self.jobs = AsyncJobs(self)
        self.artifacts = AsyncArtifacts(self)
        self.keys = AsyncKeys(self)
        self.models = AsyncModels(self)
        self.webhooks = AsyncWebhooks(self)
        self.audit = AsyncAudit(self)
        self.limits = AsyncLimits(self)

    async def run(self, flow: Flow[T]) -> T:
        """Carry out a flow.

        Raises:
            ApiError: The service refused, or did not answer in the end.
        """
        try:
            effect = next(flow)
            while True:
                try:
                    outcome = await self._perform(effect)
                except httpx.TransportError as error:
                    effect = flow.throw(error)
                else:
                    effect = flow.send(outcome)
        except StopIteration as done:
            result: T = done.value
            return result

    async def _perform(self, effect: Effect) -> Reply | FileDigests | None:
        match effect:
            case Sleep(seconds):
                await asyncio.sleep(seconds)
                return None
            case Send():
                response = await self._http.request(
                    effect.method,
                    effect.path,
                    params=effect.params or None,
                    headers=effect.headers,
                    json=effect.json,
                    content=_chunks(effect) if effect.file else None,
                )
                return Reply(response.status_code, response.headers, response.content)
            case Fetch():
                return await self._fetch(effect)
            case Digests():
                return await asyncio.to_thread(digests_of, effect)

    async def _fetch(self, fetch: Fetch) -> Reply:
        with PartFile(fetch) as part:
            # The content may lie in an object store that signs addresses: 307.
            async with self._http.stream(
                "GET", fetch.path, headers=part.headers(), follow_redirects=True
            ) as response:
                if response.status_code not in {200, 206}:
                    return Reply(response.status_code, response.headers, await response.aread())
                part.begin(response.status_code)
                async for chunk in response.aiter_bytes():
                    part.write(chunk)
                return Reply(response.status_code, response.headers, b"")

    async def stream_events(self, job_id: str, last_event_id: str | None) -> AsyncIterator[Event]:
        """Yield a job's events, connecting again where the last connection ended."""
        parser = EventParser(last_event_id)
        silent = 0
        while True:
            try:
                async with self._http.stream(
                    "GET", f"/v1/jobs/{job_id}/events", headers=parser.headers()
                ) as response:
                    if response.status_code >= 400:
                        raise from_reply(response.status_code, await response.aread())
                    async for line in response.aiter_lines():
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
            if (await self.jobs.get(job_id)).is_over:
                return
            await asyncio.sleep(parser.retry_seconds)

    def stream(self, method: str, path: str) -> AbstractAsyncContextManager[httpx.Response]:
        """Open an answer that is read while it arrives."""
        return self._http.stream(method, path)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()


class AsyncDatasets:
    """Data sets."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def upload(
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
        with ExitStack() as stack:
            packed = as_zip(Path(source), on_pack, on_left_out)
            path = await asyncio.to_thread(stack.enter_context, packed)
            called = Path(source).stem if name is None else name
            watch = UploadWatch(on_bytes, on_check, on_resumed)
            return await self._client.run(
                self._client.calls.upload(Archive(path, called, image_size), watch)
            )

    async def get(self, dataset_id: str) -> Dataset:
        """Return a data set as it stands."""
        return await self._client.run(self._client.calls.dataset(dataset_id))

    async def list(self, *, limit: int | None = None, cursor: str | None = None) -> Page[Dataset]:
        """Return a page of data sets, the newest first."""
        return await self._client.run(self._client.calls.datasets(limit, cursor))

    async def wait(
        self,
        dataset: Dataset | str,
        *,
        on_update: Callable[[Dataset], None] = ignore_update,
        timeout: float | None = None,  # noqa: ASYNC109 - the same call as Client's
        poll_seconds: float | None = None,
    ) -> Dataset:
        """Return the data set once it is ready or rejected."""
        return await self._client.run(
            self._client.calls.wait_for_dataset(dataset, on_update, Waiting(timeout, poll_seconds))
        )

    async def delete(self, dataset: Dataset | str, *, with_jobs: bool = False) -> None:
        """Delete a data set; ``with_jobs``: also the jobs that use it, with all their files."""
        await self._client.run(self._client.calls.delete_dataset(dataset, with_jobs=with_jobs))


class AsyncJobs:
    """Jobs."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def submit(self, spec: Spec, *, idempotency_key: str | None = None) -> Job:
        """Submit a job; tried again safely, since a key of its own goes with it."""
        return await self._client.run(self._client.calls.submit(spec, idempotency_key))

    async def plan(self, spec: Spec) -> PlannedJob:
        """Return what a job would do, without starting it."""
        return await self._client.run(self._client.calls.plan(spec))

    async def get(self, job_id: str) -> Job:
        """Return a job as it stands."""
        return await self._client.run(self._client.calls.job(job_id))

    async def list(
        self, *, limit: int | None = None, cursor: str | None = None, kind: str | None = "study"
    ) -> Page[Job]:
        """Return a page of jobs, the newest first; ``kind``: ``study``, ``images``; None: all."""
        return await self._client.run(self._client.calls.jobs(limit, cursor, kind))

    async def wait(
        self,
        job: Job | str,
        *,
        on_update: Callable[[Job], None] = ignore_update,
        timeout: float | None = None,  # noqa: ASYNC109 - the same call as Client's
        poll_seconds: float | None = None,
    ) -> Job:
        """Return the job once it is over."""
        return await self._client.run(
            self._client.calls.wait_for_job(job, on_update, Waiting(timeout, poll_seconds))
        )

    def events(self, job: Job | str, *, last_event_id: str | None = None) -> AsyncIterator[Event]:
        """Yield a job's events until it is over."""
        return self._client.stream_events(id_of(job), last_event_id)

    async def cancel(self, job: Job | str) -> Job:
        """Ask for a job to be cancelled; asking twice does no harm."""
        return await self._client.run(self._client.calls.cancel(job))

    async def retry(self, job: Job | str, *, idempotency_key: str | None = None) -> Job:
        """Submit what a job that is over was asked for once more; what it finished is reused."""
        return await self._client.run(self._client.calls.retry(job, idempotency_key))

    async def delete(self, job: Job | str) -> None:
        """Delete a job that is over, with all its files."""
        await self._client.run(self._client.calls.delete_job(job))

    async def results(self, job: Job | str) -> Results:
        """Return the table, the summaries and the verdicts."""
        return await self._client.run(self._client.calls.results(job))


class AsyncArtifacts:
    """Files that jobs leave."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def list(self, job: Job | str) -> ArtifactList:
        """Return all of a job's artifacts."""
        return await self._client.run(self._client.calls.artifacts(job))

    async def download(
        self, artifact: Artifact, target: Path | str, *, on_bytes: OnBytes | None = None
    ) -> Path:
        """Download to a file that appears whole and checked, or not at all."""
        flow = self._client.calls.download(artifact, Path(target), on_bytes)
        return await self._client.run(flow)

    async def download_all(
        self,
        job: Job | str,
        folder: Path | str,
        *,
        kinds: frozenset[str] | None = None,
        on_bytes: Callable[[Artifact, int, int], None] | None = None,
    ) -> Paths:
        """Download a job's artifacts, or those of some kinds, into a folder."""
        flow = self._client.calls.download_all(job, Path(folder), kinds, on_bytes)
        return await self._client.run(flow)


class AsyncKeys:
    """API keys."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def list(self, *, limit: int | None = None, cursor: str | None = None) -> Page[Key]:
        """Return a page of keys."""
        return await self._client.run(self._client.calls.keys(limit, cursor))

    async def create(self, name: str, *, scopes: Names | None = None) -> NewKey:
        """Make a key; it is shown this once."""
        return await self._client.run(self._client.calls.make_key(name, scopes))

    async def revoke(self, key_id: str) -> None:
        """Make a key worthless."""
        await self._client.run(self._client.calls.revoke_key(key_id))
