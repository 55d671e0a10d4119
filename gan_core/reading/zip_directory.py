"""The table of contents of a zip file, read as hostile input.

Zip files are ambiguous: the central directory, the local headers and the end record say the same
things twice, and parsers that believe different copies see different archives (Info-ZIP
APPNOTE 6.3.10 allows much of it). This parser takes the plainest subset and refuses everything
else with a code that says why: every byte of the file must be accounted for, exactly once, and
both copies of every fact must agree.
"""

from __future__ import annotations

import stat
import struct
from dataclasses import dataclass
from typing import BinaryIO

from gan_core.reading.entry_names import (
    checked_name,
    duplicate_name,
    empty_archive,
    irregular_entry,
    too_many_entries,
)
from gan_core.reading.zip_end import find_central, inconsistent, read_exactly
from gan_core.spec.errors import GraftError

STORED, DEFLATED = 0, 8
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_HAS_DESCRIPTOR = 0x8
_UTF8 = 0x800
_MAX16, _MAX32 = 0xFFFF, 0xFFFFFFFF

_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
# A central record is 46 bytes and its names; more than this a record in the mean is not honest.
_MAX_RECORD_BYTES = 1024


@dataclass(frozen=True)
class ZipRecord:
    """One entry, its two headers found to agree.

    Attributes:
        number: Place in the central directory, counted from 1.
        name: Decoded name, free of control characters; never opened as a path.
        method: 0 (stored) or 8 (deflated).
        crc: CRC-32 of the unpacked bytes.
        packed_bytes: Bytes of the data in the file.
        unpacked_bytes: What the headers claim; checked again while unpacking.
        data_offset: Where the data begin in the file.
    """

    number: int
    name: str
    method: int
    crc: int
    packed_bytes: int
    unpacked_bytes: int
    data_offset: int

    @property
    def is_folder(self) -> bool:
        """Whether the entry is a folder."""
        return self.name.endswith("/")


@dataclass(frozen=True)
class _Central:
    number: int
    raw_name: bytes
    flags: int
    method: int
    crc: int
    packed: int
    unpacked: int
    offset: int
    mode: int


def read_directory(file: BinaryIO, *, max_entries: int) -> list[ZipRecord]:
    """Read and check the table of contents.

    Args:
        file: Open for reading and seekable.
        max_entries: Most entries.

    Returns:
        The entries in the central directory's order.

    Raises:
        GraftError: ``not_a_zip``, ``empty_archive``, or one of the codes ``archive_…``.
    """
    start, end, count = find_central(file)
    if count > max_entries or end - start > max_entries * _MAX_RECORD_BYTES:
        raise too_many_entries(max_entries)
    if count == 0:
        raise empty_archive()
    centrals = _read_central(read_exactly(file, start, end - start), count)
    return _check_locals(file, centrals, start)


def _read_central(data: bytes, count: int) -> list[_Central]:
    records: list[_Central] = []
    at = 0
    while at < len(data):
        if len(data) - at < _CENTRAL.size or data[at : at + 4] != b"PK\x01\x02":
            raise inconsistent("its table of contents is broken")
        fields = _CENTRAL.unpack_from(data, at)
        flags, method, crc, packed, unpacked = fields[3], fields[4], *fields[7:10]
        name_size, extra_size, comment_size, disk = fields[10:14]
        external, offset = fields[15:17]
        at += _CENTRAL.size
        name = data[at : at + name_size]
        extra = data[at + name_size : at + name_size + extra_size]
        at += name_size + extra_size + comment_size
        if at > len(data) or disk not in (0, _MAX16):
            raise inconsistent("its table of contents is broken")
        unpacked, packed, offset = _wide(extra, unpacked, packed, offset)
        records.append(
            _Central(
                len(records) + 1, name, flags, method, crc, packed, unpacked, offset, external >> 16
            )
        )
    if len(records) != count:
        raise inconsistent(f"it says {count} entries and lists {len(records)}")
    return records


def _wide(extra: bytes, *fields: int) -> tuple[int, ...]:
    """Replace each field that says "see the zip64 extra" by what stands there, in order."""
    values = list(fields)
    wide = b""
    at = 0
    while at + 4 <= len(extra):
        kind, size = struct.unpack_from("<HH", extra, at)
        if kind == 1:
            wide = extra[at + 4 : at + 4 + size]
            break
        at += 4 + size
    for i, value in enumerate(values):
        if value == _MAX32 and len(wide) >= 8:
            values[i] = int.from_bytes(wide[:8], "little")
            wide = wide[8:]
    return tuple(values)


def _check_locals(file: BinaryIO, centrals: list[_Central], start: int) -> list[ZipRecord]:
    """Check every local header against the central one, and that no byte lies between entries."""
    records: dict[int, ZipRecord] = {}
    names: set[str] = set()
    expected = 0
    for central in sorted(centrals, key=lambda c: c.offset):
        name = _checked_name(central)
        if name in names:
            raise duplicate_name(central.number)
        names.add(name)
        _check_kind(central)
        if central.offset != expected or central.packed > start:
            raise GraftError(
                "archive_hidden_data",
                f"The data before entry {central.number} overlap or belong to no entry.",
                "Zip the folder anew.",
            )
        data_offset = _check_local(file, central)
        expected = data_offset + central.packed
        if central.flags & _HAS_DESCRIPTOR:
            expected += _descriptor_size(file, central, expected)
        records[central.number] = ZipRecord(
            central.number,
            name,
            central.method,
            central.crc,
            central.packed,
            central.unpacked,
            data_offset,
        )
    if expected != start:
        raise GraftError(
            "archive_hidden_data",
            "Data that belong to no entry lie before the table of contents.",
            "Zip the folder anew.",
        )
    return [records[number] for number in sorted(records)]


def _check_local(file: BinaryIO, central: _Central) -> int:
    """Compare the two headers of an entry; return where its data begin."""
    fields = _LOCAL.unpack(read_exactly(file, central.offset, _LOCAL.size))
    signature, _, flags, method, _, _, crc, packed, unpacked, name_size, extra_size = fields
    rest = read_exactly(file, central.offset + _LOCAL.size, name_size + extra_size)
    unpacked, packed = _wide(rest[name_size:], unpacked, packed)
    meaningful = _ENCRYPTED | _HAS_DESCRIPTOR
    agrees = (
        signature == b"PK\x03\x04"
        and rest[:name_size] == central.raw_name
        and method == central.method
        and flags & meaningful == central.flags & meaningful
    )
    facts = (crc, packed, unpacked)
    wanted = (central.crc, central.packed, central.unpacked)
    if central.flags & _HAS_DESCRIPTOR:
        # Written before the data were known: zero (or "see elsewhere") is honest here.
        agrees = agrees and all(a in (b, 0, _MAX32) for a, b in zip(facts, wanted, strict=True))
    else:
        agrees = agrees and facts == wanted
    if not agrees:
        raise GraftError(
            "archive_header_mismatch",
            f"The two headers of entry {central.number} do not agree.",
            "Zip the folder anew.",
        )
    return central.offset + _LOCAL.size + len(rest)


def _descriptor_size(file: BinaryIO, central: _Central, at: int) -> int:
    """Return the bytes of the data descriptor at ``at``: 32 or 64 bit, signed or not."""
    file.seek(at)
    data = file.read(26)
    facts = (central.crc, central.packed, central.unpacked)
    bodies = [struct.pack("<LQQ", *facts)]
    if max(facts) <= _MAX32:
        bodies.append(struct.pack("<LLL", *facts))
    for body in bodies:
        for descriptor in (b"PK\x07\x08" + body, body):
            # Another header follows: so a 32-bit one is not taken for the start of a 64-bit one.
            follows = data[len(descriptor) : len(descriptor) + 2]
            if data.startswith(descriptor) and follows == b"PK":
                return len(descriptor)
    raise GraftError(
        "archive_header_mismatch",
        f"The two headers of entry {central.number} do not agree.",
        "Zip the folder anew.",
    )


def _checked_name(central: _Central) -> str:
    return checked_name(
        central.raw_name, central.number, fallback=None if central.flags & _UTF8 else "cp437"
    )


def _check_kind(central: _Central) -> None:
    number = central.number
    if central.flags & _ENCRYPTED:
        raise GraftError(
            "archive_encrypted", f"Entry {number} is encrypted.", "Zip the folder without password."
        )
    kind = stat.S_IFMT(central.mode)
    is_folder = central.raw_name.endswith(b"/")
    if kind not in (0, stat.S_IFDIR if is_folder else stat.S_IFREG):
        raise irregular_entry(number)
    if is_folder and central.unpacked:
        raise inconsistent(f"entry {number} is a folder that holds data")
    if central.method not in (STORED, DEFLATED):
        raise GraftError(
            "archive_compression",
            f"Entry {number} is packed in a way that is not supported.",
            "Zip with the usual method (deflate), or without compression.",
        )
