"""A zip or a folder as a list of numbered entries whose bytes are read under limits.

Nothing is ever written to, or opened at, a name from an archive; nested archives stay closed.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from gan_core.reading.options import ReadOptions
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
def open_archive(source: Path, options: ReadOptions) -> Iterator[Archive]:
    """Open a zip or a folder.

    A folder is for the local command line alone: it is trusted not to change under the reader.

    Raises:
        GraftError: ``source_not_found``, ``not_a_zip``, ``empty_archive`` or ``archive_…``.
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
        yield _Zip(descriptor, options)
    finally:
        os.close(descriptor)


class _Budget:
    """Counts unpacked bytes, of one entry and of all, as they come."""

    def __init__(self, options: ReadOptions) -> None:
        self._options = options
        self._total = 0
        self._lock = threading.Lock()

    def spend(self, number: int, chunk: int, entry_bytes: int) -> None:
        """Count ``chunk`` bytes more, ``entry_bytes`` of this entry in all.

        Raises:
            GraftError: ``archive_entry_too_large``, ``archive_too_large``.
        """
        with self._lock:
            self._total += chunk
            total = self._total
        if entry_bytes > self._options.max_entry_bytes:
            raise GraftError(
                "archive_entry_too_large",
                f"Entry {number} unpacks to more than {self._options.max_entry_bytes:,} bytes.",
                "Leave it out, or make the image smaller.",
            )
        if total > self._options.max_unpacked_bytes:
            raise GraftError(
                "archive_too_large",
                f"The set unpacks to more than {self._options.max_unpacked_bytes:,} bytes.",
                "Send fewer or smaller images.",
            )


class _Zip:
    def __init__(self, descriptor: int, options: ReadOptions) -> None:
        with os.fdopen(os.dup(descriptor), "rb") as file:
            records = read_directory(file, max_entries=options.max_entries)
        self._descriptor = descriptor
        self._records = {record.number: record for record in records}
        self._max_ratio = options.max_ratio
        self._budget = _Budget(options)
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
        self._budget = _Budget(options)
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
