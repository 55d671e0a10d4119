"""An array that is filled from the front, in a ``.npy`` file that outlives an interruption.

Beside the file lies ``<name>.progress.json``, which says how many rows are on the disk and of which
work; a call with any other work starts anew.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from gan_core.training.durable import write_durably
from gan_core.training.timing import CheckpointTimer

# At most about so much work is lost to a crash.
SECONDS_BETWEEN_RECORDS = 2.0


class ResumableArray:
    """Rows [N, ...] of one type, written in order.

    A context manager: what was put until the block's end, however it ends, is on the disk. Once all
    rows are there, the file is that of ``numpy.save`` byte for byte.

    Args:
        path: The ``.npy`` file; its directory must exist, and one process at a time may write it.
        shape: (N, ...); N may be 0.
        dtype: Of the values.
        key: Names the work: everything that can change a value.
        timer: When to record how far it is; every two seconds when None.

    Attributes:
        done: Rows that are there.

    Raises:
        OSError: The disk is full, ...
    """

    def __init__(
        self,
        path: Path,
        shape: tuple[int, ...],
        dtype: DTypeLike,
        key: str,
        *,
        timer: CheckpointTimer | None = None,
    ) -> None:
        self.path, self.shape, self.dtype = path, shape, np.dtype(dtype)
        self._record = path.with_name(path.name + ".progress.json")
        self._key = key
        self._timer = timer or CheckpointTimer(SECONDS_BETWEEN_RECORDS)
        found = self._recorded()
        if found is None:
            # First the record, then the file: never an old record beside a new file.
            self._record.unlink(missing_ok=True)
            self._reserve()
        self.done = self._saved = found or 0
        # An empty array cannot be mapped.
        self._rows: Any = np.load(path, mmap_mode="r+", allow_pickle=False) if shape[0] else None

    def put(self, rows: NDArray[Any]) -> None:
        """Append rows [n, ...]; recorded when it is time to.

        Raises:
            OSError: The disk is full, ...
        """
        self._rows[self.done : self.done + len(rows)] = rows
        self.done += len(rows)
        if self._timer.is_due():
            self.save()

    def save(self) -> None:
        """Bring all rows to the disk, then the record of them.

        Raises:
            OSError: The disk is full, ...
        """
        if self._saved == self.done:
            return
        with self._timer.saving():
            self._rows.flush()
            write_durably(self._record, json.dumps({"key": self._key, "done": self.done}).encode())
        self._saved = self.done

    def finished(self) -> NDArray[Any]:
        """The array, memory-mapped and read-only; in memory when it is empty."""
        array: NDArray[Any]
        if self.shape[0]:
            array = np.load(self.path, mmap_mode="r", allow_pickle=False)
        else:
            array = np.load(self.path, allow_pickle=False)
        return array

    def __enter__(self) -> ResumableArray:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.save()

    def _reserve(self) -> None:
        """Make the file at its full size, with its blocks allocated.

        A write into a hole of a memory-mapped file kills the process with SIGBUS when the disk is
        full; allocated first, a full disk is an ordinary OSError.
        """
        with self.path.open("wb") as file:
            header = {
                "descr": np.lib.format.dtype_to_descr(self.dtype),
                "fortran_order": False,
                "shape": self.shape,
            }
            np.lib.format.write_array_header_1_0(file, header)
            file.flush()
            start, count = file.tell(), int(np.prod(self.shape)) * self.dtype.itemsize
            if count:
                os.posix_fallocate(file.fileno(), start, count)
            os.fsync(file.fileno())

    def _recorded(self) -> int | None:
        """Return how many rows of this very work are in the file; None: start anew."""
        try:
            found = json.loads(self._record.read_bytes())
        except (FileNotFoundError, ValueError):
            return None
        if not isinstance(found, dict) or found.get("key") != self._key or not self.path.is_file():
            return None
        return int(found["done"])


def publish(source: Path, target: Path) -> None:
    """Show a finished file under another name, at no cost where both lie on one disk.

    ``source`` stays: an attempt that ends before it has told of its outputs finds it again.

    Raises:
        OSError: The disk is full, ...
    """
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP):
            raise
        shutil.copyfile(source, target)
