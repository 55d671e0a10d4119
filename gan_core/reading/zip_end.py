"""Where the table of contents of a zip file lies: its end record, read as hostile input."""

from __future__ import annotations

import os
import struct
from typing import BinaryIO

from gan_core.spec.errors import GraftError

_MAX16, _MAX32 = 0xFFFF, 0xFFFFFFFF

_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR64 = struct.Struct("<4sLQL")


def inconsistent(what: str) -> GraftError:
    """Return the refusal of an archive that says two things about itself."""
    return GraftError(
        "archive_inconsistent", f"The archive contradicts itself: {what}.", "Zip the folder anew."
    )


def read_exactly(file: BinaryIO, offset: int, size: int) -> bytes:
    """Return ``size`` bytes at ``offset``.

    Raises:
        GraftError: ``archive_inconsistent`` when the file ends before.
    """
    # A 64-bit field may name an offset that no file system has.
    file.seek(min(offset, 2**62))
    data = file.read(size)
    if len(data) != size:
        raise inconsistent("it points behind its own end")
    return data


def find_central(file: BinaryIO) -> tuple[int, int, int]:
    """Return where the central directory begins and ends, and how many entries it says it has.

    Raises:
        GraftError: ``not_a_zip``, ``archive_truncated``, ``archive_hidden_data`` or
            ``archive_inconsistent``.
    """
    size = file.seek(0, os.SEEK_END)
    tail_start = max(0, size - _END.size - _MAX16)
    tail = read_exactly(file, tail_start, size - tail_start)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END.size:
        file.seek(0)
        if file.read(4) == b"PK\x03\x04":
            raise GraftError(
                "archive_truncated",
                "The file begins as a zip, but its table of contents is missing.",
                "The upload may have been cut off: send it again.",
            )
        raise GraftError(
            "not_a_zip",
            "The file is neither a zip nor a tar archive.",
            "Send a .zip or .tar.gz file.",
        )
    fields = _END.unpack_from(tail, at)
    _, disk, central_disk, count_here, count, central_size, central_offset, comment = fields
    if at + _END.size + comment != len(tail):
        raise GraftError(
            "archive_hidden_data",
            "The file goes on after the end of the archive.",
            "Zip the folder anew.",
        )
    if _is_end(tail, tail.rfind(b"PK\x05\x06", 0, at)):
        raise inconsistent("it has two ends")
    if disk != central_disk or disk not in (0, _MAX16) or count_here != count:
        raise GraftError(
            "archive_inconsistent",
            "The archive is one part of several.",
            "Zip the folder into one file.",
        )
    end = tail_start + at
    locator = (
        read_exactly(file, end - _LOCATOR64.size, _LOCATOR64.size)
        if end >= _LOCATOR64.size
        else b""
    )
    if len(locator) == _LOCATOR64.size and locator.startswith(b"PK\x06\x07"):
        given = (count, central_size, central_offset)
        end, count, central_size, central_offset = _read_end64(file, locator, end)
        actual = (count, central_size, central_offset)
        for old, new, unknown in zip(given, actual, (_MAX16, _MAX32, _MAX32), strict=True):
            if old not in (new, unknown):
                raise inconsistent("its two end records differ")
    if central_offset + central_size != end:
        raise GraftError(
            "archive_hidden_data",
            "Something lies before the archive, or between its parts.",
            "Zip the folder anew.",
        )
    return central_offset, end, count


def _is_end(tail: bytes, at: int) -> bool:
    """Whether a parser that looks at ``at`` first would find an end record there as well."""
    if at < 0 or len(tail) - at < _END.size:
        return False
    return at + _END.size + int(_END.unpack_from(tail, at)[-1]) == len(tail)


def _read_end64(file: BinaryIO, locator: bytes, end: int) -> tuple[int, int, int, int]:
    _, disk, offset, _ = _LOCATOR64.unpack(locator)
    signature, size, _, _, disk_here, central_disk, count_here, count, length, start = (
        _END64.unpack(read_exactly(file, offset, _END64.size))
    )
    if signature != b"PK\x06\x06" or offset + 12 + size != end - _LOCATOR64.size:
        raise inconsistent("its 64-bit end record is not where it should be")
    if disk or disk_here or central_disk or count_here != count:
        raise inconsistent("it is one part of several")
    return offset, count, length, start
