"""What all calls have in common: a request sent with patience, an answer read as a model."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel

from gan_core.spec.errors import GraftError
from graft.client.errors import ApiError, retry_after
from graft.client.flow import IDEMPOTENCY_KEY, Flow, Patience, Reply, Send, Sleep, reliably

ModelT = TypeVar("ModelT", bound=BaseModel)

_POLL_SECONDS = 1.0
_ID = re.compile(r"[A-Za-z0-9_-]+")
Asked = str | int | bool | date | None


class HasId(Protocol):
    """Whatever the service has an id for."""

    @property
    def id(self) -> str:
        """Its id."""


@dataclass(frozen=True)
class Waiting:
    """How to wait for an end.

    Attributes:
        timeout: Seconds after which to give up; None: never.
        poll_seconds: Pause between questions; None: as long as the service asks for.
    """

    timeout: float | None = None
    poll_seconds: float | None = None


class Calls:
    """The flows of one service.

    Args:
        base_url: Its address, for what is said when it does not answer.
        patience: How often to try again.
    """

    def __init__(self, base_url: str, patience: Patience) -> None:
        self.base_url = base_url
        self.patience = patience

    def send(self, request: Send) -> Flow[Reply]:
        """Send a request with patience."""
        return (yield from reliably(request, self.patience, self.base_url))

    def read(self, model: type[ModelT], request: Send) -> Flow[ModelT]:
        """Send a request and read the answer as a model."""
        reply = yield from self.send(request)
        return self.parse(model, reply)

    def parse(self, model: type[ModelT], reply: Reply) -> ModelT:
        """Read an answer as a model.

        Raises:
            ApiError: ``unexpected_answer`` when it is none.
        """
        try:
            return model.model_validate_json(reply.body)
        except ValueError as error:
            raise ApiError(
                "unexpected_answer",
                f"The service at {self.base_url} answered with something else than a"
                f" {model.__name__}.",
                "Is this the address of a Graft service, and of this version?",
                status=reply.status,
            ) from error

    def wait(
        self,
        model: type[ModelT],
        path: str,
        is_over: Callable[[ModelT], bool],
        on_update: Callable[[ModelT], None],
        waiting: Waiting,
    ) -> Flow[ModelT]:
        """Ask until something is over, at the pace of ``Retry-After``; unchanged costs a 304.

        Raises:
            ApiError: ``wait_timed_out``.
        """
        timeout = waiting.timeout
        until = None if timeout is None else time.monotonic() + timeout
        etag: str | None = None
        patience = self.patience
        while True:
            headers = {} if etag is None else {"If-None-Match": etag}
            request = Send("GET", path, headers=headers)
            reply = yield from reliably(request, patience, self.base_url)
            if reply.status != 304:
                etag = reply.headers.get("etag")
                current = self.parse(model, reply)
                on_update(current)
                if is_over(current):
                    return current
            # It has answered once, so that what is silent later is one that starts anew.
            patience = self.patience.for_long()
            pause = waiting.poll_seconds or retry_after(reply.headers) or _POLL_SECONDS
            if until is not None:
                left = until - time.monotonic()
                if left <= 0:
                    raise ApiError(
                        "wait_timed_out",
                        f"It was not over after {timeout:.0f} seconds.",
                        "It goes on in the service; wait again, or longer.",
                    )
                pause = min(pause, left)
            yield Sleep(pause)


class Flows:
    """The flows of one kind of thing; a base."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls


def id_of(thing: HasId | str) -> str:
    """Return an id that is safe in an address: what is none must not lead to another one.

    Raises:
        GraftError: ``not_an_id``.
    """
    found = thing if isinstance(thing, str) else thing.id
    if not _ID.fullmatch(found):
        raise GraftError(
            "not_an_id",
            f"{found[:80]!r} is not an id.",
            "Ids look like job_01…; `graft jobs list` and `graft datasets list` show them.",
        )
    return found


def params_of(**asked: Asked) -> dict[str, str]:
    """Return the query's parameters that were given; ``from_`` becomes ``from``."""
    return {name.rstrip("_"): _text(value) for name, value in asked.items() if value is not None}


def _text(value: str | int | date) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, date) else str(value)


def making(
    path: str,
    idempotency_key: str | None,
    *,
    params: Mapping[str, str] | None = None,
    json: Any = None,
) -> Send:
    """Return a POST that makes something once, however often it is sent."""
    headers = {IDEMPOTENCY_KEY: idempotency_key or str(uuid.uuid4())}
    return Send("POST", path, params=params or {}, headers=headers, json=json)


def body_of(asked: BaseModel | Mapping[str, Any]) -> dict[str, Any]:
    """Return what is asked for as a body: only what was set by hand, the service fills the rest."""
    if isinstance(asked, BaseModel):
        return asked.model_dump(mode="json", exclude_unset=True)
    return dict(asked)
