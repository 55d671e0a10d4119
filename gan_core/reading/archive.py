"""A zip, a tar or a folder as a list of numbered entries whose bytes are read under limits.

Nothing is ever written to, or opened at, a name from an archive; nested archives stay closed.
"""

from __future__ import annotations

import errno
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import gettempdir
from typing import Protocol

from gan_core.progress import OnProgress, ShouldStop, ignore_progress, never_stop
from gan_core.reading.budget import Budget
from gan_core.reading.gunzip import GZIP_MAGIC
from gan_core.reading.options import ReadOptions
from gan_core.reading.tar import TarContents, open_tar
from gan_core.reading.tar_header import BLOCK, MAGIC, MAGIC_AT
from gan_core.reading.unreadable import UnreadableError
from gan_core.reading.zip_directory import DEFLATED, ZipRecord, read_directory
from gan_core.spec.errors import GraftError

_CHUNK = 256 * 2**10
# Below this, a high ratio harms nobody, and small flat images reach it honestly.
_RATIO_MATTERS_ABOVE = 2**20


@dataclass(frozen=True)
class Entry:
    """A regular file of an archive or folder.

    Attributes:
        number: Place in the archive, counted from 1; in a folder, place in the sorted walk.
        name: Name with forward slashes, relative to the root.
    """

    number: int
    name: str


class Archive(Protocol):
    """What ``pack`` needs of a zip or folder. ``read`` may be called from several threads."""

    entries: list[Entry]
    skipped_links: int
    """Links of a folder that were not followed."""

    def read(self, entry: Entry) -> bytes:
        """Return the entry's unpacked bytes.

        Raises:
            UnreadableError: ``entry_damaged``.
            GraftError: A limit is exceeded (``archive_entry_too_large``, ``archive_too_large``,
                ``archive_ratio``).
        """
        ...


@contextmanager
def open_archive(
    source: Path,
    options: ReadOptions,
    *,
    scratch: Path | None = None,
    on_progress: OnProgress = ignore_progress,
    should_stop: ShouldStop = never_stop,
) -> Iterator[Archive]:
    """Open a zip, a tar, a tar.gz or a folder. Its first bytes say which, not its name.

    A folder is for the local command line alone: it is trusted not to change under the reader.

    Args:
        source: The file or folder.
        options: Limits.
        scratch: Folder on whose file system a tar.gz is unpacked; None: the system's own.
        on_progress: Told how far a tar was looked through.
        should_stop: Asked while a tar is looked through.

    Raises:
        GraftError: ``source_not_found``, ``not_a_zip``, ``not_a_tar``, ``empty_archive`` or
            ``archive_…``.
        Stopped: ``should_stop`` said so.
    """
    if source.is_dir():
        yield _Folder(source, options)
        return
    try:
        descriptor = os.open(source, os.O_RDONLY)
    except OSError as error:
        raise GraftError(
            "source_not_found",
            f"The data set cannot be opened ({os.strerror(error.errno or errno.EIO)}).",
            "Name a zip file or a folder of class folders.",
        ) from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise GraftError("not_a_zip", "The source is no file.", "Name a zip file or a folder.")
        start = os.pread(descriptor, BLOCK, 0)
        is_gzip = start.startswith(GZIP_MAGIC)
        is_tar = start.startswith(MAGIC, MAGIC_AT) and not start.startswith(b"PK")
        if not is_gzip and not is_tar:
            yield _Zip(descriptor, options)
            return
        with open_tar(
            descriptor,
            options,
            is_gzip=is_gzip,
            scratch=scratch or Path(gettempdir()),
            on_progress=on_progress,
            should_stop=should_stop,
        ) as contents:
            yield _Tar(contents)
    finally:
        os.close(descriptor)


class _Tar:
    def __init__(self, contents: TarContents) -> None:
        self._descriptor = contents.descriptor
        self._records = {record.number: record for record in contents.records}
        self.entries = [Entry(record.number, record.name) for record in contents.records]
        self.skipped_links = 0

    def read(self, entry: Entry) -> bytes:
        record = self._records[entry.number]
        # Its size was counted when the file was looked through.
        data = os.pread(self._descriptor, record.size, record.offset)
        while len(data) < record.size:
            more = os.pread(self._descriptor, record.size - len(data), record.offset + len(data))
            if not more:
                raise UnreadableError("entry_damaged", "Its data are cut off.")
            data += more
        return data


class _Zip:
    def __init__(self, descriptor: int, options: ReadOptions) -> None:
        with os.fdopen(os.dup(descriptor), "rb") as file:
            records = read_directory(file, max_entries=options.max_entries)
        self._descriptor = descriptor
        self._records = {record.number: record for record in records}
        self._max_ratio = options.max_ratio
        self._budget = Budget(options)
        self.entries = [Entry(r.number, r.name) for r in records if not r.is_folder]
        self.skipped_links = 0

    def read(self, entry: Entry) -> bytes:
        record = self._records[entry.number]
        unpacked = bytearray()
        crc = 0
        for chunk in self._chunks(record):
            unpacked += chunk
            crc = zlib.crc32(chunk, crc)
            self._budget.spend(record.number, len(chunk), len(unpacked))
            if len(unpacked) > max(_RATIO_MATTERS_ABOVE, self._max_ratio * record.packed_bytes):
                raise GraftError(
                    "archive_ratio",
                    f"Entry {record.number} unpacks to more than {self._max_ratio:g} times its "
                    "packed size.",
                    "Images do not pack like that: leave the entry out.",
                )
        if len(unpacked) != record.unpacked_bytes or crc != record.crc:
            raise UnreadableError("entry_damaged", "Its bytes do not match their checksum.")
        return bytes(unpacked)

    def _chunks(self, record: ZipRecord) -> Iterator[bytes]:
        """Yield unpacked bytes, never more than ``_CHUNK`` at a time, whatever the packed say."""
        # pread: several threads read at places of their own.
        inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        for done in range(0, record.packed_bytes, _CHUNK):
            size = min(_CHUNK, record.packed_bytes - done)
            packed = os.pread(self._descriptor, size, record.data_offset + done)
            if len(packed) != size:
                raise UnreadableError("entry_damaged", "Its data are cut off.")
            if record.method != DEFLATED:
                yield packed
                continue
            while packed:
                try:
                    chunk = inflate.decompress(packed, _CHUNK)
                except zlib.error:
                    raise UnreadableError("entry_damaged", "Its data cannot be unpacked.") from None
                packed = inflate.unconsumed_tail
                yield chunk
            if inflate.unused_data:
                raise UnreadableError("entry_damaged", "Its data go on after their end.")
        if record.method == DEFLATED:
            while not inflate.eof:
                # Asking for _CHUNK bytes may leave some inside that need no further input.
                try:
                    chunk = inflate.decompress(b"", _CHUNK)
                except zlib.error:
                    raise UnreadableError("entry_damaged", "Its data cannot be unpacked.") from None
                if not chunk:
                    raise UnreadableError("entry_damaged", "Its data are cut off.")
                yield chunk


class _Folder:
    def __init__(self, root: Path, options: ReadOptions) -> None:
        self._root = root
        self._budget = Budget(options)
        self.entries: list[Entry] = []
        self.skipped_links = 0
        for name in self._walk(""):
            if len(self.entries) >= options.max_entries:
                raise GraftError(
                    "archive_too_many_entries",
                    f"The folder holds more than {options.max_entries:,} files.",
                    "Leave out what is no image, or split the set.",
                )
            self.entries.append(Entry(len(self.entries) + 1, name))
        if not self.entries:
            raise GraftError("empty_archive", "The folder is empty.", "Add folders of images.")

    def _walk(self, inside: str) -> Iterator[str]:
        with os.scandir(self._root / inside) as found:
            children = sorted(found, key=lambda child: child.name)
        for child in children:
            name = f"{inside}{child.name}"
            if child.is_symlink():
                self.skipped_links += 1
            elif child.is_dir(follow_symlinks=False):
                yield from self._walk(f"{name}/")
            elif child.is_file(follow_symlinks=False):
                yield name

    def read(self, entry: Entry) -> bytes:
        data = bytearray()
        try:
            descriptor = os.open(self._root / entry.name, os.O_RDONLY | os.O_NOFOLLOW)
            with os.fdopen(descriptor, "rb") as file:
                while chunk := file.read(_CHUNK):
                    data += chunk
                    self._budget.spend(entry.number, len(chunk), len(data))
        except OSError as error:
            reason = os.strerror(error.errno or errno.EIO)
            raise UnreadableError("entry_damaged", f"It cannot be read ({reason}).") from error
        return bytes(data)
