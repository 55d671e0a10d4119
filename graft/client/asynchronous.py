"""``AsyncClient``: the same calls as ``Client``, awaited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from graft.client.access_models import (
    Me,
)
from graft.client.answers import (
    Page,
)
from graft.client.async_groups import (
    AsyncArtifacts,
    AsyncAudit,
    AsyncDatasets,
    AsyncHealth,
    AsyncJobs,
    AsyncKeys,
    AsyncLimits,
    AsyncModels,
    AsyncPeople,
    AsyncUploads,
    AsyncWebhooks,
    AsyncWorkers,
)
from graft.client.calls import Calls
from graft.client.connection import TIMEOUT, is_loopback, request_headers
from graft.client.flow import Blocking, Effect, Fetch, Flow, Patience, Reply, Send, Sleep
from graft.client.key_calls import MeFlows
from graft.client.models import (
    Event,
)
from graft.client.sse import EventWatch
from graft.client.transfer import PartFile, read_chunks

T = TypeVar("T")
ItemT = TypeVar("ItemT")


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
        key: API key, or a token of the hospital's own sign-in.
        patience: How often and how long to try again.
        timeout: Seconds without a byte after which a connection counts as dead; or httpx's own.
        transport: Another way to carry requests, for tests.
    """

    def __init__(
        self,
        base_url: str,
        *,
        key: str | None = None,
        patience: Patience | None = None,
        timeout: float | httpx.Timeout = TIMEOUT,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._http = httpx.AsyncClient(
            base_url=base_url,
            headers=request_headers(key),
            timeout=timeout,
            transport=transport,
            trust_env=not is_loopback(base_url),
        )
        self.calls = Calls(base_url, patience or Patience())
        self.datasets = AsyncDatasets(self)
        self.uploads = AsyncUploads(self)
        self.jobs = AsyncJobs(self)
        self.artifacts = AsyncArtifacts(self)
        self.models = AsyncModels(self)
        self.keys = AsyncKeys(self)
        self.people = AsyncPeople(self)
        self.webhooks = AsyncWebhooks(self)
        self.audit = AsyncAudit(self)
        self.limits = AsyncLimits(self)
        self.workers = AsyncWorkers(self)
        self.health = AsyncHealth(self)

    async def me(self) -> Me:
        """Return what this key is, and may do."""
        return await self.run(MeFlows(self.calls).get())

    async def each(
        self, listing: Callable[..., Awaitable[Page[ItemT]]], *args: Any, **filters: Any
    ) -> AsyncIterator[ItemT]:
        """Yield everything of a list, page by page: ``client.each(client.jobs.list, limit=50)``."""
        cursor: str | None = None
        while True:
            page = await listing(*args, cursor=cursor, **filters)
            for item in page.items:
                yield item
            cursor = page.next_cursor
            if cursor is None:
                return

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
                except Exception as error:  # noqa: BLE001 - the flow's own, to tidy up or to raise
                    effect = flow.throw(error)
                else:
                    effect = flow.send(outcome)
        except StopIteration as done:
            result: T = done.value
            return result
        finally:
            flow.close()

    async def _perform(self, effect: Effect) -> Any:
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
            case Blocking(do):
                return await asyncio.to_thread(do)

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

    async def stream_events(self, watch: EventWatch) -> AsyncIterator[Event]:
        """Yield a job's events, connecting again where the last connection ended."""
        while True:
            try:
                async with self._http.stream(
                    "GET", watch.path, headers=watch.connecting()
                ) as response:
                    if response.status_code >= 400:
                        watch.refused(
                            response.status_code, response.headers, await response.aread()
                        )
                    else:
                        async for chunk in response.aiter_bytes():
                            for event in watch.take(chunk):
                                yield event
                            if watch.is_over:
                                return
                        watch.ended()
            except httpx.TransportError as error:
                watch.broke(error)
            if watch.is_over:
                return
            await asyncio.sleep(watch.pause(await self.run(watch.standing())))

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
