"""Decoding the images of a set, many at a time, in constant memory."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from gan_core.progress import OnProgress, Progress, ShouldStop, Stopped
from gan_core.reading.archive import Archive
from gan_core.reading.duplicates import thumbnail
from gan_core.reading.images import Decoded, decode
from gan_core.reading.index import Problem
from gan_core.reading.layout import Item, Layout
from gan_core.reading.options import ReadOptions
from gan_core.reading.unreadable import UnreadableError
from gan_core.spec.errors import GraftError

_FIRST_FEW = 10


@dataclass
class Rows:
    """The readable images, in the layout's order; their pixels lie in the scratch file."""

    items: list[Item]
    hashes: list[str]
    thumbnails: NDArray[np.uint8]
    is_phantom: bool
    problems: list[Problem]


def decode_all(
    archive: Archive,
    layout: Layout,
    file: BinaryIO,
    *,
    image_size: int,
    options: ReadOptions,
    on_progress: OnProgress,
    should_stop: ShouldStop,
) -> Rows:
    """Decode every image in threads (Pillow leaves the interpreter lock), write them in order.

    Args:
        archive: Where the bytes come from.
        layout: Which entries are images.
        file: Gets the pixels of the readable images, uint8 [S, S, 3] each, one after the other.
        image_size: Side S in pixels.
        options: Limits, and the share that may be unreadable.
        on_progress: Told "reading images, 812/2637".
        should_stop: Asked after every image.

    Raises:
        GraftError: ``too_many_unreadable``, or a limit of the archive is exceeded.
        OSError: The file cannot be written.
        Stopped: ``should_stop`` said so.
    """
    total = len(layout.items)
    thumbnails = np.empty((total, 32, 32, 3), np.uint8)
    rows = Rows([], [], thumbnails, is_phantom=False, problems=[])
    allowed = int(options.unreadable_share * total)

    def work(item: Item) -> _Result:
        try:
            data = archive.read(item.entry)
            decoded = decode(data, image_size, max_pixels=options.max_pixels)
        except UnreadableError as error:
            return error
        digest = hashlib.sha256(decoded.pixels.tobytes()).hexdigest()
        return decoded, digest, thumbnail(decoded.pixels)

    workers = options.workers or os.cpu_count() or 1
    pool = ThreadPoolExecutor(workers, thread_name_prefix="decode")
    try:
        # A short queue: the pixels of images that wait to be written are all that is in memory.
        for done, (item, result) in enumerate(_in_order(pool, work, layout.items, 4 * workers), 1):
            if should_stop():
                raise Stopped
            if isinstance(result, UnreadableError):
                rows.problems.append(
                    Problem(code=result.code, detail=result.detail, entry=item.entry.number)
                )
                if len(rows.problems) > allowed:
                    raise _too_many_unreadable(rows.problems, total, options.unreadable_share)
            else:
                decoded, digest, small = result
                file.write(decoded.pixels.tobytes())
                thumbnails[len(rows.items)] = small
                rows.items.append(item)
                rows.hashes.append(digest)
                rows.is_phantom |= decoded.is_phantom
            on_progress(Progress(done / total, f"reading images, {done}/{total}"))
    finally:
        pool.shutdown(cancel_futures=True)
    rows.thumbnails = thumbnails[: len(rows.items)]
    return rows


_Result = tuple[Decoded, str, NDArray[np.uint8]] | UnreadableError


def _in_order(
    pool: ThreadPoolExecutor, work: Callable[[Item], _Result], items: list[Item], waiting: int
) -> Iterator[tuple[Item, _Result]]:
    """Run ``work`` on every item in the pool; yield the results in order, few at a time."""
    running: deque[tuple[Item, Future[_Result]]] = deque()
    for item in items:
        running.append((item, pool.submit(work, item)))
        if len(running) >= waiting:
            first, future = running.popleft()
            yield first, future.result()
    for first, future in running:
        yield first, future.result()


def _too_many_unreadable(problems: list[Problem], total: int, share: float) -> GraftError:
    named = ", ".join(str(problem.entry) for problem in problems[:_FIRST_FEW])
    return GraftError(
        "too_many_unreadable",
        f"More than {share:.0%} of the {total} images cannot be read; the first are the entries "
        f"{named}. Entry {problems[0].entry}: {problems[0].detail}",
        "Mend or remove them. Entries are counted from 1 in the archive's order.",
    )
