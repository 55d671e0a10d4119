"""Uploads: small ones in one request, large ones in parts that can go on where they broke off."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from graft.client.answers import (
    Page,
)
from graft.client.calls import Calls, id_of, making, params_of
from graft.client.errors import ApiError
from graft.client.flow import IDEMPOTENCY_KEY, Blocking, Flow, OnBytes, Send
from graft.client.models import (
    Dataset,
    Upload,
)
from graft.client.transfer import FileDigests, digests_of

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
        return params_of(name=self.name, image_size=self.image_size)

    def media_type(self) -> str:
        """Return what the file is, by its first bytes."""
        with self.path.open("rb") as file:
            start = file.read(262)
        if start.startswith(b"\x1f\x8b"):
            return "application/gzip"
        return "application/x-tar" if start[257:] == b"ustar" else "application/zip"


def upload(
    calls: Calls, archive: Archive, watch: UploadWatch, idempotency_key: str | None
) -> Flow[Dataset]:
    """Upload an archive.

    One larger than a part goes in parts. If an upload of the same bytes was begun before, by
    whatever process, and not finished, this one goes on with it.
    """
    key = idempotency_key or str(uuid.uuid4())
    if archive.path.stat().st_size > PART_BYTES:
        done = yield from _in_parts(calls, archive, watch, key)
        if done is not None:
            return done
    return (yield from _in_one(calls, archive, watch, key))


def _in_one(calls: Calls, archive: Archive, watch: UploadWatch, key: str) -> Flow[Dataset]:
    request = Send(
        "POST",
        "/v1/datasets",
        params=archive.params(),
        headers={
            "Content-Type": archive.media_type(),
            "Content-Length": str(archive.path.stat().st_size),
            IDEMPOTENCY_KEY: key,
        },
        file=archive.path,
        on_bytes=watch.on_bytes,
    )
    return (yield from calls.read(Dataset, request))


def _in_parts(calls: Calls, archive: Archive, watch: UploadWatch, key: str) -> Flow[Dataset | None]:
    """Return null where the service takes no parts, being older than this client."""
    size = archive.path.stat().st_size
    part_size = max(PART_BYTES, -(-size // _MAX_PARTS))
    digests: FileDigests = yield Blocking(
        partial(digests_of, archive.path, part_size, watch.on_check)
    )
    try:
        found = yield from _unfinished(calls, size, part_size, digests.whole)
        if found is None:
            asked = {
                "size": size,
                "part_size": part_size,
                "sha256": digests.whole,
                "media_type": archive.media_type(),
            }
            # Of the key, so that a program that does all of it again finds the same upload.
            its_key = str(uuid.uuid5(uuid.NAMESPACE_OID, key))
            made = yield from calls.read(Upload, making("/v1/uploads", its_key, json=asked))
            # An answer of the first time does not tell what has come since.
            found = yield from _upload(calls, made)
    except ApiError as error:
        if error.status in {404, 405}:
            return None
        raise
    if found.status == "open":
        yield from _send_parts(calls, archive, watch, found, digests)
    params = archive.params() | {"upload_id": found.id}
    return (yield from calls.read(Dataset, making("/v1/datasets", key, params=params)))


def _send_parts(
    calls: Calls, archive: Archive, watch: UploadWatch, found: Upload, digests: FileDigests
) -> Flow[None]:
    size, part_size = found.size, found.part_size
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
                f"/v1/uploads/{id_of(found)}/parts/{number}",
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


def _unfinished(calls: Calls, size: int, part_size: int, sha256: str) -> Flow[Upload | None]:
    params = {"status": "open", "sha256": sha256}
    page = yield from calls.read(Page[Upload], Send("GET", "/v1/uploads", params=params))
    for item in page.items:
        if (item.size, item.part_size) == (size, part_size):
            return (yield from _upload(calls, item))
    return None


def _upload(calls: Calls, upload: Upload) -> Flow[Upload]:
    return calls.read(Upload, Send("GET", f"/v1/uploads/{id_of(upload)}"))


def _shifted(on_bytes: OnBytes | None, before: int, size: int) -> OnBytes | None:
    if on_bytes is None:
        return None
    return lambda done, _total: on_bytes(before + done, size)
