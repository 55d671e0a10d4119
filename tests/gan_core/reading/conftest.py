"""Small archives and images, made by code."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

MakeImage = Callable[..., bytes]
MakeZip = Callable[..., Path]


def image_bytes(seed: int = 0, size: tuple[int, int] = (40, 40), kind: str = "PNG") -> bytes:
    """Return a file of random blocks, so that no two seeds look alike."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8))
    file = io.BytesIO()
    coarse.resize(size, Image.Resampling.NEAREST).save(file, kind)
    return file.getvalue()


@pytest.fixture
def make_image() -> MakeImage:
    return image_bytes


@pytest.fixture
def members() -> dict[str, bytes]:
    """A sound set: two classes, 6 training and 3 test images each."""
    return {
        f"{split}/{name}/{k}.png": image_bytes(1000 * len(split) + 100 * len(name) + k)
        for split, count in (("train", 6), ("test", 3))
        for name in ("common", "rare")
        for k in range(count)
    }


@pytest.fixture
def make_zip(tmp_path: Path) -> MakeZip:
    def make(members: dict[str, bytes], name: str = "set.zip", method: int = 0) -> Path:
        path = tmp_path / name
        with zipfile.ZipFile(path, "w", method) as archive:
            for member, data in members.items():
                archive.writestr(zipfile.ZipInfo(member), data, method)
        return path

    return make
