"""How large an encoded frame says that it is, before any decoder believes it.

A frame inside a DICOM file has a header of its own, which may differ from the DICOM header by a
factor of a million. Only markers are read here: JPEG and JPEG lossless (ITU-T T.81 B.2.2),
JPEG-LS (ITU-T T.87 C.2.2) and JPEG 2000 (ITU-T T.800 A.5.1).
"""

from __future__ import annotations

import struct

from gan_core.reading.unreadable import UnreadableError

_SOI = b"\xff\xd8"
_SOC = b"\xff\x4f\xff\x51"
_JP2 = b"\0\0\0\x0cjP  "
_DEFINE_FRAME = frozenset((*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), 0xF7))
_DEFINE_FRAME |= {0xCD, 0xCE, 0xCF}
_START_OF_SCAN = 0xDA
_ALONE = frozenset((0x01, *range(0xD0, 0xD9)))


def check_frame(frame: bytes, *, rows: int, columns: int, samples: int) -> None:
    """See that an encoded JPEG, JPEG-LS or JPEG 2000 frame is as large as the DICOM header says.

    Raises:
        UnreadableError: ``image_damaged``.
    """
    try:
        size = _jpeg_2000(frame) if _is_jpeg_2000(frame) else _jpeg(frame)
    except (struct.error, IndexError):
        size = None
    if size != (rows, columns, samples):
        raise UnreadableError(
            "image_damaged", "Its encoded pixels are not of the size that its header says."
        )


def _is_jpeg_2000(frame: bytes) -> bool:
    return frame.startswith((_SOC, _JP2))


def _jpeg_2000(frame: bytes) -> tuple[int, int, int] | None:
    # A JP2 file around the codestream is against the standard, and seen all the same.
    at = frame.find(_SOC, 0, 4096)
    if at < 0:
        return None
    right, bottom, left, top = struct.unpack_from(">4I", frame, at + 8)
    tile_width, tile_height = struct.unpack_from(">2I", frame, at + 24)
    (components,) = struct.unpack_from(">H", frame, at + 40)
    # A million tiny tiles, each with a header in the decoder's memory, are a bomb of their own.
    if not tile_width or not tile_height:
        return None
    tiles = -(-right // tile_width) * -(-bottom // tile_height)
    if tiles > 65535:
        return None
    return bottom - top, right - left, components


def _jpeg(frame: bytes) -> tuple[int, int, int] | None:
    if not frame.startswith(_SOI):
        return None
    at = 2
    while at < len(frame) - 1:
        if frame[at] != 0xFF:
            return None
        marker = frame[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
        elif marker in _DEFINE_FRAME:
            height, width, components = struct.unpack_from(">HHB", frame, at + 5)
            return height, width, components
        elif marker == _START_OF_SCAN:
            return None
        elif marker in _ALONE:
            at += 2
        else:
            (length,) = struct.unpack_from(">H", frame, at + 2)
            at += 2 + max(2, length)
    return None
