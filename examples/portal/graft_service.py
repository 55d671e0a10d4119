"""Graft's HTTP API as far as the portal needs it."""

from __future__ import annotations

import asyncio
import hashlib
import random
import zipfile
from pathlib import Path
from typing import Any

import httpx

TRIES = 6
LONGEST_WAIT = 60.0


class RefusedError(Exception):
    """Graft said no, and would say so again: the message is its own sentence and hint."""


class GraftService:
    """A connection to Graft.

    Args:
        url: Its address.
        key: An API key with the scope ``researcher``.
        transport: Another way to carry requests, for tests.
    """

    def __init__(
        self, url: str, key: str, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._http = httpx.AsyncClient(
            base_url=url,
            headers={"Authorization": f"Bearer {key}"},
            timeout=httpx.Timeout(60.0, connect=5.0),
            transport=transport,
        )

    async def submit(
        self, spec: dict[str, Any], *, idempotency_key: str
    ) -> tuple[dict[str, Any], float]:
        """Submit a job; return it, and after how many seconds to look at it.

        With the key it can be sent as often as it takes: it is one job, whether the first answer
        was lost, the portal was started anew, or both.
        """
        headers = {"Idempotency-Key": idempotency_key}
        answer = await self._ask("POST", "/v1/jobs", json=spec, headers=headers)
        return answer.json(), seconds_to_wait(answer)

    async def look(
        self, job_id: str, etag: str | None
    ) -> tuple[dict[str, Any] | None, str | None, float]:
        """Return a job (None: unchanged since that ETag), its ETag, and when to look again."""
        headers = {} if etag is None else {"If-None-Match": etag}
        answer = await self._ask("GET", f"/v1/jobs/{job_id}", headers=headers)
        job = None if answer.status_code == 304 else answer.json()
        return job, answer.headers.get("etag", etag), seconds_to_wait(answer)

    async def fetch_zip(self, job_id: str, target: Path) -> str:
        """Download a job's synthetic images and verify them; return the zip's SHA-256.

        The file appears whole and verified, or not at all.
        """
        listed = (await self._ask("GET", f"/v1/jobs/{job_id}/artifacts")).json()["items"]
        found = next((item for item in listed if item["kind"] == "synthetic-zip"), None)
        if found is None:
            raise RefusedError("The job left no synthetic images.")
        part = target.with_suffix(".part")
        digest = hashlib.sha256()
        # 307: the content may lie in an object store; httpx sends it no key of ours.
        content = f"/v1/artifacts/{found['id']}/content"
        async with self._http.stream("GET", content, follow_redirects=True) as answer:
            answer.raise_for_status()
            with part.open("wb") as file:
                async for chunk in answer.aiter_bytes():
                    digest.update(chunk)
                    file.write(chunk)
        if digest.hexdigest() != found["sha256"]:
            part.unlink()
            raise OSError("the zip arrived with other bytes than Graft has")
        await asyncio.to_thread(check_sums, part)
        part.replace(target)
        return digest.hexdigest()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Ask, and ask again where that may help: no answer, too many requests, busy."""
        for attempt in range(TRIES):
            wait = min(LONGEST_WAIT, 2.0**attempt) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
            try:
                answer = await self._http.request(method, path, **more)
            except httpx.TransportError:
                if attempt == TRIES - 1:
                    raise
            else:
                # 409 request_under_way: our own first try, whose answer was lost, is at work.
                problem = {} if answer.status_code < 400 else said(answer)
                is_passing = (
                    answer.status_code in {429, 502, 503, 504}
                    or problem.get("code") == "request_under_way"
                )
                if answer.status_code < 400:
                    return answer
                if not is_passing:
                    raise RefusedError(
                        f"{problem.get('detail', '')} {problem.get('hint', '')}".strip()
                    )
                if attempt == TRIES - 1:
                    answer.raise_for_status()
                wait = min(LONGEST_WAIT, seconds_to_wait(answer, wait))
            await asyncio.sleep(wait)
        raise AssertionError("the last try has returned or raised")


def said(answer: httpx.Response) -> dict[str, Any]:
    """Return a problem document (RFC 9457), or something like one."""
    try:
        problem = answer.json()
    except ValueError:
        problem = None
    return problem if isinstance(problem, dict) else {"detail": f"status {answer.status_code}"}


def seconds_to_wait(answer: httpx.Response, otherwise: float = 5.0) -> float:
    """Return what ``Retry-After`` asks for."""
    value = answer.headers.get("retry-after", "")
    return float(value) if value.isdigit() else otherwise


def check_sums(path: Path) -> None:
    """Compare every file of the zip with its SHA256SUMS.

    The zip's own SHA-256 has told that it came as Graft has it; this tells that Graft packed what
    it meant to. ``graft verify`` goes further and makes some images again, bit for bit.
    """
    with zipfile.ZipFile(path) as archive:
        lines = archive.read("SHA256SUMS").decode().splitlines()
        sums = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
        for name in set(archive.namelist()) - {"SHA256SUMS"}:
            with archive.open(name) as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != sums.get(name):
                    raise OSError(f"{name} is not what SHA256SUMS says")
