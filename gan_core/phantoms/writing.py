"""A whole set of phantoms, as a zip or a folder of classes."""

from __future__ import annotations

import errno
import io
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from gan_core.phantoms.drawing import KINDS, PhantomKind, check_settings, draw_phantom
from gan_core.progress import (
    OnProgress,
    Progress,
    ShouldStop,
    Stopped,
    ignore_progress,
    never_stop,
)
from gan_core.reading.images import PHANTOM_NOTE
from gan_core.spec.errors import GraftError

Counts = Mapping[str, Mapping[PhantomKind, int]]

DEFAULT_COUNTS: Counts = {
    "train": {"benign": 400, "malignant": 220},
    "test": {"benign": 150, "malignant": 110},
}
_SPLITS = ("train", "test")
_MAX_IMAGES = 100_000
_QUALITY = 92
_IMAGE_DESCRIPTION, _SOFTWARE = 0x010E, 0x0131
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)
_README = """\
PHANTOMS: pictures drawn by a computer, not photographs of anyone.

They resemble pigmented skin lesions, so that Graft can be tried without medical images. "benign"
and "malignant" say only how strongly the drawn signs (asymmetry, border, colours, structures)
tend to show. Nothing that is learnt or measured on them says anything about any disease.

Size: {size} x {size} pixels. Difficulty: {difficulty:g} (0: the kinds differ plainly, 1: not at
all). Seed: {seed}. The same numbers give the same pictures.
"""


def draw_phantoms(
    out: Path,
    *,
    counts: Counts = DEFAULT_COUNTS,
    image_size: int = 224,
    difficulty: float = 0.3,
    seed: int = 0,
    on_progress: OnProgress = ignore_progress,
    should_stop: ShouldStop = never_stop,
) -> int:
    """Draw a set of phantoms, or leave nothing.

    Every file says in its comment and EXIF that it is a phantom; so does ``README.txt``. Image k
    of a class and split depends on ``seed`` and k alone: a larger set begins with a smaller one.

    Args:
        out: A name that ends in ``.zip`` makes a zip, any other a folder; neither may exist.
        counts: Images by split (``train``, ``test``) and kind (``benign``, ``malignant``).
        image_size: Side in pixels, 32 to 512.
        difficulty: 0: the kinds differ plainly; 1: they do not differ at all.
        seed: 0 or more.
        on_progress: Told "drawing phantoms, 120/880".
        should_stop: Asked after every image.

    Returns:
        How many images were drawn.

    Raises:
        GraftError: ``image_size_out_of_range``, ``phantom_difficulty_out_of_range``,
            ``phantom_counts_out_of_range``, ``output_not_empty`` or ``disk_full``.
        Stopped: ``should_stop`` said so; nothing is left.
    """
    check_settings(image_size, difficulty)
    names = _planned(counts)

    def picture(task: tuple[str, PhantomKind, int]) -> bytes:
        split, kind, k = task
        sequence = np.random.SeedSequence([seed, _SPLITS.index(split), k])
        own_seed = int(sequence.generate_state(1, np.uint64)[0])
        pixels = draw_phantom(kind, image_size=image_size, difficulty=difficulty, seed=own_seed)
        return _jpeg(Image.fromarray(pixels))

    with (
        _opened(out) as write,
        ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="draw") as pool,
    ):
        readme = _README.format(size=image_size, difficulty=difficulty, seed=seed)
        write("README.txt", readme.encode())
        try:
            for done, (task, data) in enumerate(
                zip(names, pool.map(picture, names), strict=True), 1
            ):
                if should_stop():
                    raise Stopped
                split, kind, k = task
                write(f"{split}/{kind}/phantom-{k:05}.jpg", data)
                on_progress(Progress(done / len(names), f"drawing phantoms, {done}/{len(names)}"))
        finally:
            pool.shutdown(cancel_futures=True)
    return len(names)


def _planned(counts: Counts) -> list[tuple[str, PhantomKind, int]]:
    names: list[tuple[str, PhantomKind, int]] = []
    is_known = set(counts) <= set(_SPLITS) and all(
        set(kinds) <= set(KINDS) for kinds in counts.values()
    )
    given = [count for kinds in counts.values() for count in kinds.values()]
    if not is_known or min(given, default=0) < 0 or not 0 < sum(given) <= _MAX_IMAGES:
        raise GraftError(
            "phantom_counts_out_of_range",
            f"Phantoms come in the splits train and test, in the kinds benign and malignant, and "
            f"1 to {_MAX_IMAGES:,} of them at a time.",
            "Ask for other numbers.",
        )
    for split in _SPLITS:
        for kind in KINDS:
            names += [(split, kind, k) for k in range(counts.get(split, {}).get(kind, 0))]
    return names


def _jpeg(image: Image.Image) -> bytes:
    exif = Image.Exif()
    exif[_IMAGE_DESCRIPTION] = PHANTOM_NOTE
    exif[_SOFTWARE] = "Graft phantom"
    file = io.BytesIO()
    image.save(file, "JPEG", quality=_QUALITY, subsampling=0, comment=PHANTOM_NOTE, exif=exif)
    return file.getvalue()


@contextmanager
def _opened(out: Path) -> Iterator[Callable[[str, bytes], None]]:
    """Give a function that adds a file; all files appear under ``out`` at the end, or none."""
    partial = out.absolute().with_name(f".{out.absolute().name}.partial")
    try:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise GraftError(
                "output_not_empty",
                "There is something already where the phantoms should go.",
                "Name another file or folder.",
            )
        _remove(partial)
        partial.parent.mkdir(parents=True, exist_ok=True)
        if out.suffix.casefold() == ".zip":
            with zipfile.ZipFile(partial, "w") as archive:
                yield lambda name, data: archive.writestr(zipfile.ZipInfo(name, _ZIP_DATE), data)
        else:
            yield lambda name, data: _write_file(partial / name, data)
        partial.replace(out)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise GraftError(
                "disk_full",
                "There is no room left on the disk for the phantoms.",
                "Free some room, or draw fewer.",
            ) from error
        raise
    finally:
        _remove(partial)


def _write_file(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
