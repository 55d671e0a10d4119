"""From an archive or folder of class folders to one packed array a split."""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gan_core.progress import (
    OnProgress,
    Progress,
    ShouldStop,
    Stopped,
    ignore_progress,
    never_stop,
    part,
)
from gan_core.reading.archive import open_archive
from gan_core.reading.decoding import Rows, decode_all
from gan_core.reading.images import warnings_are_errors
from gan_core.reading.index import MAX_PROBLEMS, SPLITS, DatasetIndex, Problem, SplitIndex
from gan_core.reading.layout import Layout, lay_out
from gan_core.reading.options import ReadOptions
from gan_core.reading.patients import across_splits, draw_test_patients, joined, people_of
from gan_core.reading.splitting import draw_test_split
from gan_core.reading.twins import Twins, find_twins
from gan_core.spec.errors import GraftError

MIN_IMAGE_SIZE, MAX_IMAGE_SIZE = 32, 512
_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
# Shares of the time that the parts take.
_UNPACKED, _DECODED, _COMPARED = 0.05, 0.9, 0.95


def pack(
    source: Path,
    out: Path,
    *,
    image_size: int = 224,
    options: ReadOptions | None = None,
    on_progress: OnProgress = ignore_progress,
    should_stop: ShouldStop = never_stop,
) -> DatasetIndex:
    """Read a data set and write it as packed arrays, or write nothing at all.

    Memory does not grow with the set but for its index and thumbnails (3 kB an image).

    Args:
        source: A zip, tar or tar.gz, treated as hostile; or a folder, for the local command line
            alone. Laid out as ``[root/]{train,test}/<class>/…`` or ``[root/]<class>/…``.
        out: Folder to make; it must not exist, or be empty. Gets ``train.npy`` and ``test.npy``
            (uint8 [N, S, S, 3], RGB, sorted by class and name) and ``index.json``.
        image_size: Side S of the stored images in pixels, 32 to 512.
        options: Limits and choices; None: the defaults.
        on_progress: Told "reading images, 812/2637" and the like.
        should_stop: Asked after every image.

    Returns:
        What ``index.json`` holds. The same images in the same folders give the same digest, in
        whatever order the archive lists them.

    Raises:
        GraftError: ``image_size_out_of_range``, ``output_not_empty``, ``source_not_found``,
            ``not_a_zip``, ``not_a_tar``, ``empty_archive``, ``archive_…``, ``no_images``,
            ``one_class_only``,
            ``too_many_classes``, ``bad_class_name``, ``class_names_clash``,
            ``class_missing_in_train``, ``class_missing_in_test``, ``rare_class_too_small``,
            ``too_many_unreadable`` or ``disk_full``.
        Stopped: ``should_stop`` said so; nothing is left.
    """
    options = options or ReadOptions()
    if not MIN_IMAGE_SIZE <= image_size <= MAX_IMAGE_SIZE:
        raise GraftError(
            "image_size_out_of_range",
            f"An image size of {image_size} pixels is not offered.",
            f"Choose {MIN_IMAGE_SIZE} to {MAX_IMAGE_SIZE}.",
        )
    with (
        _all_or_nothing(out) as partial,
        open_archive(
            source,
            options,
            scratch=partial,
            on_progress=part(on_progress, 0.0, _UNPACKED),
            should_stop=should_stop,
        ) as archive,
    ):
        layout = lay_out(archive.entries)
        if archive.skipped_links:
            detail = f"{archive.skipped_links} links in the folder were not followed."
            layout.problems.append(Problem(code="links_skipped", detail=detail))
        scratch = partial / "scratch"
        with scratch.open("wb") as file, warnings_are_errors():
            rows = decode_all(
                archive,
                layout,
                file,
                image_size=image_size,
                options=options,
                on_progress=part(on_progress, _UNPACKED, _DECODED),
                should_stop=should_stop,
            )
        on_progress(Progress(_DECODED, "looking for duplicates"))
        labels = _labels(rows, layout)
        twins = find_twins(
            rows.hashes,
            rows.thumbnails,
            options.near_duplicate_rms,
            part(on_progress, _DECODED, _COMPARED),
            should_stop,
        )
        people = people_of(rows)
        is_test = _is_test(rows, people, labels, twins, layout=layout, options=options)
        rows.notes += across_splits(people, is_test)
        _check_enough(labels, is_test, layout.classes)
        index = _index(rows, labels, is_test, layout, twins=twins, image_size=image_size)
        on_progress(Progress(_COMPARED, "writing the arrays"))
        for split, chosen in zip(SPLITS, (~is_test, is_test), strict=True):
            _write_split(scratch, partial / f"{split}.npy", chosen, image_size, should_stop)
        scratch.unlink()
        text = index.model_dump_json(indent=1)
        (partial / "index.json").write_text(text + "\n", encoding="utf-8")
    on_progress(Progress(1.0, f"read {len(labels)} images"))
    return index


@contextmanager
def _all_or_nothing(out: Path) -> Iterator[Path]:
    """Give a hidden folder beside ``out`` that becomes ``out`` when all went well."""
    partial = out.absolute().with_name(f".{out.absolute().name}.partial")
    try:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise GraftError(
                "output_not_empty",
                "The output folder holds something already.",
                "Name another folder, or empty it.",
            )
        # What a killed attempt may have left.
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        yield partial
        partial.replace(out)
    except OSError as error:
        if error.errno in _DISK_FULL:
            raise GraftError(
                "disk_full",
                "There is no room left on the disk for the packed images.",
                "Free some room and send the set again.",
            ) from error
        raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _labels(rows: Rows, layout: Layout) -> NDArray[np.int64]:
    places = {name: place for place, name in enumerate(layout.classes)}
    return np.array([places[item.class_name] for item in rows.items], dtype=np.int64)


def _is_test(
    rows: Rows,
    people: list[str],
    labels: NDArray[np.int64],
    twins: Twins,
    *,
    layout: Layout,
    options: ReadOptions,
) -> NDArray[np.bool_]:
    if layout.has_own_split:
        return np.array([item.split == "test" for item in rows.items], dtype=bool)
    if any(people):
        groups = joined(twins.groups, people)
        return draw_test_patients(labels, groups, share=options.test_share, seed=options.split_seed)
    return draw_test_split(labels, twins.groups, share=options.test_share, seed=options.split_seed)


def _check_enough(
    labels: NDArray[np.int64], is_test: NDArray[np.bool_], classes: list[str]
) -> None:
    for place, name in enumerate(classes):
        of_class = labels == place
        training = int((of_class & ~is_test).sum())
        if training < 2:
            raise GraftError(
                "rare_class_too_small",
                f"The class {name} has fewer than 2 readable training images ({training}).",
                "Add images of that class.",
            )
        if not (of_class & is_test).any():
            raise GraftError(
                "class_missing_in_test",
                f"The class {name} has no readable image in the test split.",
                f"Add images to test/{name}.",
            )


def _index(
    rows: Rows,
    labels: NDArray[np.int64],
    is_test: NDArray[np.bool_],
    layout: Layout,
    *,
    twins: Twins,
    image_size: int,
) -> DatasetIndex:
    splits: dict[Literal["train", "test"], SplitIndex] = {}
    for split, chosen in zip(SPLITS, (~is_test, is_test), strict=True):
        at = np.flatnonzero(chosen).tolist()
        splits[split] = SplitIndex(
            labels=labels[chosen].tolist(),
            sha256=[rows.hashes[i] for i in at],
            entries=[rows.items[i].entry.number for i in at],
        )
    counts = {
        name: {split: splits[split].labels.count(place) for split in SPLITS}
        for place, name in enumerate(layout.classes)
    }
    problems = rows.notes + rows.problems + layout.problems
    return DatasetIndex(
        image_size=image_size,
        classes=layout.classes,
        digest=_digest(image_size, layout.classes, splits),
        counts=counts,
        is_phantom=rows.is_phantom,
        has_own_split=layout.has_own_split,
        unreadable=len(rows.problems),
        problems=problems[:MAX_PROBLEMS],
        problems_not_listed=max(0, len(problems) - MAX_PROBLEMS),
        duplicates=twins.described(labels, is_test, [item.entry.number for item in rows.items]),
        splits=splits,
    )


def _digest(
    image_size: int, classes: list[str], splits: dict[Literal["train", "test"], SplitIndex]
) -> str:
    """Hash what the set means; entry numbers and problems are no part of that."""
    content = {
        "format": 1,
        "image_size": image_size,
        "classes": classes,
        "splits": {name: [rows.labels, rows.sha256] for name, rows in splits.items()},
    }
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _write_split(
    scratch: Path, path: Path, chosen: NDArray[np.bool_], size: int, should_stop: ShouldStop
) -> None:
    """Copy the chosen rows of the scratch file into a .npy file.

    Plain writes, not a writable map: a full disk is then an error and not a SIGBUS.
    """
    row_bytes = size * size * 3
    with scratch.open("rb") as source, path.open("wb") as file:
        np.lib.format.write_array_header_1_0(
            file,
            {"descr": "|u1", "fortran_order": False, "shape": (int(chosen.sum()), size, size, 3)},
        )
        for place in np.flatnonzero(chosen).tolist():
            if should_stop():
                raise Stopped
            source.seek(place * row_bytes)
            file.write(source.read(row_bytes))
