"""DICOM files are decoded in processes of their own, which may die of a file and be replaced.

Their decoders are large, old and partly C++ (GDCM, OpenJPEG, libjpeg). A helper process reads files
from its standard input and writes frames to its standard output. The kernel bounds its memory,
gives it a time for each file, and lets it open no file and no socket, start no process and write
nothing to a disk; it is given no secret of the environment. When it breaks down, that file is
unreadable, and the next one gets a new helper. Of 20,000 mutated files 18 broke GDCM down, some by
a segmentation fault: it is used where nothing else can read, and never outside a helper.
"""

from __future__ import annotations

import codecs
import json
import os
import resource
import signal
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import IO, Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.charset import python_encoding

from gan_core.reading.dicom import About, open_dicom
from gan_core.reading.dicom_header import Limits
from gan_core.reading.unreadable import UnreadableError

SECONDS = 60
"""How long one file may take; longer, and it is unreadable."""
MEMORY = 3 * 2**30
"""Address space of a helper, in bytes: 50,000,000 pixels of JPEG 2000 in colour need half of it."""

_ENVIRONMENT = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL")
_LENGTH = struct.Struct(">Q")
_MAX_HEADER = 2**20
# Frames of more than this lie in an unnamed file until they are used.
_IN_MEMORY = 4 * 2**20


@dataclass(frozen=True)
class DicomImages:
    """The images of one file; ``frames`` can be gone through once.

    Attributes:
        about: What the file says of itself.
        frames: uint8 [S, S, 3] each.
    """

    about: About
    frames: Iterable[NDArray[np.uint8]]


class _Frames:
    """Frames in memory, or in an unnamed file that is gone once they are used, or are not."""

    def __init__(self, file: tempfile.SpooledTemporaryFile[bytes], count: int, side: int) -> None:
        self._file, self._count, self._shape = file, count, (side, side, 3)

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        self._file.seek(0)
        for _ in range(self._count):
            frame = self._file.read(int(np.prod(self._shape)))
            yield np.frombuffer(frame, np.uint8).reshape(self._shape)
        self._file.close()

    def __del__(self) -> None:
        self._file.close()


class DicomDecoders:
    """Helper processes, started when they are needed, ended with the context.

    ``decode`` may be called from several threads: each has a helper to itself.
    """

    def __init__(
        self,
        size: int,
        *,
        limits: Limits | None = None,
        seconds: int = SECONDS,
        memory: int = MEMORY,
    ) -> None:
        self._asked = {
            "size": size,
            "limits": asdict(limits or Limits()),
            "seconds": seconds,
            "memory": memory,
            # Of this reading alone, and nowhere written down.
            "salt": os.urandom(32).hex(),
        }
        self._size = size
        self._idle: list[subprocess.Popen[bytes]] = []
        self._all: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._lock:
            left, self._all = self._all, set()
        for process in left:
            self._end(process)

    def decode(self, data: bytes) -> DicomImages:
        """Decode one file.

        Raises:
            UnreadableError: ``not_an_image``, ``image_too_large``, ``image_unsupported``,
                ``image_damaged``, or ``decoder_ended``: the decoder broke down, or needed more
                memory or time than a file may.
            OSError: There is no room for the frames.
        """
        process = self._helper()
        frames = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - the caller's to use up
        try:
            answer = self._ask(process, data, frames)
        except (BrokenPipeError, EOFError, ValueError):
            self._end(process)
            frames.close()
            raise UnreadableError(
                "decoder_ended",
                "Its decoder broke down, or needed more memory or time than a file may.",
            ) from None
        except BaseException:
            self._end(process)
            frames.close()
            raise
        with self._lock:
            self._idle.append(process)
        if "code" in answer:
            frames.close()
            raise UnreadableError(answer["code"], answer["detail"])
        about = About(**answer["about"])
        return DicomImages(about, _Frames(frames, about.frames, self._size))

    def _ask(
        self,
        process: subprocess.Popen[bytes],
        data: bytes,
        frames: tempfile.SpooledTemporaryFile[bytes],
    ) -> dict[str, Any]:
        assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018
        process.stdin.write(_LENGTH.pack(len(data)))
        process.stdin.write(data)
        process.stdin.flush()
        about = json.loads(_message(process.stdout))
        if "code" in about:
            return dict(about)
        frame_bytes = self._size * self._size * 3
        for _ in range(About(**about).frames):
            frame = _message(process.stdout)
            if len(frame) != frame_bytes:  # it could not be decoded after all
                return dict(json.loads(frame))
            frames.write(frame)
        return {"about": about}

    def _helper(self) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", f"from {__name__} import main; main()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Decoders write what they like there.
            stderr=subprocess.DEVNULL,
            env={
                **{name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
                "OMP_NUM_THREADS": "1",
                "OPENBLAS_NUM_THREADS": "1",
            },
        )
        with self._lock:
            self._all.add(process)
        assert process.stdin is not None  # noqa: S101 - the pipe was asked for
        asked = json.dumps(self._asked).encode()
        process.stdin.write(_LENGTH.pack(len(asked)) + asked)
        return process

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        with self._lock:
            self._all.discard(process)
        process.kill()
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None  # noqa: S101 - both pipes were asked for
            try:
                pipe.close()
            except BrokenPipeError:  # what it had not read yet
                continue
        process.wait()


def _message(pipe: IO[bytes]) -> bytes:
    (length,) = _LENGTH.unpack(_exactly(pipe, _LENGTH.size))
    if length > _MAX_HEADER * 64:
        raise ValueError("not a message")
    return _exactly(pipe, length)


def _exactly(pipe: IO[bytes], count: int) -> bytes:
    data = pipe.read(count)
    if len(data) != count:
        raise EOFError
    return data


def main() -> None:
    """Decode files from standard input until it ends."""
    requests = sys.stdin.buffer
    # Nothing that a decoder prints may get between the frames.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    asked = json.loads(_message(requests))
    _load_everything()
    _be_bounded(asked["memory"])
    limits, salt = Limits(**asked["limits"]), bytes.fromhex(asked["salt"])

    def say(message: bytes) -> None:
        answers.write(_LENGTH.pack(len(message)) + message)

    while head := requests.read(_LENGTH.size):
        data = _exactly(requests, _LENGTH.unpack(head)[0])
        # The default action of the signal ends the process in the midst of any C code.
        signal.alarm(asked["seconds"])
        try:
            about, frames = open_dicom(data, asked["size"], limits=limits, salt=salt)
            del data
            say(json.dumps(asdict(about)).encode())
            for frame in frames:
                say(frame.tobytes())
        except UnreadableError as error:
            say(json.dumps({"code": error.code, "detail": error.detail}).encode())
        signal.alarm(0)
        answers.flush()


def _load_everything() -> None:
    """Import what would be imported when it is needed: later no file can be opened."""
    Image.init()
    for name in set(python_encoding.values()):
        codecs.lookup(name)


def _be_bounded(memory: int) -> None:
    opened = os.dup(0)  # the lowest number that is free
    os.close(opened)
    for limit, value in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_NOFILE, opened),
    ):
        _, hard = resource.getrlimit(limit)
        if hard != resource.RLIM_INFINITY:
            value = min(value, hard)  # noqa: PLW2901
        resource.setrlimit(limit, (value, value))
