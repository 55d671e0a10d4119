"""The little that the Celery parent and its pool processes tell each other.

An anonymous page of memory that is made before the fork: it needs no lock, and writing one byte
of it is safe in a signal handler.
"""

from __future__ import annotations

import mmap
import os
import socket
import time
import uuid

_STOP = 0
_STEP = slice(1, 129)
_TROUBLE = slice(129, 641)
_HEARD = slice(641, 649)
_TROUBLED_AT = slice(649, 657)
_TROUBLE_LASTS = 300.0


class SharedState:
    """Whether the worker is asked to stop, and which step was claimed last.

    Attributes:
        worker_id: The worker's name in leases and in the register; the same in all its processes.
    """

    def __init__(self) -> None:
        self._page = mmap.mmap(-1, mmap.PAGESIZE)
        self.host = socket.gethostname()
        self.worker_id = f"{self.host[:60]}-{os.getpid()}-{uuid.uuid4().hex[:8]}"

    def ask_to_stop(self) -> None:
        """Have every running step checkpointed and handed back."""
        self._page[_STOP] = 1

    @property
    def is_stopping(self) -> bool:
        """Whether the worker is asked to stop."""
        return self._page[_STOP] == 1

    @property
    def step_id(self) -> str | None:
        """The step at work, or the last claimed of several."""
        return self._page[_STEP].rstrip(b"\0").decode() or None

    @step_id.setter
    def step_id(self, value: str | None) -> None:
        self._page[_STEP] = (value or "").encode()[:128].ljust(128, b"\0")

    @property
    def trouble(self) -> str | None:
        """Why the last message was not followed, in a sentence for a person; null: it was.

        Found anew with each message; without any for some minutes nobody can tell any more.
        """
        since = time.monotonic() - int.from_bytes(self._page[_TROUBLED_AT], "little")
        if since > _TROUBLE_LASTS:
            return None
        return self._page[_TROUBLE].rstrip(b"\0").decode("utf-8", "ignore") or None

    @trouble.setter
    def trouble(self, value: str | None) -> None:
        self._page[_TROUBLED_AT] = int(time.monotonic()).to_bytes(8, "little")
        self._page[_TROUBLE] = (value or "").encode()[:512].ljust(512, b"\0")

    @property
    def heard(self) -> int:
        """How many messages the pool processes have been given."""
        return int.from_bytes(self._page[_HEARD], "little")

    def hear(self) -> None:
        """Count a message; two processes that do so at once may count one."""
        self._page[_HEARD] = (self.heard + 1).to_bytes(8, "little")
