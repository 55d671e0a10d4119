"""``Client``: the service for programs without an event loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from graft.client.access_models import (
    Me,
)
from graft.client.answers import (
    Page,
)
from graft.client.calls import Calls
from graft.client.connection import TIMEOUT, is_loopback, request_headers
from graft.client.flow import Blocking, Effect, Fetch, Flow, Patience, Reply, Send, Sleep
from graft.client.groups import (
    Artifacts,
    Audit,
    Datasets,
    Health,
    Jobs,
    Keys,
    Limits,
    Models,
    People,
    Uploads,
    Webhooks,
    Workers,
)
from graft.client.key_calls import MeFlows
from graft.client.models import (
    Event,
)
from graft.client.sse import EventWatch
from graft.client.transfer import PartFile, read_chunks

T = TypeVar("T")
ItemT = TypeVar("ItemT")


class Client:
    """A connection to a Graft service.

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
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._http = httpx.Client(
            base_url=base_url,
            headers=request_headers(key),
            timeout=timeout,
            transport=transport,
            trust_env=not is_loopback(base_url),
        )
        self.calls = Calls(base_url, patience or Patience())
        self.datasets = Datasets(self)
        self.uploads = Uploads(self)
        self.jobs = Jobs(self)
        self.artifacts = Artifacts(self)
        self.models = Models(self)
        self.keys = Keys(self)
        self.people = People(self)
        self.webhooks = Webhooks(self)
        self.audit = Audit(self)
        self.limits = Limits(self)
        self.workers = Workers(self)
        self.health = Health(self)

    def me(self) -> Me:
        """Return what this key is, and may do."""
        return self.run(MeFlows(self.calls).get())

    def each(
        self, listing: Callable[..., Page[ItemT]], *args: Any, **filters: Any
    ) -> Iterator[ItemT]:
        """Yield everything of a list, page by page: ``client.each(client.jobs.list, limit=50)``."""
        cursor: str | None = None
        while True:
            page = listing(*args, cursor=cursor, **filters)
            yield from page.items
            cursor = page.next_cursor
            if cursor is None:
                return

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
                except Exception as error:  # noqa: BLE001 - the flow's own, to tidy up or to raise
                    effect = flow.throw(error)
                else:
                    effect = flow.send(outcome)
        except StopIteration as done:
            result: T = done.value
            return result
        finally:
            flow.close()

    def _perform(self, effect: Effect) -> Any:
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
            case Blocking(do):
                return do()

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

    def stream_events(self, watch: EventWatch) -> Iterator[Event]:
        """Yield a job's events, connecting again where the last connection ended."""
        while True:
            try:
                with self._http.stream("GET", watch.path, headers=watch.connecting()) as response:
                    if response.status_code >= 400:
                        watch.refused(response.status_code, response.headers, response.read())
                    else:
                        for chunk in response.iter_bytes():
                            yield from watch.take(chunk)
                            if watch.is_over:
                                return
                        watch.ended()
            except httpx.TransportError as error:
                watch.broke(error)
            if watch.is_over:
                return
            time.sleep(watch.pause(self.run(watch.standing())))

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
