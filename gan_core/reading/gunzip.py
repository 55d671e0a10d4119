"""A gzip file (RFC 1952) of one member, unpacked as a stream under limits.

Parsers differ in what they do with a second member, or with what lies behind the last: some read
on, some stop, some say nothing. Here both are refused.
"""

from __future__ import annotations

import os
import zlib

from gan_core.reading.options import ReadOptions
from gan_core.spec.errors import GraftError

GZIP_MAGIC = b"\x1f\x8b"

_CHUNK = 256 * 2**10
# Below this, a high ratio harms nobody.
_RATIO_MATTERS_ABOVE = 2**20
_GZIP = 16 + zlib.MAX_WBITS


class GzipReader:
    """Reads what a gzip file holds, from its beginning to its end.

    Args:
        descriptor: Of the file, open for reading.
        options: Whose ``max_ratio`` holds for the file as a whole.
    """

    def __init__(self, descriptor: int, options: ReadOptions) -> None:
        self._descriptor = descriptor
        self._max_ratio = options.max_ratio
        self._inflate = zlib.decompressobj(_GZIP)
        self._at = 0
        self._packed = b""
        self._ready = b""
        self._taken = 0
        self._unpacked = 0

    @property
    def position(self) -> int:
        """How much of the file was read, in bytes."""
        return self._at

    def read(self, size: int) -> bytes:
        """Return the next ``size`` bytes, fewer where the content ends.

        Raises:
            GraftError: ``archive_truncated``, ``archive_damaged``, ``archive_checksum``,
                ``archive_concatenated``, ``archive_hidden_data`` or ``archive_ratio``.
        """
        pieces: list[bytes] = []
        while size > 0:
            if self._taken == len(self._ready):
                self._ready, self._taken = self._more(), 0
                if not self._ready:
                    break
            piece = self._ready[self._taken : self._taken + size]
            self._taken += len(piece)
            size -= len(piece)
            pieces.append(piece)
        return b"".join(pieces)

    def _more(self) -> bytes:
        """Return at most ``_CHUNK`` bytes more; none at the end, once all of it was checked."""
        while not self._inflate.eof:
            if not self._packed:
                self._packed = os.pread(self._descriptor, _CHUNK, self._at)
                self._at += len(self._packed)
            is_at_end = not self._packed
            try:
                chunk = self._inflate.decompress(self._packed, _CHUNK)
            except zlib.error as error:
                raise _damaged(error) from None
            self._packed = self._inflate.unconsumed_tail
            self._count(len(chunk))
            if chunk:
                return chunk
            if is_at_end and not self._inflate.eof:
                raise GraftError(
                    "archive_truncated",
                    "The gzip file ends in the middle.",
                    "The upload may have been cut off: send it again.",
                )
        self._refuse_more()
        return b""

    def _count(self, unpacked: int) -> None:
        self._unpacked += unpacked
        packed = self._at - len(self._packed)
        if self._unpacked > max(_RATIO_MATTERS_ABOVE, self._max_ratio * packed):
            raise GraftError(
                "archive_ratio",
                f"The archive unpacks to more than {self._max_ratio:g} times its packed size.",
                "Images do not pack like that: look at what it holds.",
            )

    def _refuse_more(self) -> None:
        behind = self._inflate.unused_data or os.pread(self._descriptor, 2, self._at)
        if behind.startswith(GZIP_MAGIC):
            raise GraftError(
                "archive_concatenated",
                "A second gzip file follows the first.",
                "Pack everything into one archive.",
            )
        if behind:
            raise GraftError(
                "archive_hidden_data",
                "The file goes on after the end of the archive.",
                "Pack the folder anew.",
            )


def _damaged(error: zlib.error) -> GraftError:
    # zlib has one exception for all, and says in its text that only the trailer is wrong.
    if "incorrect data check" in str(error) or "incorrect length check" in str(error):
        return GraftError(
            "archive_checksum",
            "The archive's bytes do not match its checksum.",
            "The upload may have been damaged: send it again.",
        )
    return GraftError(
        "archive_damaged",
        "The archive's data cannot be unpacked.",
        "The upload may have been damaged: send it again.",
    )
