"""A small service that answers from a script, and clients of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import httpx

from graft.client import Artifact, AsyncClient, Client
from graft.client.flow import Patience

URL = "http://127.0.0.1:1"


QUICK = Patience(retries=3, first_wait=0.001)


Handler = Callable[[httpx.Request], httpx.Response]


class Service:
    """Answers from a script, and keeps what was asked."""

    def __init__(self, *answers: httpx.Response | Exception | Handler) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        request.read()
        return self._answer(request)

    async def answer(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        return self._answer(request)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, httpx.Response) else answer(request)


def client_of(service: Service) -> Client:
    return Client(URL, key="graft_k", patience=QUICK, transport=httpx.MockTransport(service))


def async_client_of(service: Service) -> AsyncClient:
    transport = httpx.MockTransport(service.answer)
    return AsyncClient(URL, key="graft_k", patience=QUICK, transport=transport)


def job(status: str = "running", **more: Any) -> dict[str, Any]:
    return {"id": "job_1", "status": status, "progress": {"fraction": 0.5}, **more}


def problem(status: int, code: str, **headers: str) -> httpx.Response:
    document = {
        "type": f"urn:graft:problem:{code}",
        "title": "Unprocessable",
        "status": status,
        "detail": "It cannot be.",
        "hint": "Try less.",
        "code": code,
    }
    return httpx.Response(status, json=document, headers=headers)


def dataset(status: str = "ingesting") -> dict[str, Any]:
    return {"id": "ds_1", "name": "set", "status": status, "sha256": "0" * 64}


CONTENT = bytes(range(256)) * 40


def artifact(content: bytes = CONTENT, name: str = "synthetic.zip") -> Artifact:
    digest = hashlib.sha256(content).hexdigest()
    return Artifact(id="art_1", kind="synthetic-zip", name=name, size=len(content), sha256=digest)


def ranged(content: bytes) -> Handler:
    def answer(request: httpx.Request) -> httpx.Response:
        asked = request.headers.get("range")
        if asked is None:
            return httpx.Response(200, content=content)
        start = int(asked.removeprefix("bytes=").rstrip("-"))
        return httpx.Response(206, content=content[start:])

    return answer


def broken_after(count: int) -> Handler:
    class Broken(httpx.SyncByteStream, httpx.AsyncByteStream):
        def __iter__(self) -> Any:
            yield CONTENT[:count]
            raise httpx.ReadError("broke")

        async def __aiter__(self) -> Any:
            yield CONTENT[:count]
            raise httpx.ReadError("broke")

    return lambda _request: httpx.Response(200, stream=Broken())


def stream(*events: tuple[int, str]) -> httpx.Response:
    text = "".join(
        f"retry: 1\nid: {number}\nevent: status\ndata: {json.dumps({'status': status})}\n\n"
        for number, status in events
    )
    return httpx.Response(200, text=text, headers={"Content-Type": "text/event-stream"})
