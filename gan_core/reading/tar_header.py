"""The header blocks of a tar file, read as hostile input.

POSIX.1-2001 (ustar and pax) and GNU tar's format, of which the plainest subset is taken: names and
sizes that all tools understand alike. What they may read differently is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from gan_core.spec.errors import GraftError

BLOCK = 512
MAGIC_AT = 257
MAGIC = b"ustar"

REGULAR, FOLDER = b"0", b"5"
PAX, PAX_GLOBAL, GNU_NAME = b"x", b"g", b"L"
LINKS_AND_DEVICES = frozenset((b"1", b"2", b"3", b"4", b"6", b"K"))

_POSIX, _GNU = b"ustar\x0000", b"ustar  \x00"
_OCTAL = re.compile(rb" *([0-7]{1,12})[ \0]*")
_DECIMAL = re.compile(rb"([1-9][0-9]{0,6}) ")
_UTF8_CHARSET = b"ISO-IR 10646 2000 UTF-8"


@dataclass(frozen=True)
class TarHeader:
    """One header block.

    Attributes:
        kind: The type flag; ``REGULAR`` also where an old tool wrote none.
        name: As the block has it, its prefix put before it.
        size: Bytes of the data that follow.
    """

    kind: bytes
    name: bytes
    size: int


def contradiction(what: str) -> GraftError:
    """Return the refusal of an archive that says two things about itself."""
    return GraftError(
        "archive_inconsistent", f"The archive contradicts itself: {what}.", "Pack the folder anew."
    )


def unsupported(number: int, what: str) -> GraftError:
    """Return the refusal of what only some tools understand."""
    return GraftError(
        "archive_tar_feature",
        f"Entry {number} uses {what}, which is not supported.",
        "Pack plain files with `tar czf` or as a zip.",
    )


def parse_header(block: bytes, number: int) -> TarHeader:
    """Read a header block.

    Args:
        block: 512 bytes.
        number: The entry's that it belongs to, for what is said of it.

    Raises:
        GraftError: ``not_a_tar``, ``archive_inconsistent`` or ``archive_tar_feature``.
    """
    magic = block[MAGIC_AT : MAGIC_AT + 8]
    if magic not in (_POSIX, _GNU):
        if number == 1:
            raise GraftError(
                "not_a_tar", "The gzip file holds no tar archive.", "Pack the folder as tar.gz."
            )
        raise contradiction(f"entry {number} has no tar header")
    stated = _octal(block[148:156], number, "checksum")
    # By the sum of the bytes with the checksum's own field blank.
    if stated != sum(block[:148]) + 8 * 0x20 + sum(block[156:]):
        raise contradiction(f"the header of entry {number} does not match its checksum")
    name = text_of(block[:100], number)
    # GNU tar keeps times where POSIX has the front part of a long name.
    prefix = text_of(block[345:500], number) if magic == _POSIX else b""
    kind = block[156:157]
    return TarHeader(
        REGULAR if kind == b"\0" else kind,
        prefix + b"/" + name if prefix else name,
        _octal(block[124:136], number, "size"),
    )


def text_of(field: bytes, number: int) -> bytes:
    """Return a text that ends with its field or at zero bytes, behind which nothing follows.

    Raises:
        GraftError: ``archive_inconsistent``.
    """
    text = field.rstrip(b"\0")
    if b"\0" in text:
        raise contradiction(f"the name of entry {number} ends twice")
    return text


def _octal(field: bytes, number: int, what: str) -> int:
    if field[0] & 0x80:
        # GNU's binary numbers, for what eleven octal digits cannot say: 8 GiB and more.
        raise unsupported(number, f"a {what} of 8 GiB or more")
    match = _OCTAL.fullmatch(field)
    if match is None:
        raise contradiction(f"the {what} of entry {number} is no number")
    return int(match[1], 8)


def parse_pax(data: bytes, number: int, *, is_global: bool) -> bytes | None:
    """Read the records of a pax header; return the name that it gives its entry, if any.

    Of all records only names count: times, owners and attributes are of no use here.

    Raises:
        GraftError: ``archive_inconsistent``, or ``archive_tar_feature`` for a record that changes
            where the data lie or how a name is read.
    """
    found: dict[bytes, bytes] = {}
    at = 0
    while at < len(data):
        match = _DECIMAL.match(data, at)
        end = at + int(match[1]) if match else 0
        if match is None or end > len(data) or data[end - 1 : end] != b"\n":
            raise contradiction(f"the extended header of entry {number} is broken")
        key, equals, value = data[match.end() : end - 1].partition(b"=")
        if not equals or not key or key in found:
            raise contradiction(f"the extended header of entry {number} is broken")
        found[key] = value
        at = end
    charset = found.get(b"hdrcharset", _UTF8_CHARSET)
    is_sparse = any(key.startswith(b"GNU.sparse") or key == b"SCHILY.realsize" for key in found)
    if is_sparse or b"size" in found or charset != _UTF8_CHARSET:
        raise unsupported(number, "a sparse file, a size or an encoding of its own")
    if is_global and b"path" in found:
        raise unsupported(number, "a name for all entries")
    return found.get(b"path")
