"""Files on their way: a folder into a zip, a file into a request, an answer into a file."""

from __future__ import annotations

import base64
import hashlib
import os
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from types import TracebackType
from typing import BinaryIO, Self

import httpx

from gan_core.spec.errors import GraftError
from graft.client.flow import Fetch, OnBytes

_CHUNK = 1 << 20
# The earliest moment that a zip can hold: a folder packed twice gives the same bytes.
_EPOCH = (1980, 1, 1, 0, 0, 0)


# What the service reads as images. It decodes other files without a suffix too, but a folder of
# somebody's work holds too many of those that are none.
IMAGE_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".tif", ".tiff", ".bmp", ".dib", ".webp")
) | frozenset((".dcm", ".dicom", ".dic", ".ima"))

OnLeftOut = Callable[[int], None]
"""Called with how many files of a folder are no images and were not packed."""


def _images_of(folder: Path) -> tuple[list[Path], int]:
    """Return a folder's images in order, and how many other entries it holds, clutter aside.

    A link may lead out of the folder, so none is followed.
    """
    images: list[Path] = []
    left_out = 0
    for root, folders, names in os.walk(folder, onerror=_refuse_folder):
        folders[:] = sorted(name for name in folders if not _is_clutter(name))
        left_out += sum((Path(root) / name).is_symlink() for name in folders)
        for name in sorted(names):
            path = Path(root) / name
            if _is_clutter(name):
                continue
            is_image = path.suffix.casefold() in IMAGE_SUFFIXES
            if is_image and not path.is_symlink() and path.is_file():
                images.append(path)
            else:
                left_out += 1
    return images, left_out


def _is_clutter(name: str) -> bool:
    return name.startswith(".") or name in {"__MACOSX", "Thumbs.db", "desktop.ini"}


def _unreadable(path: str, error: OSError) -> GraftError:
    return GraftError(
        "unreadable_file",
        f"{path!r} cannot be read: {error.strerror or type(error).__name__}.",
        "Nothing was uploaded. Make it readable, or move it out of the folder.",
    )


def _refuse_folder(error: OSError) -> None:
    raise _unreadable(str(error.filename), error) from error


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _unreadable(str(path), error) from error


@contextmanager
def as_zip(
    source: Path, on_bytes: OnBytes | None = None, on_left_out: OnLeftOut | None = None
) -> Iterator[Path]:
    """Give an archive for an upload: the file itself, or a folder packed into a temporary file.

    Of a folder nothing but images is packed: what lies beside them may name patients. Hidden
    files and links are left out. Images are stored, not deflated: they are compressed already.

    Args:
        source: A zip, tar or tar.gz, sent as it is, or a folder.
        on_bytes: Called while a folder is packed.
        on_left_out: Called once before that, if there is anything that is not packed.

    Raises:
        GraftError: ``no_such_file``, ``empty_folder`` or ``unreadable_file``.
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
    files, left_out = _images_of(source)
    if not files:
        raise GraftError(
            "empty_folder",
            f"The folder {str(source)!r} holds no images.",
            "Give a folder with one folder of images for each class: JPEG, PNG, TIFF, BMP, WebP.",
        )
    if left_out and on_left_out is not None:
        on_left_out(left_out)
    total = 0
    for path in files:
        with _reading(path):
            total += path.stat().st_size
    done = 0
    with NamedTemporaryFile(prefix="graft-upload-", suffix=".zip") as temporary:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
            for path in files:
                entry = zipfile.ZipInfo(path.relative_to(source).as_posix(), _EPOCH)
                for chunk in _chunks_into(archive, entry, path):
                    done += chunk
                    if on_bytes is not None:
                        on_bytes(done, total)
        temporary.flush()
        yield Path(temporary.name)


def _chunks_into(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path) -> Iterator[int]:
    """Copy a file into a zip; yield how many bytes each chunk had."""
    with _reading(path):
        read = path.open("rb")
        entry.file_size = path.stat().st_size  # decides whether zip64 is needed
    with read, archive.open(entry, "w") as written:
        while True:
            with _reading(path):
                chunk = read.read(_CHUNK)
            if not chunk:
                return
            written.write(chunk)
            yield len(chunk)


def read_chunks(
    path: Path, on_bytes: OnBytes | None, start: int = 0, length: int | None = None
) -> Iterator[bytes]:
    """Yield a file's bytes, or some of them, saying how far it is."""
    total = path.stat().st_size - start if length is None else length
    done = 0
    with path.open("rb") as file:
        file.seek(start)
        while chunk := file.read(min(_CHUNK, total - done)):
            yield chunk
            done += len(chunk)
            if on_bytes is not None:
                on_bytes(done, total)


@dataclass(frozen=True)
class FileDigests:
    """SHA-256 of a file and of its parts, hex."""

    whole: str
    parts: list[str]

    def header(self, number: int) -> str:
        """Return ``Repr-Digest`` (RFC 9530) of a part, counted from 1."""
        return f"sha-256=:{base64.b64encode(bytes.fromhex(self.parts[number - 1])).decode()}:"


def digests_of(path: Path, part_size: int, on_bytes: OnBytes | None) -> FileDigests:
    """Return a file's SHA-256, and those of its parts, in one reading."""
    whole = hashlib.sha256()
    parts: list[str] = []
    size = path.stat().st_size
    for start in range(0, size, part_size):
        length = min(part_size, size - start)
        part = hashlib.sha256()
        for chunk in read_chunks(path, None, start, length):
            whole.update(chunk)
            part.update(chunk)
        parts.append(part.hexdigest())
        if on_bytes is not None:
            on_bytes(start + length, size)
    return FileDigests(whole.hexdigest(), parts)


def sha256_of(path: Path) -> str:
    """Return a file's SHA-256, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class PartFile:
    """Where a download goes until it is whole."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._file: BinaryIO | None = None
        self.offset = fetch.fetched()
        if fetch.size is None or self.offset >= fetch.size:
            fetch.part.unlink(missing_ok=True)
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
        self.offset += len(chunk)
        size = self._fetch.size
        if size is not None and self.offset > size:
            raise httpx.RemoteProtocolError("more came than there is")
        self._file.write(chunk)
        if self._fetch.on_bytes is not None and size is not None:
            self._fetch.on_bytes(self.offset, size)

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


class told_plainly(AbstractContextManager[None]):  # noqa: N801 - reads as a statement
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
