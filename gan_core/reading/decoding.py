"""Decoding the images of a set, many at a time, in constant memory."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, Union

import numpy as np
from numpy.typing import NDArray

from gan_core.progress import OnProgress, Progress, ShouldStop, Stopped
from gan_core.reading.archive import Archive
from gan_core.reading.dicom_of_set import DicomOfSet, Told
from gan_core.reading.duplicates import thumbnail
from gan_core.reading.images import Decoded, decode
from gan_core.reading.index import Problem
from gan_core.reading.layout import Item, Layout
from gan_core.reading.options import ReadOptions
from gan_core.reading.unreadable import UnreadableError
from gan_core.spec.errors import GraftError

if TYPE_CHECKING:
    from gan_core.reading.dicom_process import DicomImages

_FIRST_FEW = 10

Person = tuple[str, str]


@dataclass
class Rows:
    """The readable images, in the layout's order; their pixels lie in the scratch file.

    Attributes:
        items: Of each row; a DICOM file of many frames is there for each of them.
        hashes: Of each row's pixels.
        thumbnails: uint8 [N, 32, 32, 3].
        people: Of each row, what images of one person have in common: (patient, study), salted
            hashes that are never written down, each empty where nothing is known.
        is_phantom: Whether some image says of itself that it was drawn.
        problems: A line an image that could not be read.
        notes: What else a person should know.
    """

    items: list[Item]
    hashes: list[str]
    thumbnails: NDArray[np.uint8]
    is_phantom: bool
    problems: list[Problem]
    people: list[Person] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)

    def add(self, item: Item, digest: str, small: NDArray[np.uint8], person: Person) -> None:
        """Add a row."""
        if len(self.items) == len(self.thumbnails):
            self.thumbnails = np.concatenate([self.thumbnails, np.empty_like(self.thumbnails)])
        self.thumbnails[len(self.items)] = small
        self.items.append(item)
        self.hashes.append(digest)
        self.people.append(person)


_UNKNOWN: Person = ("", "")


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
    thumbnails = np.empty((max(1, total), 32, 32, 3), np.uint8)
    rows = Rows([], [], thumbnails, is_phantom=False, problems=[])
    allowed = int(options.unreadable_share * total)
    told = Told()
    dicom = DicomOfSet(image_size, options)

    def work(item: Item) -> _Result:
        try:
            data = archive.read(item.entry)
            if is_dicom(data):
                return dicom.decode(data)
            decoded = decode(data, image_size, max_pixels=options.max_pixels)
        except UnreadableError as error:
            return error
        return decoded, *_described(decoded.pixels)

    def keep(item: Item, result: _Readable) -> None:
        if isinstance(result, tuple):
            decoded, digest, small = result
            file.write(decoded.pixels.tobytes())
            rows.add(item, digest, small, _UNKNOWN)
            rows.is_phantom |= decoded.is_phantom
            return
        about = result.about
        for pixels in result.frames:
            file.write(pixels.tobytes())
            rows.add(item, *_described(pixels), (about.patient, about.study))
        rows.is_phantom |= about.is_phantom
        told.add(item.entry.number, result)

    workers = options.workers or os.cpu_count() or 1
    pool = ThreadPoolExecutor(workers, thread_name_prefix="decode")
    with dicom:
        try:
            # A short queue: the pixels of images that wait to be written are all that is in memory.
            waiting = 4 * workers
            for done, (item, result) in enumerate(_in_order(pool, work, layout.items, waiting), 1):
                if should_stop():
                    raise Stopped
                if isinstance(result, UnreadableError):
                    rows.problems.append(
                        Problem(code=result.code, detail=result.detail, entry=item.entry.number)
                    )
                    if len(rows.problems) > allowed:
                        raise _too_many_unreadable(rows.problems, total, options.unreadable_share)
                else:
                    keep(item, result)
                    _check_count(len(rows.items), options.max_entries)
                on_progress(Progress(done / total, f"reading images, {done}/{total}"))
        finally:
            pool.shutdown(cancel_futures=True)
    rows.thumbnails = rows.thumbnails[: len(rows.items)]
    rows.notes = told.problems()
    return rows


def is_dicom(data: bytes) -> bool:
    """Whether bytes are a DICOM file: 128 bytes of anything, then ``DICM`` (PS3.10 7.1).

    Names do not count, and a file without this preamble is no DICOM file to us.
    """
    return data[128:132] == b"DICM"


def _described(pixels: NDArray[np.uint8]) -> tuple[str, NDArray[np.uint8]]:
    return hashlib.sha256(pixels.tobytes()).hexdigest(), thumbnail(pixels)


def _check_count(images: int, limit: int) -> None:
    if images > limit:
        raise GraftError(
            "archive_too_many_entries",
            f"The frames of the DICOM files make more than {limit:,} images.",
            "Send fewer files, or only the frames that show the finding.",
        )


_Readable = Union[tuple[Decoded, str, NDArray[np.uint8]], "DicomImages"]
_Result = _Readable | UnreadableError


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
