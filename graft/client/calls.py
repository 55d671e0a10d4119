"""Every call of the service's contract, as a flow. The clients give them their public names."""

from __future__ import annotations

import contextlib
import re
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from gan_core.spec.errors import GraftError
from gan_core.spec.job import JobSpec
from gan_core.spec.results import Results
from graft.client.errors import ApiError
from graft.client.flow import (
    Fetch,
    Flow,
    OnBytes,
    Patience,
    Reply,
    Send,
    Sleep,
    reliably,
    retry_after,
)
from graft.client.models import Artifact, Dataset, Job, Key, NewKey, Page, PlannedJob
from graft.client.parts import Archive, UploadWatch, upload
from graft.client.transfer import sha256_of

ModelT = TypeVar("ModelT", bound=BaseModel)

_POLL_SECONDS = 1.0
_ID = re.compile(r"[A-Za-z0-9_-]+")
Spec = JobSpec | Mapping[str, Any]


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

    # --- data sets -----------------------------------------------------------------------------

    def upload(self, archive: Archive, watch: UploadWatch) -> Flow[Dataset]:
        """``POST /v1/datasets``, or ``/v1/uploads`` before it for a large archive."""
        return upload(self, archive, watch)

    def dataset(self, dataset_id: str) -> Flow[Dataset]:
        """``GET /v1/datasets/{id}``."""
        return self.read(Dataset, Send("GET", f"/v1/datasets/{id_of(dataset_id)}"))

    def datasets(self, limit: int | None, cursor: str | None) -> Flow[Page[Dataset]]:
        """``GET /v1/datasets``."""
        return self.read(Page[Dataset], Send("GET", "/v1/datasets", _page(limit, cursor)))

    def wait_for_dataset(
        self, dataset: Dataset | str, on_update: Callable[[Dataset], None], waiting: Waiting
    ) -> Flow[Dataset]:
        """Ask until a data set is ready or rejected."""
        path = f"/v1/datasets/{id_of(dataset)}"
        return self._wait(Dataset, path, lambda d: d.is_settled, on_update, waiting)

    def delete_dataset(self, dataset: Dataset | str, *, with_jobs: bool) -> Flow[None]:
        """``DELETE /v1/datasets/{id}``."""
        params = {"with_jobs": "true"} if with_jobs else {}
        yield from self.send(Send("DELETE", f"/v1/datasets/{id_of(dataset)}", params))

    # --- jobs ----------------------------------------------------------------------------------

    def submit(self, spec: Spec, idempotency_key: str | None) -> Flow[Job]:
        """``POST /v1/jobs``."""
        headers = {"Idempotency-Key": idempotency_key or str(uuid.uuid4())}
        return self.read(Job, Send("POST", "/v1/jobs", headers=headers, json=_body(spec)))

    def plan(self, spec: Spec) -> Flow[PlannedJob]:
        """``POST /v1/jobs?dry_run=true``."""
        request = Send("POST", "/v1/jobs", params={"dry_run": "true"}, json=_body(spec))
        return self.read(PlannedJob, request)

    def job(self, job_id: str) -> Flow[Job]:
        """``GET /v1/jobs/{id}``."""
        return self.read(Job, Send("GET", f"/v1/jobs/{id_of(job_id)}"))

    def jobs(self, limit: int | None, cursor: str | None, kind: str | None) -> Flow[Page[Job]]:
        """``GET /v1/jobs``."""
        params = _page(limit, cursor) | ({} if kind is None else {"kind": kind})
        return self.read(Page[Job], Send("GET", "/v1/jobs", params))

    def cancel(self, job: Job | str) -> Flow[Job]:
        """``POST /v1/jobs/{id}/cancel``, then the job as it stands."""
        yield from self.send(Send("POST", f"/v1/jobs/{id_of(job)}/cancel"))
        return (yield from self.job(id_of(job)))

    def retry(self, job: Job | str, idempotency_key: str | None) -> Flow[Job]:
        """``POST /v1/jobs/{id}/retry``."""
        headers = {"Idempotency-Key": idempotency_key or str(uuid.uuid4())}
        return self.read(Job, Send("POST", f"/v1/jobs/{id_of(job)}/retry", headers=headers))

    def delete_job(self, job: Job | str) -> Flow[None]:
        """``DELETE /v1/jobs/{id}``."""
        yield from self.send(Send("DELETE", f"/v1/jobs/{id_of(job)}"))

    def results(self, job: Job | str) -> Flow[Results]:
        """``GET /v1/jobs/{id}/results``."""
        return self.read(Results, Send("GET", f"/v1/jobs/{id_of(job)}/results"))

    def wait_for_job(
        self, job: Job | str, on_update: Callable[[Job], None], waiting: Waiting
    ) -> Flow[Job]:
        """Ask until a job is over."""
        path = f"/v1/jobs/{id_of(job)}"
        return self._wait(Job, path, lambda j: j.is_over, on_update, waiting)

    def _wait(
        self,
        model: type[ModelT],
        path: str,
        is_over: Callable[[ModelT], bool],
        on_update: Callable[[ModelT], None],
        waiting: Waiting,
    ) -> Flow[ModelT]:
        timeout = waiting.timeout
        until = None if timeout is None else time.monotonic() + timeout
        etag: str | None = None
        while True:
            headers = {} if etag is None else {"If-None-Match": etag}
            reply = yield from self.send(Send("GET", path, headers=headers))
            if reply.status != 304:
                etag = reply.headers.get("etag")
                current = self.parse(model, reply)
                on_update(current)
                if is_over(current):
                    return current
            if timeout is not None and until is not None and time.monotonic() >= until:
                raise ApiError(
                    "wait_timed_out",
                    f"It was not over after {timeout:.0f} seconds.",
                    "It goes on in the service; wait again, or longer.",
                )
            yield Sleep(waiting.poll_seconds or retry_after(reply.headers) or _POLL_SECONDS)

    # --- artifacts -----------------------------------------------------------------------------

    def artifacts(self, job: Job | str) -> Flow[list[Artifact]]:
        """``GET /v1/jobs/{id}/artifacts``, all pages."""
        items: list[Artifact] = []
        cursor: str | None = None
        while True:
            request = Send("GET", f"/v1/jobs/{id_of(job)}/artifacts", _page(None, cursor))
            page = yield from self.read(Page[Artifact], request)
            items += page.items
            cursor = page.next_cursor
            if cursor is None:
                return items

    def download(self, artifact: Artifact, target: Path, on_bytes: OnBytes | None) -> Flow[Path]:
        """``GET /v1/artifacts/{id}/content`` into a file that appears whole or not at all.

        A download that was broken off goes on where it ended. The file's SHA-256 is compared.

        Raises:
            ApiError: ``checksum_mismatch``.
            GraftError: ``cannot_write``.
        """
        # The digest in the name: what lies there is the beginning of this very content.
        part = target.with_name(f".{target.name}.{artifact.sha256[:16]}.part")
        fetch = Fetch(f"/v1/artifacts/{id_of(artifact)}/content", part, artifact.size, on_bytes)
        for _ in range(2):
            with _told_plainly(target):
                target.parent.mkdir(parents=True, exist_ok=True)
                is_whole = part.exists() and part.stat().st_size == artifact.size
                if not is_whole:
                    yield from reliably(fetch, self.patience, self.base_url)
                if sha256_of(part) == artifact.sha256:
                    part.replace(target)
                    return target
                part.unlink()  # a bad beginning: once more from the start
        raise ApiError(
            "checksum_mismatch",
            f"{artifact.name} arrived with other bytes than the service has.",
            "Something between here and the service changes what passes; try another way.",
        )

    def download_all(
        self,
        job: Job | str,
        folder: Path,
        kinds: frozenset[str] | None,
        on_bytes: Callable[[Artifact, int, int], None] | None,
    ) -> Flow[list[Path]]:
        """Download a job's artifacts into a folder; a file that is there already is kept."""
        paths: list[Path] = []
        for artifact in (yield from self.artifacts(job)):
            if kinds is not None and artifact.kind not in kinds:
                continue
            target = _unlike(paths, folder / _safe_name(artifact))
            if not (
                target.is_file()
                and target.stat().st_size == artifact.size
                and sha256_of(target) == artifact.sha256
            ):
                tell = None if on_bytes is None else _for_one(on_bytes, artifact)
                yield from self.download(artifact, target, tell)
            paths.append(target)
        return paths

    # --- keys ----------------------------------------------------------------------------------

    def keys(self, limit: int | None, cursor: str | None) -> Flow[Page[Key]]:
        """``GET /v1/keys``."""
        return self.read(Page[Key], Send("GET", "/v1/keys", _page(limit, cursor)))

    def make_key(self, name: str, scopes: list[str] | None) -> Flow[NewKey]:
        """``POST /v1/keys``."""
        body: dict[str, Any] = {"name": name}
        if scopes is not None:
            body["scopes"] = scopes
        return self.read(NewKey, Send("POST", "/v1/keys", json=body, is_repeatable=False))

    def revoke_key(self, key_id: str) -> Flow[None]:
        """``DELETE /v1/keys/{id}``."""
        yield from self.send(Send("DELETE", f"/v1/keys/{id_of(key_id)}"))


def id_of(thing: Dataset | Job | Artifact | str) -> str:
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


def _page(limit: int | None, cursor: str | None) -> dict[str, str]:
    params = {} if limit is None else {"limit": str(limit)}
    return params if cursor is None else params | {"cursor": cursor}


def _body(spec: Spec) -> dict[str, Any]:
    # Only what was set by hand: the rest is the profile's, and the service fills it in.
    if isinstance(spec, JobSpec):
        return spec.model_dump(mode="json", exclude_unset=True)
    return dict(spec)


def _safe_name(artifact: Artifact) -> str:
    """Return a name that stays in its folder, whatever the service says."""
    name = Path(artifact.name).name
    return name if name not in {"", ".", ".."} else artifact.id


def _unlike(taken: list[Path], wanted: Path) -> Path:
    """Number a name that another artifact of the job has: each GAN leaves a model."""
    path, number = wanted, 1
    while path in taken:
        number += 1
        path = wanted.with_name(f"{wanted.stem}-{number}{wanted.suffix}")
    return path


def _for_one(tell: Callable[[Artifact, int, int], None], artifact: Artifact) -> OnBytes:
    return lambda done, total: tell(artifact, done, total)


class _told_plainly(contextlib.AbstractContextManager[None]):  # noqa: N801 - reads as a statement
    """Turn what the disk refuses into an error for the person."""

    def __init__(self, target: Path) -> None:
        self._target = target

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, OSError):
            raise GraftError(
                "cannot_write",
                f"{str(self._target)!r} cannot be written: {error.strerror or error}.",
                "Choose another folder with --out, or free some space.",
            ) from error
