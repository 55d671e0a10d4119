"""Sheets of small pictures of a data set, and of the images that occur twice in it."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan_core.phantoms import draw_phantoms
from gan_core.progress import Progress, Stopped, ignore_progress, never_stop
from gan_core.reading import DatasetIndex, PackedDataset, pack, write_preview
from gan_core.reading.preview import MOST_IMAGES, MOST_PAIRS, SIZE
from gan_core.spec.preview import ClassSheet, Preview, Tiles, is_of_preview, sentences_of


def _blocks(seed: int, size: int = 96) -> Image.Image:
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8))
    return coarse.resize((size, size), Image.Resampling.NEAREST)


def _png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def _packed(tmp_path: Path, files: dict[str, bytes], image_size: int = 96) -> DatasetIndex:
    for name, data in files.items():
        path = tmp_path / "set" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return pack(tmp_path / "set", tmp_path / "packed", image_size=image_size)


def _preview(tmp_path: Path, index: DatasetIndex) -> Preview:
    names = write_preview(
        tmp_path / "packed", index, on_progress=ignore_progress, should_stop=never_stop
    )
    assert all(is_of_preview(name) for name in names)
    text = (tmp_path / "packed" / "preview.json").read_text()
    preview = Preview.model_validate_json(text)
    sheets = [*preview.sheets, *filter(None, [preview.duplicates.sheet])]
    assert [sheet.number for sheet in sheets] == list(range(len(sheets)))
    assert sorted(names) == sorted([f"preview-{s.number}.png" for s in sheets] + ["preview.json"])
    return preview


def _tile(tmp_path: Path, sheet: Tiles, number: int) -> np.ndarray:
    with Image.open(tmp_path / "packed" / f"preview-{sheet.number}.png") as image:
        assert image.size == (sheet.columns * sheet.size, sheet.rows * sheet.size)
        whole = np.asarray(image)
    top, left = number // sheet.columns * SIZE, number % sheet.columns * SIZE
    return whole[top : top + SIZE, left : left + SIZE]


def _set(train: int, test: int, classes: tuple[str, ...] = ("common", "rare")) -> dict[str, bytes]:
    return {
        f"{split}/{name}/{k}.png": _png(_blocks(100_000 * place + 1000 * len(split) + k))
        for place, name in enumerate(classes)
        for split, count in (("train", train), ("test", test))
        for k in range(count)
    }


def test_each_class_and_split_has_a_sheet_of_its_images_evenly_spread(tmp_path: Path) -> None:
    index = _packed(tmp_path, _set(train=47, test=9))
    preview = _preview(tmp_path, index)
    shown = [(s.class_name, s.split, s.count, s.columns, s.rows) for s in preview.sheets]
    assert shown == [
        ("common", "train", MOST_IMAGES, 8, 3),
        ("common", "test", 9, 8, 2),
        ("rare", "train", MOST_IMAGES, 8, 3),
        ("rare", "test", 9, 8, 2),
    ]
    # 47 images in 24 places: every second one, from the first to the last.
    dataset = PackedDataset.open(tmp_path / "packed")
    rare = np.flatnonzero(dataset.labels("train") == 1)
    for place in range(MOST_IMAGES):
        real = dataset.images("train")[rare[2 * place]]
        assert np.array_equal(_tile(tmp_path, preview.sheets[2], place), real)
    # What is left of the last row is white.
    assert (_tile(tmp_path, preview.sheets[3], 9) == 255).all()
    assert preview.classes_not_shown == 0


def test_a_class_may_have_one_image_and_a_set_no_duplicates(tmp_path: Path) -> None:
    preview = _preview(tmp_path, _packed(tmp_path, _set(train=2, test=1), image_size=64))
    assert [(s.count, s.columns, s.rows) for s in preview.sheets] == [(2, 2, 1), (1, 1, 1)] * 2
    assert preview.duplicates.sheet is None
    assert preview.duplicates.pairs == []
    assert [s.code for s in sentences_of(preview)] == ["duplicates_none"]


@pytest.mark.parametrize("side", [32, 96, 200])
def test_images_of_all_sizes_are_brought_to_the_same(tmp_path: Path, side: int) -> None:
    red = Image.new("RGB", (side, side), (200, 10, 30))
    files = _set(train=2, test=1) | {"train/rare/0.png": _png(red)}
    preview = _preview(tmp_path, _packed(tmp_path, files, image_size=side))
    assert (_tile(tmp_path, preview.sheets[2], 0) == (200, 10, 30)).all()


def test_grey_images_stay_grey(tmp_path: Path) -> None:
    files = {name: _png(_blocks(k).convert("L")) for k, name in enumerate(_set(train=3, test=2))}
    preview = _preview(tmp_path, _packed(tmp_path, files, image_size=128))
    tile = _tile(tmp_path, preview.sheets[0], 1)
    assert (tile == tile[..., :1]).all()
    assert tile.std() > 10


def test_of_many_classes_the_largest_are_shown_and_that_is_said(tmp_path: Path) -> None:
    names = tuple(f"kind-{k:02}" for k in range(60))
    # Grey squares, each of its own shade and no two within the limit of near duplicates.
    files = {
        f"{split}/{name}/{k}.png": _png(_blocks(10 * place + k + 5 * (split == "test"), 32))
        for place, name in enumerate(names)
        for split, count in (("train", 3 if place >= 10 else 2), ("test", 1))
        for k in range(count)
    }
    preview = _preview(tmp_path, _packed(tmp_path, files, image_size=32))
    assert [sheet.class_name for sheet in preview.sheets[::2]] == list(names[10:])
    assert preview.classes_not_shown == 10
    (said,) = [s for s in sentences_of(preview) if s.code == "classes_not_shown"]
    assert said.values == {"n": 10, "shown": 50}
    assert "50" in said.text
    assert "10 more" in said.text


def test_twins_are_shown_one_above_the_other_the_gravest_first(tmp_path: Path) -> None:
    files = _set(train=8, test=4)
    nearly = np.asarray(_blocks(9_000)).astype(int) + 2
    files |= {
        # Within a class and split, exact; across splits, near; across classes, near.
        "train/common/x1.png": _png(_blocks(7_000)),
        "train/common/x2.png": _png(_blocks(7_000)),
        "train/rare/y.png": _png(_blocks(8_000)),
        "test/rare/y.png": _png(_blocks(8_000).resize((97, 97))),
        "train/common/z.png": _png(_blocks(9_000)),
        "train/rare/z.png": _png(Image.fromarray(np.clip(nearly, 0, 255).astype(np.uint8))),
    }
    preview = _preview(tmp_path, _packed(tmp_path, files))
    found = preview.duplicates
    assert (found.exact, found.near, found.across_splits, found.across_classes) == (1, 2, 1, 1)
    assert found.not_listed == 0
    assert found.is_complete
    places = [
        (p.kind, p.first.split, p.second.split, p.first.class_name == p.second.class_name)
        for p in found.pairs
    ]
    assert places[0][0] == "near"
    assert {places[0][1], places[0][2]} == {"train", "test"}
    assert places[1] == ("near", "train", "train", False)
    assert places[2] == ("exact", "train", "train", True)
    assert [p.column for p in found.pairs] == [0, 1, 2]
    sheet = found.sheet
    assert sheet is not None
    assert (sheet.columns, sheet.rows) == (3, 2)
    for pair in found.pairs:
        upper = _tile(tmp_path, sheet, pair.column).astype(float)
        lower = _tile(tmp_path, sheet, sheet.columns + pair.column).astype(float)
        assert np.sqrt(np.mean((upper - lower) ** 2)) < 20
        assert (pair.kind == "exact") == np.array_equal(upper, lower)
    # The upper one is the one that is called the first.
    dataset = PackedDataset.open(tmp_path / "packed")
    split = found.pairs[0].first.split
    row = dataset.index.splits[split].entries.index(found.pairs[0].first.entry)
    assert np.array_equal(dataset.images(split)[row], _tile(tmp_path, sheet, 0))
    assert [s.code for s in sentences_of(preview)] == [
        "duplicates_exact",
        "duplicates_near",
        "duplicates_across_splits",
        "duplicates_across_classes",
    ]
    assert "leave-out" in sentences_of(preview)[2].text


def test_of_many_pairs_some_are_shown_and_that_is_said(tmp_path: Path) -> None:
    files = _set(train=2, test=1)
    files |= {f"train/rare/same-{k}.png": _png(_blocks(7_000)) for k in range(9)}
    preview = _preview(tmp_path, _packed(tmp_path, files))
    found = preview.duplicates
    assert found.exact == 36
    assert len(found.pairs) == MOST_PAIRS
    assert found.not_listed == 12
    assert found.sheet is not None
    assert (found.sheet.columns, found.sheet.rows) == (MOST_PAIRS, 2)
    assert (
        sentences_of(preview)[-1].text == "Shown are the 24 gravest pairs; 12 more are not shown."
    )


def test_a_search_that_ended_early_is_said_to_have(tmp_path: Path) -> None:
    preview = _preview(tmp_path, _packed(tmp_path, _set(train=2, test=1)))
    cut = preview.duplicates.model_copy(update={"is_complete": False, "near": 2_000_000})
    said = sentences_of(preview.model_copy(update={"duplicates": cut}))
    assert [s.code for s in said] == ["duplicates_near", "duplicates_incomplete"]
    assert said[0].text.startswith("2,000,000 pairs of images are")


def test_the_files_say_that_they_are_real_and_hold_nothing_of_the_upload(tmp_path: Path) -> None:
    files = _set(train=2, test=1)
    files["train/rare/Anna Smith.png"] = files.pop("train/rare/0.png")
    preview = _preview(tmp_path, _packed(tmp_path, files))
    assert preview.sheets
    for sheet in preview.sheets:
        with Image.open(tmp_path / "packed" / f"preview-{sheet.number}.png") as image:
            image.load()
            assert list(image.info) == ["Description"]
            assert image.info["Description"].startswith("Real images")
            assert "synthetic" not in image.info["Description"].lower()
    assert "Anna" not in (tmp_path / "packed" / "preview.json").read_text()


def test_phantoms_are_not_called_patients(tmp_path: Path) -> None:
    counts = {"train": {"benign": 3, "malignant": 3}, "test": {"benign": 2, "malignant": 2}}
    draw_phantoms(tmp_path / "set", counts=counts, image_size=64)
    preview = _preview(tmp_path, pack(tmp_path / "set", tmp_path / "packed", image_size=64))
    with Image.open(tmp_path / "packed" / f"preview-{preview.sheets[0].number}.png") as image:
        image.load()
        assert "phantoms" in image.info["Description"]
        assert "synthetic" not in image.info["Description"].lower()


def test_the_same_set_gives_the_same_bytes(tmp_path: Path) -> None:
    files = _set(train=5, test=2) | {"train/rare/x.png": _png(_blocks(1))}
    made = []
    for name in ("one", "other"):
        _preview(tmp_path / name, _packed(tmp_path / name, files))
        folder = tmp_path / name / "packed"
        made.append({p.name: p.read_bytes() for p in folder.glob("preview*")})
    assert made[0] == made[1]
    assert len(made[0]) == 5


def test_it_says_how_far_it_is_and_stops_when_told(tmp_path: Path) -> None:
    index = _packed(tmp_path, _set(train=3, test=1))
    said: list[Progress] = []
    asked = iter([False, False, True])
    with pytest.raises(Stopped):
        write_preview(
            tmp_path / "packed", index, on_progress=said.append, should_stop=lambda: next(asked)
        )
    assert [(p.fraction, p.detail) for p in said] == [
        (0.25, "drawing the preview, 1/4"),
        (0.5, "drawing the preview, 2/4"),
    ]


def test_an_array_larger_than_the_address_space_can_be_shown(tmp_path: Path) -> None:
    path = tmp_path / "train.npy"
    with path.open("wb") as file:
        shape = (40_000, 224, 224, 3)
        described = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, described)
        file.truncate(file.tell() + int(np.prod(shape)))  # sparse: it takes no room
    code = f"""
from pathlib import Path
import numpy as np
from gan_core.reading.preview import _small
from gan_core.steps.limits import ProcessLimits, apply_limits
apply_limits(ProcessLimits(memory_bytes=200 << 20, seconds=60, file_bytes=1 << 20))
path = Path({str(path)!r})
try:
    np.load(path, mmap_mode="r")
except (MemoryError, OSError):
    print("cannot be mapped")
print([image.shape for image in _small(path, [0, 39_999])])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stdout.split("\n")[:2] == ["cannot be mapped", "[(96, 96, 3), (96, 96, 3)]"], (
        done.stderr
    )


def test_a_sheet_is_read_back_as_it_is_written() -> None:
    sheet = ClassSheet(
        number=1, columns=8, rows=1, size=96, class_name="rare", split="test", count=3
    )
    text = sheet.model_dump_json(by_alias=True)
    assert '"class":"rare"' in text
    assert ClassSheet.model_validate_json(text) == sheet
