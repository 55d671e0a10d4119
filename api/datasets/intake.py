"""The bytes of an upload, as they arrive: counted, hashed, and never gathered in memory."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from email.message import Message

from fastapi import Request
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser

from api.problems import Problem

_RAW_TYPES = {
    "application/zip",
    "application/x-zip-compressed",
    "application/octet-stream",
}
# The first entry's local header; an archive without entries begins with PK\5\6.
_SIGNATURES = (b"PK\x03\x04", b"PK\x05\x06")


class Intake:
    """Reads one upload.

    Attributes:
        size: Bytes so far.
        sha256: Of the bytes so far.
    """

    def __init__(self, request: Request, max_bytes: int) -> None:
        self._request = request
        self._max_bytes = max_bytes
        self.size = 0
        self.sha256 = hashlib.sha256()

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the zip's bytes.

        Raises:
            Problem: 413, 415, or 422 ``upload_empty`` or ``not_a_zip``.
        """
        start = b""
        async for chunk in self._body():
            self.size += len(chunk)
            if self.size > self._max_bytes:
                raise self._too_large()
            if len(start) < 4:
                start = (start + chunk)[:4]
                if len(start) == 4 and start not in _SIGNATURES:
                    # Said at the first bytes, not after gigabytes.
                    raise _not_a_zip()
            self.sha256.update(chunk)
            yield chunk
        if self.size == 0:
            raise Problem(
                422, "upload_empty", "The upload is empty.", "Send the zip as the request's body."
            )
        if len(start) < 4:
            raise _not_a_zip()

    def _body(self) -> AsyncIterator[bytes]:
        declared = self._request.headers.get("content-length", "")
        # A multipart body is a little longer than its file; the exact count comes while reading.
        if declared.isdecimal() and int(declared) > self._max_bytes + 65536:
            raise self._too_large()
        header = Message()
        header["content-type"] = self._request.headers.get("content-type", "")
        kind = header.get_content_type()
        if kind in _RAW_TYPES:
            return self._request.stream()
        boundary = header.get_param("boundary")
        if kind == "multipart/form-data" and isinstance(boundary, str) and boundary:
            return _file_part(self._request.stream(), boundary)
        raise Problem(
            415,
            "media_type_unsupported",
            "An upload is a zip.",
            "Send it as the body with `Content-Type: application/zip`, or as the part `file` of"
            " a `multipart/form-data` body.",
            headers={"Accept-Post": "application/zip, multipart/form-data"},
        )

    def _too_large(self) -> Problem:
        return Problem(
            413,
            "upload_too_large",
            f"The upload is larger than the {self._max_bytes} bytes that this service takes.",
            "Leave out images, or ask the service's operator to raise GRAFT_MAX_UPLOAD_BYTES.",
        )


def _not_a_zip() -> Problem:
    return Problem(
        422,
        "not_a_zip",
        "The upload is not a zip file.",
        "Send a zip that holds one folder of images for each class.",
    )


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
            "Send the zip as the part `file`, or as the body with `Content-Type: application/zip`.",
        )
