"""What an archive may unpack to, counted while it is unpacked."""

from __future__ import annotations

import threading

from gan_core.reading.options import ReadOptions
from gan_core.spec.errors import GraftError


class Budget:
    """Counts unpacked bytes, of one entry and of all, as they come; several threads may."""

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
