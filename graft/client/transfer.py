"""Files on their way: a folder into a zip, a file into a request, an answer into a file."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from types import TracebackType
from typing import BinaryIO, Self

from gan_core.spec.errors import GraftError
from graft.client.flow import Fetch, OnBytes

_CHUNK = 1 << 20
# The earliest moment that a zip can hold: a folder packed twice gives the same bytes.
_EPOCH = (1980, 1, 1, 0, 0, 0)


def _files_of(folder: Path) -> list[Path]:
    found = []
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not _is_clutter(name))
        found += [Path(root) / name for name in sorted(names) if not _is_clutter(name)]
    return [path for path in found if path.is_file()]


def _is_clutter(name: str) -> bool:
    return name.startswith(".") or name in {"__MACOSX", "Thumbs.db", "desktop.ini"}


@contextmanager
def as_zip(source: Path, on_bytes: OnBytes | None = None) -> Iterator[Path]:
    """Give a zip for an upload: the file itself, or a folder packed into a temporary file.

    Images are stored, not deflated: they are compressed already. Hidden files are left out.

    Raises:
        GraftError: ``no_such_file`` or ``empty_folder``.
    """
    if source.is_file():
        yield source
        return
    if not source.is_dir():
        raise GraftError(
            "no_such_file",
            f"There is no file or folder {str(source)!r}.",
            "Give a zip, or a folder with one folder of images for each class.",
        )
    files = _files_of(source)
    if not files:
        raise GraftError(
            "empty_folder",
            f"The folder {str(source)!r} holds no files.",
            "Give a folder with one folder of images for each class.",
        )
    total = sum(path.stat().st_size for path in files)
    done = 0
    with NamedTemporaryFile(prefix="graft-upload-", suffix=".zip") as temporary:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
            for path in files:
                entry = zipfile.ZipInfo(path.relative_to(source).as_posix(), _EPOCH)
                entry.file_size = path.stat().st_size  # decides whether zip64 is needed
                with path.open("rb") as read, archive.open(entry, "w") as written:
                    while chunk := read.read(_CHUNK):
                        written.write(chunk)
                        done += len(chunk)
                        if on_bytes is not None:
                            on_bytes(done, total)
        temporary.flush()
        yield Path(temporary.name)


def read_chunks(path: Path, on_bytes: OnBytes | None) -> Iterator[bytes]:
    """Yield a file's bytes, saying how far it is."""
    total = path.stat().st_size
    done = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk
            done += len(chunk)
            if on_bytes is not None:
                on_bytes(done, total)


def sha256_of(path: Path) -> str:
    """Return a file's SHA-256, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class PartFile:
    """Where a download goes until it is whole."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._file: BinaryIO | None = None
        self.offset = fetch.part.stat().st_size if fetch.part.exists() else 0
        if self.offset > fetch.size:
            fetch.part.unlink()
            self.offset = 0

    def headers(self) -> dict[str, str]:
        """Return the headers that ask for what is missing."""
        # A compressed answer could not be resumed at a byte of the file.
        headers = {"Accept-Encoding": "identity"}
        if self.offset:
            headers["Range"] = f"bytes={self.offset}-"
        return headers

    def begin(self, status: int) -> None:
        """Open the file, at its end when the answer is a part (206)."""
        if status != 206:
            self.offset = 0
        self._file = self._fetch.part.open("ab" if status == 206 else "wb")

    def write(self, chunk: bytes) -> None:
        """Append a chunk."""
        assert self._file is not None  # noqa: S101 - begin() comes first
        self._file.write(chunk)
        self.offset += len(chunk)
        if self._fetch.on_bytes is not None:
            self._fetch.on_bytes(self.offset, self._fetch.size)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()
