"""The limits within which an upload is read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """Limits and choices of reading; all sizes are counted while reading, never taken from headers.

    Attributes:
        max_entries: Most entries of an archive, files that are no images included.
        max_entry_bytes: Most unpacked bytes of one entry.
        max_unpacked_bytes: Most unpacked bytes of all entries that are read.
        max_ratio: Largest ratio of unpacked to packed bytes of an entry.
        max_pixels: Most pixels of an image, looked up in its header before it is decoded.
        max_frames: Most frames of a DICOM file; each is an image.
        unreadable_share: Share of the images, in [0, 1], that may be skipped as unreadable; with
            more than that the set is rejected.
        test_share: Share of each class, in (0, 1), that becomes the test split of a set that
            brings none.
        split_seed: Seed of that split.
        near_duplicate_rms: Two images whose 32 × 32 RGB thumbnails differ by no more than this
            root mean square (grey levels, 0–255) are near duplicates.
        workers: Threads that decode; None: one for each core.
    """

    max_entries: int = 100_000
    max_entry_bytes: int = 256 * 2**20
    max_unpacked_bytes: int = 20 * 2**30
    max_ratio: float = 200.0
    max_pixels: int = 50_000_000
    max_frames: int = 256
    unreadable_share: float = 0.05
    test_share: float = 0.2
    split_seed: int = 0
    near_duplicate_rms: float = 8.0
    workers: int | None = None
