"""The bytes of an upload, as they arrive: counted, hashed, and never gathered in memory."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from email.message import Message

from fastapi import Request
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser

from api.digests import mismatch, stated_sha256
from api.problems import Problem

MEDIA_TYPES = frozenset(
    (
        "application/zip",
        "application/x-zip-compressed",
        "application/gzip",
        "application/x-gzip",
        "application/x-tar",
        "application/x-gtar",
        "application/x-compressed-tar",
        "application/x-tgz",
        "application/octet-stream",
    )
)
"""Of archives. Which kind it is is told from the first bytes, whatever the client says."""

FIRST_BYTES = 262
# What a multipart body may have around its file, in bytes.
_MAX_AROUND = 65536
# The first entry's local header; an archive without entries begins with PK\5\6.
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_GZIP = b"\x1f\x8b\x08"
_TAR, _TAR_AT = b"ustar", 257


def format_of(start: bytes) -> str | None:
    """Return what an archive's first ``FIRST_BYTES`` bytes say it is; null: none that is read."""
    if start.startswith(_ZIP):
        return "zip"
    if start.startswith(_GZIP):
        return "tar.gz"
    return "tar" if start[_TAR_AT:].startswith(_TAR) else None


class Intake:
    """Reads one upload.

    Attributes:
        size: Bytes so far.
        sha256: Of the bytes so far.
        format: ``zip``, ``tar`` or ``tar.gz``, once the first bytes are there.
    """

    def __init__(self, request: Request, max_bytes: int) -> None:
        self._request = request
        self._max_bytes = max_bytes
        self._is_raw = False
        self.size = 0
        self.format = ""
        self.sha256 = hashlib.sha256()

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the archive's bytes.

        Raises:
            Problem: 400 ``digest_unreadable``, 413, 415, or 422 ``upload_empty``, ``not_a_zip`` or
                ``digest_mismatch``.
        """
        said = stated_sha256(self._request.headers)
        start = b""
        async for chunk in self._body():
            self.size += len(chunk)
            if self.size > self._max_bytes:
                raise too_large(self._max_bytes)
            if len(start) < FIRST_BYTES:
                start = (start + chunk)[:FIRST_BYTES]
                if len(start) == FIRST_BYTES:
                    # Said at the first bytes, not after gigabytes.
                    self.format = checked_format(start)
            self.sha256.update(chunk)
            yield chunk
        if self.size == 0:
            raise Problem(
                422,
                "upload_empty",
                "The upload is empty.",
                "Send the archive as the request's body.",
            )
        self.format = checked_format(start)
        if said is not None and self._is_raw and said != self.sha256.hexdigest():
            raise mismatch()

    def _body(self) -> AsyncIterator[bytes]:
        declared = self._request.headers.get("content-length", "")
        # A multipart body is a little longer than its file; the exact count comes while reading.
        if declared.isdecimal() and int(declared) > self._max_bytes + _MAX_AROUND:
            raise too_large(self._max_bytes)
        header = Message()
        header["content-type"] = self._request.headers.get("content-type", "")
        kind = header.get_content_type()
        if kind in MEDIA_TYPES:
            self._is_raw = True
            return self._request.stream()
        boundary = header.get_param("boundary")
        if kind == "multipart/form-data" and isinstance(boundary, str) and boundary:
            return _file_part(self._whole(), boundary)
        raise Problem(
            415,
            "media_type_unsupported",
            "An upload is a zip, a tar or a tar.gz.",
            "Send it as the body with `Content-Type: application/zip` (or `application/gzip`), or"
            " as the part `file` of a `multipart/form-data` body.",
            headers={
                "Accept-Post": "application/zip, application/gzip, application/x-tar,"
                " multipart/form-data"
            },
        )

    async def _whole(self) -> AsyncIterator[bytes]:
        """Yield a multipart body, whose other parts nobody reads, but which must come to an end."""
        size = 0
        async for chunk in self._request.stream():
            size += len(chunk)
            if size > self._max_bytes + _MAX_AROUND:
                raise too_large(self._max_bytes)
            yield chunk


def too_large(max_bytes: int) -> Problem:
    """Return the answer for an upload that is larger than any that is taken."""
    return Problem(
        413,
        "upload_too_large",
        f"The upload is larger than the {max_bytes} bytes that this service takes.",
        "Leave out images, or ask the service's operator to raise GRAFT_MAX_UPLOAD_BYTES.",
    )


def checked_format(start: bytes) -> str:
    """Return what an archive's first bytes say it is.

    Raises:
        Problem: 422 ``not_a_zip``.
    """
    found = format_of(start)
    if found is None:
        raise Problem(
            422,
            "not_a_zip",
            "The upload is neither a zip nor a tar.gz.",
            "Send an archive that holds one folder of images for each class.",
        )
    return found


async def _file_part(stream: AsyncIterator[bytes], boundary: str) -> AsyncIterator[bytes]:
    """Yield the part named ``file`` of a multipart body (RFC 7578); its file name is ignored.

    The framework's own parser would first write the whole file to a temporary one.
    """
    ready: list[bytes] = []
    name, value = bytearray(), bytearray()
    is_file = False
    files = 0

    def begin() -> None:
        nonlocal is_file
        is_file = False

    def header_end() -> None:
        nonlocal is_file, files
        if name.lower() == b"content-disposition":
            header = Message()
            header["content-disposition"] = value.decode("latin-1")
            if header.get_param("name", header="content-disposition") == "file":
                is_file = True
                files += 1
        name.clear()
        value.clear()

    def data(chunk: bytes, start: int, end: int) -> None:
        if is_file:
            ready.append(chunk[start:end])

    parser = MultipartParser(
        boundary.encode("latin-1", "replace"),
        {
            "on_part_begin": begin,
            "on_header_field": lambda chunk, start, end: name.extend(chunk[start:end]),
            "on_header_value": lambda chunk, start, end: value.extend(chunk[start:end]),
            "on_header_end": header_end,
            "on_part_data": data,
        },
    )
    try:
        async for chunk in stream:
            parser.write(chunk)
            for piece in ready:
                yield piece
            ready.clear()
        parser.finalize()
    except MultipartParseError:
        files = 0
    if files != 1:
        raise Problem(
            422,
            "multipart_unreadable",
            "The multipart body does not hold exactly one part named `file`.",
            "Send the archive as the part `file`, or as the body with its `Content-Type`.",
        )
