"""Upscaling a long set into a file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gan_core.progress import Progress, Stopped
from gan_core.upscaling import Upscaler, create, upscale_set
from gan_core.upscaling.base import Images


class Counting(Upscaler):
    """Enlarges by copying pixels, and remembers which images it was given."""

    name = "counting"
    scale = 2
    micro_batch = 2

    def __init__(self, label: str = "a", fail_at: int | None = None) -> None:
        self.fingerprint = hashlib.sha256(label.encode()).hexdigest()
        self.seen: list[int] = []
        self.fail_at = fail_at

    def upscale_batch(self, images: Images, *, size: int) -> Images:
        if self.fail_at is not None and len(self.seen) >= self.fail_at:
            raise MemoryError
        self.seen += [int(image[0, 0, 0]) for image in images]
        factor = size // images.shape[1]
        return images.repeat(factor, axis=1).repeat(factor, axis=2)


def numbered(count: int) -> Images:
    return np.broadcast_to(np.arange(count, dtype=np.uint8)[:, None, None, None], (count, 4, 4, 3))


def stop_after(calls: int) -> Callable[[], bool]:
    asked = iter(range(calls))
    return lambda: next(asked, None) is None


def test_a_set_is_written_as_a_plain_npy_file(tmp_path: Path) -> None:
    out = tmp_path / "images.npy"
    told: list[Progress] = []
    result = upscale_set(Counting(), numbered(5), out, size=8, on_progress=told.append)
    expected = numbered(5).repeat(2, axis=1).repeat(2, axis=2)
    assert np.array_equal(result, expected)
    assert np.array_equal(np.load(out, allow_pickle=False), expected)
    assert not result.flags.writeable
    assert [progress.fraction for progress in told] == [0.4, 0.8, 1.0]


def test_a_stopped_set_goes_on_where_it_was(tmp_path: Path) -> None:
    out = tmp_path / "images.npy"
    with pytest.raises(Stopped):
        upscale_set(Counting(), numbered(7), out, size=8, should_stop=stop_after(2))
    second = Counting()
    result = upscale_set(second, numbered(7), out, size=8)
    assert second.seen == [4, 5, 6]
    assert np.array_equal(result[:, 0, 0, 0], np.arange(7))


def test_a_set_whose_engine_failed_goes_on_where_it_was(tmp_path: Path) -> None:
    out = tmp_path / "images.npy"
    with pytest.raises(MemoryError):
        upscale_set(Counting(fail_at=4), numbered(7), out, size=8)
    second = Counting()
    upscale_set(second, numbered(7), out, size=8)
    assert second.seen == [4, 5, 6]


def test_an_interrupted_set_equals_an_undisturbed_one_bit_for_bit(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), np.uint8)
    upscaler = create("realesr-compact-x4", cache_dir=tmp_path)
    undisturbed = upscale_set(upscaler, images, tmp_path / "a.npy", size=48)
    with pytest.raises(Stopped):
        upscale_set(upscaler, images, tmp_path / "b.npy", size=48, should_stop=stop_after(3))
    upscale_set(upscaler, images, tmp_path / "b.npy", size=48)
    assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "b.npy").read_bytes()
    assert np.array_equal(undisturbed, upscaler.upscale(images, size=48))


def test_images_may_lie_in_a_read_only_map(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), np.uint8)
    np.save(tmp_path / "in.npy", images)
    mapped = np.load(tmp_path / "in.npy", mmap_mode="r")
    upscaler = create("realesr-compact-x4", cache_dir=tmp_path)
    result = upscale_set(upscaler, mapped, tmp_path / "out.npy", size=16)
    assert np.array_equal(result, upscaler.upscale(images, size=16))


def test_a_finished_set_is_not_made_again(tmp_path: Path) -> None:
    out = tmp_path / "images.npy"
    upscale_set(Counting(), numbered(3), out, size=8)
    second = Counting()
    assert len(upscale_set(second, numbered(3), out, size=8)) == 3
    assert second.seen == []


@pytest.mark.parametrize("change", ["images", "engine", "size", "count"])
def test_another_work_in_the_same_file_starts_anew(tmp_path: Path, change: str) -> None:
    out = tmp_path / "images.npy"
    with pytest.raises(Stopped):
        upscale_set(Counting(), numbered(6), out, size=8, should_stop=stop_after(2))
    second = Counting("b" if change == "engine" else "a")
    images = {"images": numbered(6)[::-1], "count": numbered(5)}.get(change, numbered(6))
    size = 16 if change == "size" else 8
    result = upscale_set(second, images, out, size=size)
    assert len(second.seen) == len(images)
    assert result.shape == (len(images), size, size, 3)
    assert np.array_equal(result[:, 0, 0, 0], images[:, 0, 0, 0])


@pytest.mark.parametrize("record", [b"", b"{", b"[]", b'{"done": 3}'])
def test_a_damaged_record_starts_anew(tmp_path: Path, record: bytes) -> None:
    out = tmp_path / "images.npy"
    upscale_set(Counting(), numbered(3), out, size=8)
    (tmp_path / "images.npy.progress.json").write_bytes(record)
    second = Counting()
    upscale_set(second, numbered(3), out, size=8)
    assert second.seen == [0, 1, 2]


def test_a_record_without_its_file_starts_anew(tmp_path: Path) -> None:
    out = tmp_path / "images.npy"
    upscale_set(Counting(), numbered(3), out, size=8)
    out.unlink()
    second = Counting()
    assert len(upscale_set(second, numbered(3), out, size=8)) == 3
    assert second.seen == [0, 1, 2]


def test_what_is_recorded_is_on_the_disk(tmp_path: Path) -> None:
    out = tmp_path / "images.npy"
    with pytest.raises(Stopped):
        upscale_set(Counting(), numbered(6), out, size=8, should_stop=stop_after(2))
    done = json.loads((tmp_path / "images.npy.progress.json").read_bytes())["done"]
    assert done == 4
    assert np.load(out, allow_pickle=False)[:done, 0, 0, 0].tolist() == [0, 1, 2, 3]


def test_an_empty_set_is_an_empty_file(tmp_path: Path) -> None:
    result = upscale_set(Counting(), numbered(0), tmp_path / "images.npy", size=8)
    assert result.shape == (0, 8, 8, 3)


class Hungry(Counting):
    """Has memory for one image at a time."""

    micro_batch = 4

    def upscale_batch(self, images: Images, *, size: int) -> Images:
        if len(images) > 1:
            raise MemoryError
        return super().upscale_batch(images, size=size)


def test_where_memory_runs_out_batches_are_halved(tmp_path: Path) -> None:
    hungry = Hungry()
    result = upscale_set(hungry, numbered(5), tmp_path / "images.npy", size=8)
    assert np.array_equal(result, upscale_set(Counting(), numbered(5), tmp_path / "b", size=8))
    assert hungry.seen == [0, 1, 2, 3, 4]
    assert hungry.micro_batch == 1
