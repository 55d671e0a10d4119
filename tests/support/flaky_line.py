"""A line to a real server that breaks: in an upload, in a download, before an answer, or says 503.

What happens to a connection is drawn when it is opened, so that a seed tells the whole story as
far as the client's own connections do.
"""

from __future__ import annotations

import contextlib
import random
import socket
import struct
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER with no patience: close sends RST
_BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\n"
    b"Retry-After: 0\r\nContent-Length: 37\r\nConnection: close\r\n\r\n"
    b'{"code": "busy", "detail": "Too busy"}'[:37]
)


@dataclass
class FlakyLine:
    """Passes on, or does not.

    Attributes:
        port: Where it listens, on loopback.
        target_port: Where the server does.
        share: Of the connections that break, in [0, 1].
        broke: How many connections ended how.
    """

    target_port: int
    share: float
    seed: int
    port: int = 0
    broke: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._is_closed = False
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()
        self._lines: list[threading.Thread] = []

    def close(self) -> None:
        """Take no more connections; those that are open end with the client's."""
        self._is_closed = True
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port)).close()
        self._thread.join()
        self._listening.close()
        for line in self._lines:
            line.join(10)

    def _accept(self) -> None:
        while True:
            near, _ = self._listening.accept()
            if self._is_closed:
                near.close()
                return
            fault = "none"
            if self._random.random() < self.share:
                fault = self._random.choice(
                    ["refused", "in upload", "answer lost", "cut short", "in download", "busy"]
                )
            # Answers are small; of uploads some are, and others must have a chance to pass.
            is_far = fault == "in upload" and self._random.random() < 0.5
            at = int(10 ** self._random.uniform(*((3.5, 5.3) if is_far else (1, 3))))
            line = threading.Thread(target=self._carry, args=(near, fault, at))
            self._lines.append(line)
            line.start()

    def _carry(self, near: socket.socket, fault: str, at: int) -> None:
        with near, socket.create_connection(("127.0.0.1", self.target_port)) as far:
            if fault == "refused":
                self._reset(near, fault)
                return
            if fault == "busy":
                with contextlib.suppress(OSError):
                    near.recv(65536)
                    near.sendall(_BUSY)
                    near.shutdown(socket.SHUT_WR)
                    while near.recv(65536):  # what was on its way, so that no reset is sent
                        pass
                self.broke[fault] += 1
                return
            sending = threading.Thread(target=self._up, args=(near, far, fault, at))
            sending.start()
            self._down(near, far, fault, at)
            sending.join()

    def _up(self, near: socket.socket, far: socket.socket, fault: str, at: int) -> None:
        left = at if fault == "in upload" else None
        with contextlib.suppress(OSError):
            while chunk := near.recv(4096):
                if left is not None and len(chunk) >= left:
                    far.sendall(chunk[:left])
                    self._reset(near, fault)
                    self._reset(far, "")
                    return
                left = None if left is None else left - len(chunk)
                far.sendall(chunk)
            far.shutdown(socket.SHUT_WR)

    def _down(self, near: socket.socket, far: socket.socket, fault: str, at: int) -> None:
        left = {"answer lost": 0, "cut short": at, "in download": at}.get(fault)
        with contextlib.suppress(OSError):
            while chunk := far.recv(4096):
                if left is not None and len(chunk) > left:
                    near.sendall(chunk[:left])
                    if fault == "cut short":
                        self.broke[fault] += 1
                        near.shutdown(socket.SHUT_WR)  # a clean end in the middle
                    else:
                        self._reset(near, fault)
                    self._reset(far, "")
                    return
                left = None if left is None else left - len(chunk)
                near.sendall(chunk)
            near.shutdown(socket.SHUT_WR)

    def _reset(self, end: socket.socket, fault: str) -> None:
        if fault:
            self.broke[fault] += 1
        with contextlib.suppress(OSError):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            end.shutdown(socket.SHUT_RDWR)
        end.close()


@contextmanager
def flaky_line(target_port: int, *, share: float, seed: int) -> Iterator[FlakyLine]:
    """Give a line that breaks."""
    line = FlakyLine(target_port, share, seed)
    try:
        yield line
    finally:
        line.close()
