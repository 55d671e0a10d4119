"""Uploads: small ones in one request, large ones in parts that can go on where they broke off."""

from __future__ import annotations

import uuid
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graft.client.errors import ApiError
from graft.client.flow import Digests, FileDigests, Flow, OnBytes, Send
from graft.client.models import Dataset, Page, Upload

if TYPE_CHECKING:
    from graft.client.calls import Calls

PART_BYTES = 64 * 1024 * 1024
_MAX_PARTS = 1000


@dataclass(frozen=True)
class UploadWatch:
    """Whom to tell what of an upload.

    Attributes:
        on_bytes: Told how much has been sent, of all.
        on_check: Told how much of a large file has been read for its checksum.
        on_resumed: Told how much of a large file was there already, of all.
    """

    on_bytes: OnBytes | None = None
    on_check: OnBytes | None = None
    on_resumed: OnBytes | None = None


@dataclass(frozen=True)
class Archive:
    """What is to be uploaded.

    Attributes:
        path: A zip, tar or tar.gz.
        name: A label.
        image_size: Side in pixels; None: the service's default.
    """

    path: Path
    name: str
    image_size: int | None = None

    def params(self) -> dict[str, str]:
        """Return the query of ``POST /v1/datasets``."""
        size = {} if self.image_size is None else {"image_size": str(self.image_size)}
        return {"name": self.name} | size

    def media_type(self) -> str:
        """Return what the file is, by its first bytes."""
        with self.path.open("rb") as file:
            start = file.read(262)
        if start.startswith(b"\x1f\x8b"):
            return "application/gzip"
        return "application/x-tar" if start[257:] == b"ustar" else "application/zip"


def upload(calls: Calls, archive: Archive, watch: UploadWatch) -> Flow[Dataset]:
    """Upload an archive.

    One larger than a part goes in parts. If an upload of the same bytes was begun before, by
    whatever process, and not finished, this one goes on with it.
    """
    if archive.path.stat().st_size > PART_BYTES:
        done = yield from _in_parts(calls, archive, watch)
        if done is not None:
            return done
    return (yield from _in_one(calls, archive, watch))


def _in_one(calls: Calls, archive: Archive, watch: UploadWatch) -> Flow[Dataset]:
    request = Send(
        "POST",
        "/v1/datasets",
        params=archive.params(),
        headers={
            "Content-Type": archive.media_type(),
            "Content-Length": str(archive.path.stat().st_size),
            "Idempotency-Key": str(uuid.uuid4()),
        },
        file=archive.path,
        on_bytes=watch.on_bytes,
    )
    return (yield from calls.read(Dataset, request))


def _in_parts(calls: Calls, archive: Archive, watch: UploadWatch) -> Flow[Dataset | None]:
    """Return null where the service takes no parts, being older than this client."""
    size = archive.path.stat().st_size
    part_size = max(PART_BYTES, -(-size // _MAX_PARTS))
    digests: FileDigests = yield Digests(archive.path, part_size, watch.on_check)
    try:
        found = yield from _unfinished(calls, size, part_size, digests.whole)
        if found is None:
            asked = {
                "size": size,
                "part_size": part_size,
                "sha256": digests.whole,
                "media_type": archive.media_type(),
            }
            found = yield from calls.read(Upload, Send("POST", "/v1/uploads", json=asked))
    except ApiError as error:
        if error.status in {404, 405}:
            return None
        raise
    there = {part.number: part.sha256 for part in found.parts}
    sizes = [min(part_size, size - at) for at in range(0, size, part_size)]
    missing = [n for n, sha256 in enumerate(digests.parts, 1) if there.get(n) != sha256]
    sent = size - sum(sizes[number - 1] for number in missing)
    if sent and watch.on_resumed is not None:
        watch.on_resumed(sent, size)
    for number in missing:
        yield from calls.send(
            Send(
                "PUT",
                f"/v1/uploads/{found.id}/parts/{number}",
                headers={
                    "Content-Type": "application/octet-stream",
                    "Content-Length": str(sizes[number - 1]),
                    "Repr-Digest": digests.header(number),
                },
                file=archive.path,
                start=(number - 1) * part_size,
                length=sizes[number - 1],
                on_bytes=_shifted(watch.on_bytes, sent, size),
            )
        )
        sent += sizes[number - 1]
    params = archive.params() | {"upload_id": found.id}
    return (yield from calls.read(Dataset, Send("POST", "/v1/datasets", params=params)))


def _unfinished(
    calls: Calls, size: int, part_size: int, sha256: str
) -> Generator[Any, Any, Upload | None]:
    params = {"status": "open", "sha256": sha256}
    page = yield from calls.read(Page[Upload], Send("GET", "/v1/uploads", params=params))
    for item in page.items:
        if (item.size, item.part_size) == (size, part_size):
            return (yield from calls.read(Upload, Send("GET", f"/v1/uploads/{item.id}")))
    return None


def _shifted(on_bytes: OnBytes | None, before: int, size: int) -> OnBytes | None:
    if on_bytes is None:
        return None
    return lambda done, _total: on_bytes(before + done, size)
