"""Sheets of synthetic images and the training images nearest to them."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gan_core.packaging.labels import read_png
from gan_core.phantoms import draw_phantoms
from gan_core.reading import PackedDataset, pack
from gan_core.report.data import GanSection
from gan_core.report.gathering import nearest_sheets
from gan_core.report.nearest import SIZE

LABEL = "infogan-6-s0"
SECTION = GanSection(gan="infogan", real_count=6, real_count_label="6", subset=0)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> PackedDataset:
    folder = tmp_path_factory.mktemp("data")
    counts = {"train": {"benign": 8, "malignant": 8}, "test": {"benign": 3, "malignant": 3}}
    draw_phantoms(folder / "pictures", counts=counts, image_size=SIZE)
    pack(folder / "pictures", folder / "packed", image_size=SIZE)
    return PackedDataset.open(folder / "packed")


def inspected(folder: Path, count: int = 5, **privacy: Any) -> dict[str, Path]:
    """What an upscale and an inspect step leave: 20 images, the first ``count`` looked up."""
    chance = np.random.default_rng(1)
    (folder / "upscale").mkdir(parents=True)
    (folder / "inspect").mkdir()
    fakes = chance.integers(0, 256, (20, SIZE, SIZE, 3), dtype=np.uint8)
    np.save(folder / "upscale" / "images.npy", fakes)
    np.savez(
        folder / "inspect" / "neighbours.npz",
        fakes=np.arange(count),
        rows=chance.integers(8, 16, (count, 3)),
        distances=np.sort(chance.random((count, 3)), axis=1),
        copy_fakes=np.arange(2),
        copy_rows=np.arange(2),
        copy_rms=np.array([3.0, 9.0], np.float32),
    )
    findings = {"quality": None, "shortcut": None, "privacy": privacy or None}
    (folder / "inspect" / "findings.json").write_text(json.dumps(findings))
    return {f"upscale-{LABEL}": folder / "upscale", f"inspect-{LABEL}": folder / "inspect"}


def test_synthetic_images_stand_above_their_nearest_real_ones(
    dataset: PackedDataset, tmp_path: Path
) -> None:
    inputs = inspected(tmp_path, near_copies=2)
    (sheet,) = nearest_sheets(inputs, dataset, [SECTION])
    saved = np.load(inputs[f"inspect-{LABEL}"] / "neighbours.npz")
    fakes = np.load(inputs[f"upscale-{LABEL}"] / "images.npy")
    told = sheet.described()
    assert told == {
        "artifact": f"nearest-{LABEL}.png",
        "gan": "infogan",
        "real_count": 6,
        "real_count_label": "6",
        "subset": 0,
        "size": SIZE,
        "columns": 5,
        "rows": ["synthetic", "nearest-1", "nearest-2", "nearest-3"],
        "distances": told["distances"],
        "near_copies": 2,
    }
    assert np.allclose(told["distances"], saved["distances"], atol=1e-4)
    with Image.open(io.BytesIO(sheet.png("1"))) as image:
        whole = np.asarray(image)
    assert whole.shape == (4 * SIZE, 5 * SIZE, 3)
    for column in range(5):
        band = whole[:, column * SIZE : (column + 1) * SIZE].reshape(4, SIZE, SIZE, 3)
        assert np.array_equal(band[0], fakes[column])
        for rank in range(3):
            real = dataset.images("train")[saved["rows"][column, rank]]
            assert np.array_equal(band[1 + rank], real)


def test_the_sheet_says_what_is_synthetic_and_what_is_not(
    dataset: PackedDataset, tmp_path: Path
) -> None:
    (sheet,) = nearest_sheets(inspected(tmp_path), dataset, [SECTION])
    png = sheet.png("1.2")
    with Image.open(io.BytesIO(png)) as image:
        image.load()
        texts = dict(image.info)
    assert texts["Description"].startswith("The top row, 5 images, is synthetic")
    assert "3 rows below are real images" in texts["Description"]
    assert texts["Source"] == "infogan, 6 real images, subset 0"
    assert texts["Software"] == "Graft 1.2"
    assert "compositeWithTrainedAlgorithmicMedia" in texts["XML:com.adobe.xmp"]
    # It must not pass for a synthetic image: most of it is not.
    assert not read_png(png)[1].is_synthetic
    assert sheet.near_copies is None


def test_images_of_other_sizes_are_brought_to_that_of_the_sheet(
    dataset: PackedDataset, tmp_path: Path
) -> None:
    inputs = inspected(tmp_path)
    small = np.full((20, 48, 48, 3), 77, np.uint8)
    np.save(inputs[f"upscale-{LABEL}"] / "images.npy", small)
    (sheet,) = nearest_sheets(inputs, dataset, [SECTION])
    with Image.open(io.BytesIO(sheet.png("1"))) as image:
        whole = np.asarray(image)
    assert whole.shape == (4 * SIZE, 5 * SIZE, 3)
    assert (whole[:SIZE] == 77).all()


def test_what_was_not_inspected_has_no_sheet(dataset: PackedDataset, tmp_path: Path) -> None:
    both = inspected(tmp_path / "both")
    assert list(nearest_sheets({}, dataset, [SECTION])) == []
    for missing in both:
        rest = {label: path for label, path in both.items() if label != missing}
        assert list(nearest_sheets(rest, dataset, [SECTION])) == []
    # A screen rejected all images.
    assert list(nearest_sheets(inspected(tmp_path / "none", 0), dataset, [SECTION])) == []
    (both[f"inspect-{LABEL}"] / "neighbours.npz").unlink()
    assert list(nearest_sheets(both, dataset, [SECTION])) == []
