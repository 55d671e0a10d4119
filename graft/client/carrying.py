"""From one description of a call to its two forms: ``Client``'s and ``AsyncClient``'s.

A call is written once, as a method of a ``…Flows`` class that returns a flow. ``blocking`` and
``awaited`` make of it a method that carries the flow out, with the same arguments and the same
docstring, so that the two clients cannot drift apart.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, ClassVar, Concatenate, ParamSpec, TypeVar

from graft.client.calls import Flows
from graft.client.flow import Flow

if TYPE_CHECKING:
    from graft.client.asynchronous import AsyncClient
    from graft.client.synchronous import Client

P = ParamSpec("P")
T = TypeVar("T")
_RETURNS = re.compile(r"Flow\[(.*)\]")


class Group:
    """Calls of ``Client`` about one kind of thing."""

    _kind: ClassVar[type[Flows]]

    def __init__(self, client: Client) -> None:
        self._client = client
        self._flows = self._kind(client.calls)


class AsyncGroup:
    """Calls of ``AsyncClient`` about one kind of thing."""

    _kind: ClassVar[type[Flows]]

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self._flows = self._kind(client.calls)


def blocking(
    flow: Callable[Concatenate[Any, P], Flow[T]],
) -> Callable[Concatenate[Any, P], T]:
    """Return a method of a ``Group`` that carries a flow out."""

    @functools.wraps(flow)
    def call(self: Group, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._client.run(flow(self._flows, *args, **kwargs))

    return _as_described(call, flow)


def awaited(
    flow: Callable[Concatenate[Any, P], Flow[T]],
) -> Callable[Concatenate[Any, P], Coroutine[Any, Any, T]]:
    """Return a method of an ``AsyncGroup`` that carries a flow out."""

    @functools.wraps(flow)
    async def call(self: AsyncGroup, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._client.run(flow(self._flows, *args, **kwargs))

    return _as_described(call, flow)


CallT = TypeVar("CallT", bound=Callable[..., Any])


def _as_described(call: CallT, flow: Callable[..., Any]) -> CallT:
    """Have ``help()`` say what is returned, which is not a flow."""
    signature = inspect.signature(flow)
    match = _RETURNS.fullmatch(str(signature.return_annotation))
    returned = match[1] if match else signature.return_annotation
    call.__signature__ = signature.replace(return_annotation=returned)  # type: ignore[attr-defined]
    return call
