"""The DICOM files among a set's images: their decoders, and what they say of themselves."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import TYPE_CHECKING, Self

from gan_core.reading.index import Problem
from gan_core.reading.options import ReadOptions

if TYPE_CHECKING:
    from gan_core.reading.dicom_process import DicomDecoders, DicomImages


class DicomOfSet:
    """The decoders of DICOM files, of which most sets have none: begun at the first one."""

    def __init__(self, image_size: int, options: ReadOptions) -> None:
        self._image_size = image_size
        self._options = options
        self._decoders: DicomDecoders | None = None
        self._lock = threading.Lock()

    def decode(self, data: bytes) -> DicomImages:
        """Decode one file; may be called from several threads.

        Raises:
            UnreadableError: As ``DicomDecoders.decode``.
        """
        with self._lock:
            if self._decoders is None:
                from gan_core.reading.dicom_header import Limits
                from gan_core.reading.dicom_process import DicomDecoders

                limits = Limits(
                    pixels=self._options.max_pixels,
                    frames=self._options.max_frames,
                    all_pixels=4 * self._options.max_pixels,
                    bytes=self._options.max_entry_bytes,
                )
                self._decoders = DicomDecoders(self._image_size, limits=limits)
        return self._decoders.decode(data)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._decoders is not None:
            self._decoders.__exit__(kind, error, traceback)


class Told:
    """What DICOM files say of themselves, counted: a line a kind, not a line a file."""

    def __init__(self) -> None:
        self._burned_in: list[int] = []
        self._synthetic: list[int] = []
        self._many: list[int] = []

    def add(self, entry: int, images: DicomImages) -> None:
        """Count one file, whose entry has this number."""
        if images.about.has_burned_in_text:
            self._burned_in.append(entry)
        if images.about.is_synthetic:
            self._synthetic.append(entry)
        if images.about.frames > 1:
            self._many.append(entry)

    def problems(self) -> list[Problem]:
        """Return a problem for each kind of thing that was told."""
        sentences = (
            (
                "burned_in_annotation",
                self._burned_in,
                (
                    "DICOM files say that text is burned into their pixels. It is not removed, and"
                    " a model may learn it: leave them out unless you know that it names nobody."
                ),
            ),
            (
                "synthetic_images",
                self._synthetic,
                (
                    "DICOM files say that they are synthetic. What is learnt from such images says"
                    " little of real ones, and a test on them nothing."
                ),
            ),
            (
                "frames_as_images",
                self._many,
                (
                    "DICOM files have more than one frame. Each frame counts as an image; all"
                    " frames of a file are on one side of the split."
                ),
            ),
        )
        return [
            Problem(code=code, detail=f"{len(found)} {sentence}", entry=found[0])
            for code, found, sentence in sentences
            if found
        ]
