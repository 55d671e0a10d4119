"""A TCP proxy whose line can be made slow, dead or closed while connections are open."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Coroutine
from enum import Enum
from typing import Any, TypeVar

T = TypeVar("T")

_CHUNK = 65536
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER with no patience: close sends RST
_ANSWER_SECONDS = 10.0


class Line(Enum):
    """What the line does to what is sent over it."""

    PASS = "pass"
    DELAY = "delay"
    """Every piece arrives late, in both directions."""
    HOLE = "hole"
    """Everything is swallowed and nobody is told; ended by a reset (half-open connections)."""
    REFUSE = "refuse"
    """Open connections are reset and new ones refused."""


class _Connection:
    def __init__(self, near: asyncio.StreamWriter) -> None:
        self.ends = [near]

    def reset(self) -> None:
        for end in self.ends:
            found = end.get_extra_info("socket")
            if found is not None:
                with contextlib.suppress(OSError):
                    found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            end.transport.abort()


class Proxy:
    """Listens on a free loopback port and passes on to another, from a thread of its own.

    Args:
        target_port: Where the real server listens, on loopback.
        delay_seconds: How late everything arrives, each way, while the line is slow.
    """

    def __init__(self, target_port: int, delay_seconds: float = 0.3) -> None:
        self._target_port = target_port
        self._delay_seconds = delay_seconds
        self._line = Line.PASS
        self._out_of_hole = asyncio.Event()
        self._out_of_hole.set()
        self._connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.port = 0
        self._call(self._listen())

    @property
    def line(self) -> Line:
        """What the line does now."""
        return self._line

    def set(self, line: Line) -> None:
        """Change the line. Leaving a hole resets every connection that fell into it."""
        self._call(self._set(line))

    def close(self) -> None:
        """Reset everything and end the thread."""
        self._call(self._shut())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=_ANSWER_SECONDS)
        self._loop.close()

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_ANSWER_SECONDS)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _set(self, line: Line) -> None:
        before, self._line = self._line, line
        if line is Line.HOLE:
            self._out_of_hole.clear()
        if line is Line.REFUSE and self._server is not None:
            self._server.close()
            self._server = None
        if line is Line.REFUSE or before is Line.HOLE:
            self._reset_all()
        if line is not Line.HOLE:
            self._out_of_hole.set()
        if line is not Line.REFUSE and self._server is None:
            await self._listen()

    async def _shut(self) -> None:
        if self._server is not None:
            self._server.close()
        self._reset_all()
        # What was reset still has to say so to its tasks.
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _reset_all(self) -> None:
        for connection in list(self._connections):
            connection.reset()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = _Connection(writer)
        self._connections.add(connection)
        try:
            # In a hole the handshake still comes to its end, and then there is silence.
            await self._out_of_hole.wait()
            if writer.is_closing():
                return
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
            connection.ends.append(far_writer)
            await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
        except OSError:
            connection.reset()
        finally:
            self._connections.discard(connection)
            for end in connection.ends:
                end.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        fell_in = False
        while data := await reader.read(_CHUNK):
            if self._line is Line.DELAY:
                await asyncio.sleep(self._delay_seconds)
            if self._line is Line.HOLE:
                fell_in = True
            if not fell_in:
                writer.write(data)
                await writer.drain()
        # Nor does the end of a connection come through a hole.
        await self._out_of_hole.wait()
        if not writer.is_closing():
            writer.close()
