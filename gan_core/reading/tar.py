"""A tar file, plain or packed with gzip, read once from its beginning to its end.

A tar has no table of contents, and names say which class an image belongs to; so everything is
looked through before anything is decoded. Of a plain tar the entries stay where they are. What
comes out of a gzip goes into one file without a name, under the limits for unpacked bytes: it costs
disk, not memory, and lets threads read where they like, as from a zip.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, Protocol

from gan_core.progress import OnProgress, Progress, ShouldStop, Stopped
from gan_core.reading.budget import Budget
from gan_core.reading.entry_names import (
    checked_name,
    duplicate_name,
    empty_archive,
    irregular_entry,
    too_many_entries,
)
from gan_core.reading.gunzip import GzipReader
from gan_core.reading.options import ReadOptions
from gan_core.reading.tar_header import (
    BLOCK,
    FOLDER,
    GNU_NAME,
    LINKS_AND_DEVICES,
    PAX,
    PAX_GLOBAL,
    REGULAR,
    TarHeader,
    contradiction,
    parse_header,
    parse_pax,
    text_of,
    unsupported,
)
from gan_core.spec.errors import GraftError

_CHUNK = 256 * 2**10
_MAX_EXTENDED = 64 * 2**10
# A name, a pax header and a global one before an entry; more in a row only fill memory.
_MAX_EXTENDED_IN_A_ROW = 4
# Tools fill up their last record; the largest common one is 10 KiB, tapes have had 1 MiB.
_MAX_PADDING = 2**20
_ZEROS = bytes(BLOCK)


@dataclass(frozen=True)
class TarRecord:
    """One regular file.

    Attributes:
        number: Place among the entries, folders counted and extended headers not, from 1.
        name: Free of control characters; never opened as a path.
        offset: Where its data begin in the file that ``TarContents.descriptor`` reads.
        size: Of the data, in bytes.
    """

    number: int
    name: str
    offset: int
    size: int


@dataclass(frozen=True)
class TarContents:
    """What was found, and where it can be read."""

    descriptor: int
    records: list[TarRecord]


class _Source(Protocol):
    """A stream of blocks whose data can be read again later."""

    descriptor: int

    def read(self, size: int) -> bytes: ...

    def keep(self, number: int, size: int) -> int:
        """Go past an entry's data; return where they can be read from now on."""
        ...


@contextmanager
def open_tar(
    descriptor: int,
    options: ReadOptions,
    *,
    is_gzip: bool,
    scratch: Path,
    on_progress: OnProgress,
    should_stop: ShouldStop,
) -> Iterator[TarContents]:
    """Look through a tar file.

    Args:
        descriptor: Of the file, open for reading.
        options: Limits.
        is_gzip: Whether it is packed.
        scratch: Folder on whose file system a packed one is unpacked, into a file without a name.
        on_progress: Told how much of the file was looked through.
        should_stop: Asked after every entry.

    Raises:
        GraftError: ``not_a_tar``, ``empty_archive``, or one of the codes ``archive_…``.
        OSError: The disk is full.
        Stopped: ``should_stop`` said so.
    """
    budget = Budget(options)
    size = max(1, os.fstat(descriptor).st_size)

    def check(at: int) -> None:
        if should_stop():
            raise Stopped
        on_progress(Progress(min(1.0, at / size), "unpacking the archive"))

    if not is_gzip:
        plain = _Plain(descriptor, budget)
        yield TarContents(descriptor, _index(plain, options, lambda: check(plain.at)))
        return
    with TemporaryFile(dir=scratch, buffering=0) as spool:
        gzip = GzipReader(descriptor, options)
        records = _index(_Packed(gzip, budget, spool), options, lambda: check(gzip.position))
        yield TarContents(spool.fileno(), records)


class _Plain:
    def __init__(self, descriptor: int, budget: Budget) -> None:
        self.descriptor = descriptor
        self.at = 0
        self._size = os.fstat(descriptor).st_size
        self._budget = budget

    def read(self, size: int) -> bytes:
        data = os.pread(self.descriptor, size, self.at)
        self.at += len(data)
        return data

    def keep(self, number: int, size: int) -> int:
        self._budget.spend(number, size, size)
        if size > self._size - self.at:
            raise _truncated()
        self.at += size
        return self.at - size


class _Packed:
    def __init__(self, gzip: GzipReader, budget: Budget, spool: BinaryIO) -> None:
        self.descriptor = spool.fileno()
        self.read = gzip.read
        self._budget = budget
        self._end = 0

    def keep(self, number: int, size: int) -> int:
        offset, done = self._end, 0
        # What the header says is no more than a reason to refuse early.
        self._budget.spend(number, 0, size)
        while done < size:
            chunk = self.read(min(_CHUNK, size - done))
            if not chunk:
                raise _truncated()
            done += len(chunk)
            self._budget.spend(number, len(chunk), done)
            while chunk:
                written = os.pwrite(self.descriptor, chunk, self._end)
                self._end += written
                chunk = chunk[written:]
        return offset


def _index(source: _Source, options: ReadOptions, check: Callable[[], None]) -> list[TarRecord]:
    records: list[TarRecord] = []
    names: set[str] = set()
    number = 0
    while (found := _next_header(source, number + 1)) is not None:
        check()
        header, name = found
        number += 1
        if number > options.max_entries:
            raise too_many_entries(options.max_entries)
        if header.kind in LINKS_AND_DEVICES:
            raise irregular_entry(number)
        if header.kind not in (REGULAR, FOLDER):
            raise unsupported(number, "a kind of entry")
        is_folder = header.kind == FOLDER or name.endswith(b"/")
        if is_folder and header.size:
            raise contradiction(f"entry {number} is a folder that holds data")
        name = name.removeprefix(b"./")
        if is_folder and name in (b"", b"."):  # `tar -C folder .` begins with the folder itself
            continue
        checked = checked_name(name, number)
        if checked in names:
            raise duplicate_name(number)
        names.add(checked)
        if not is_folder:
            offset = source.keep(number, header.size)
            _skip_padding(source, header.size, number)
            records.append(TarRecord(number, checked, offset, header.size))
    _read_to_the_end(source)
    if number == 0:
        raise empty_archive()
    return records


def _next_header(source: _Source, number: int) -> tuple[TarHeader, bytes] | None:
    """Return the next entry's header and name; None at the two zero blocks that end a tar."""
    given: bytes | None = None
    for _ in range(_MAX_EXTENDED_IN_A_ROW):
        block = source.read(BLOCK)
        if len(block) < BLOCK:
            raise _truncated()
        if block == _ZEROS:
            if given is not None or source.read(BLOCK) != _ZEROS:
                raise contradiction("it ends in the middle")
            return None
        header = parse_header(block, number)
        if header.kind not in (PAX, PAX_GLOBAL, GNU_NAME):
            return header, header.name if given is None else given
        if header.size > _MAX_EXTENDED:
            raise unsupported(number, "a very long name or attribute")
        data = source.read(header.size)
        if len(data) < header.size:
            raise _truncated()
        _skip_padding(source, header.size, number)
        if header.kind == GNU_NAME:
            name: bytes | None = text_of(data, number)
        else:
            name = parse_pax(data, number, is_global=header.kind == PAX_GLOBAL)
        if name is not None and given is not None:
            raise contradiction(f"entry {number} has two long names")
        given = given if name is None else name
    raise unsupported(number, "too many extended headers")


def _skip_padding(source: _Source, size: int, number: int) -> None:
    padding = source.read(-size % BLOCK)
    if len(padding) < -size % BLOCK:
        raise _truncated()
    if padding.strip(b"\0"):
        raise _hidden(f"Data lie hidden behind entry {number}.")


def _read_to_the_end(source: _Source) -> None:
    for _ in range(_MAX_PADDING // BLOCK):
        block = source.read(BLOCK)
        if block.strip(b"\0"):
            raise _hidden("The file goes on after the end of the archive.")
        if len(block) < BLOCK:
            return
    raise _hidden("The file goes on after the end of the archive.")


def _hidden(detail: str) -> GraftError:
    return GraftError("archive_hidden_data", detail, "Pack the folder anew.")


def _truncated() -> GraftError:
    return GraftError(
        "archive_truncated",
        "The archive ends in the middle.",
        "The upload may have been cut off: send it again.",
    )
