"""Sheets of small pictures of a packed data set, for whoever has uploaded it to look at.

They are pictures of patients, and say so in their own metadata; nothing in them comes from the
upload but pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from gan_core.progress import OnProgress, Progress, ShouldStop, Stopped
from gan_core.reading.index import SPLITS, DatasetIndex, DuplicatePair, ImageRef
from gan_core.spec.preview import (
    MOST_CLASSES,
    PREVIEW,
    ClassSheet,
    Preview,
    PreviewDuplicates,
    PreviewImage,
    PreviewPair,
    Tiles,
    picture_name,
)

SIZE = 96
"""Side of a picture, in pixels."""
MOST_IMAGES = 24
"""Of a class and split."""
MOST_PAIRS = 24
_COLUMNS = 8

_REAL = "Real images of a data set, brought to a small size. They may show patients."
_PHANTOMS = (
    "Images of a data set some of which say that a computer has drawn them (phantoms). Take all"
    " others for real ones, which may show patients."
)

_Image = NDArray[np.uint8]


def write_preview(
    folder: Path, index: DatasetIndex, *, on_progress: OnProgress, should_stop: ShouldStop
) -> list[str]:
    """Write ``preview.json`` and a PNG for each class and split, and one of the gravest duplicates.

    Equal data sets give equal files with the same zlib. No more than a sheet is in memory at once.

    Args:
        folder: Of the packed data set, which ``pack`` has written.
        index: Of that set.
        on_progress: Told "drawing the preview, 3/9".
        should_stop: Asked after every sheet.

    Returns:
        The names of the files.

    Raises:
        Stopped: ``should_stop`` said so.
        OSError: ``folder`` cannot be written to.
    """
    shown = _largest_classes(index)
    sheets: list[ClassSheet] = []
    names: list[str] = []
    described = _REAL if not index.is_phantom else _PHANTOMS
    places = [(name, split) for name in shown for split in SPLITS]
    pairs = index.gravest_pairs()[:MOST_PAIRS]
    total = len(places) + bool(pairs)

    def draw(number: int, tiles: Iterable[_Image], columns: int, rows: int) -> Tiles:
        if should_stop():
            raise Stopped
        names.append(picture_name(number))
        _write_png(folder / names[-1], _sheet(tiles, columns, rows), described)
        on_progress(Progress((number + 1) / total, f"drawing the preview, {number + 1}/{total}"))
        return Tiles(number=number, columns=columns, rows=rows, size=SIZE)

    for name, split in places:
        labels = np.array(index.splits[split].labels, dtype=np.int64)
        rows = _spread(np.flatnonzero(labels == index.classes.index(name)))
        columns = min(_COLUMNS, len(rows))
        pictures = _small(folder / f"{split}.npy", rows)
        tiles = draw(len(sheets), pictures, columns, -(-len(rows) // columns))
        sheets.append(
            ClassSheet(class_name=name, split=split, count=len(rows), **tiles.model_dump())
        )
    preview = Preview(
        sheets=sheets,
        classes_not_shown=len(index.classes) - len(shown),
        duplicates=PreviewDuplicates(
            exact=index.duplicates.exact,
            near=index.duplicates.near,
            across_splits=index.duplicates.across_splits,
            across_classes=index.duplicates.across_classes,
            is_complete=index.duplicates.is_complete,
            pairs=[_told(index, pair, column) for column, pair in enumerate(pairs)],
            not_listed=index.duplicates.exact + index.duplicates.near - len(pairs),
            sheet=draw(len(sheets), _both(folder, pairs), len(pairs), 2) if pairs else None,
        ),
    )
    (folder / PREVIEW).write_text(
        preview.model_dump_json(indent=1, by_alias=True) + "\n", encoding="utf-8"
    )
    return [*names, PREVIEW]


def _largest_classes(index: DatasetIndex) -> list[str]:
    """Return the classes that are shown, in the order of their names."""
    largest = sorted(index.classes, key=lambda name: (-sum(index.counts[name].values()), name))
    return sorted(largest[:MOST_CLASSES])


def _spread(rows: NDArray[np.int64]) -> list[int]:
    """Return up to ``MOST_IMAGES`` rows, evenly spread, the first and the last among them."""
    count = min(MOST_IMAGES, len(rows))
    chosen: list[int] = rows[np.linspace(0, len(rows) - 1, count).round().astype(np.int64)].tolist()
    return chosen


def _both(folder: Path, pairs: list[DuplicatePair]) -> Iterator[_Image]:
    """Yield the first images of all pairs, then the second ones."""
    for images in ([pair.first for pair in pairs], [pair.second for pair in pairs]):
        for image in images:
            yield from _small(folder / f"{image.split}.npy", [image.index])


def _small(path: Path, rows: list[int]) -> Iterator[_Image]:
    """Yield rows of a split's array as uint8 [SIZE, SIZE, 3].

    They are read and not mapped: a map of the whole array can be larger than the address space
    that an ingest may take.
    """
    with path.open("rb") as file:
        np.lib.format.read_magic(file)
        shape, _, _ = np.lib.format.read_array_header_1_0(file)
        begin, side = file.tell(), shape[1]
        for row in rows:
            file.seek(begin + row * side * side * 3)
            pixels = np.frombuffer(file.read(side * side * 3), np.uint8).reshape(side, side, 3)
            picture = Image.fromarray(pixels)
            if side != SIZE:
                way = Image.Resampling.LANCZOS if side > SIZE else Image.Resampling.BICUBIC
                picture = picture.resize((SIZE, SIZE), way)
            yield np.asarray(picture)


def _sheet(tiles: Iterable[_Image], columns: int, rows: int) -> _Image:
    whole = np.full((rows * SIZE, columns * SIZE, 3), 255, np.uint8)
    for place, tile in enumerate(tiles):
        top, left = place // columns * SIZE, place % columns * SIZE
        whole[top : top + SIZE, left : left + SIZE] = tile
    return whole


def _write_png(path: Path, pixels: _Image, description: str) -> None:
    info = PngInfo()
    info.add_text("Description", description)
    Image.fromarray(pixels).save(path, "PNG", pnginfo=info, compress_level=4)


def _told(index: DatasetIndex, pair: DuplicatePair, column: int) -> PreviewPair:
    def image(of: ImageRef) -> PreviewImage:
        return PreviewImage(split=of.split, class_name=index.class_of(of), entry=of.entry)

    return PreviewPair(
        kind=pair.kind,
        rms=pair.rms,
        first=image(pair.first),
        second=image(pair.second),
        column=column,
    )
