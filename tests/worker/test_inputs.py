"""Bringing inputs to the machine."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import pytest

from store.objects import Objects
from store.records import InputFile, InputPart
from worker.inputs import DigestMismatchError, InputMissingError, ObjectCache, materialise


class FarAway(Objects):
    """A local directory that behaves like a bucket, and counts what is fetched."""

    fetched = 0

    def local_path(self, key: str) -> Path | None:  # noqa: ARG002
        return None

    def get_to_file(self, key: str, path: Path) -> None:
        type(self).fetched += 1
        source = super().local_path(key)
        assert source is not None
        path.write_bytes(source.read_bytes())


def stored(objects: Objects, tmp_path: Path, name: str, content: bytes) -> InputFile:
    source = tmp_path / f"source-{name}"
    source.write_bytes(content)
    objects.put_file(f"steps/1/{name}", source)
    return InputFile(name, f"steps/1/{name}", len(content), hashlib.sha256(content).hexdigest())


def test_a_local_object_is_linked_and_not_copied(tmp_path: Path) -> None:
    objects = Objects((tmp_path / "objects").as_uri())
    file = stored(objects, tmp_path, "a.npy", b"pixels")
    materialise((file,), tmp_path / "inputs", objects, None)
    target = tmp_path / "inputs" / "a.npy"
    original = objects.local_path(file.object_key)
    assert original is not None
    assert target.read_bytes() == b"pixels"
    assert target.stat().st_ino == original.stat().st_ino


def test_an_object_that_is_gone_is_told(tmp_path: Path) -> None:
    objects = Objects((tmp_path / "objects").as_uri())
    with pytest.raises(InputMissingError):
        materialise((InputFile("a", "steps/1/a", 1, "00"),), tmp_path / "in", objects, None)


@pytest.fixture
def bucket(tmp_path: Path) -> FarAway:
    FarAway.fetched = 0
    return FarAway((tmp_path / "bucket").as_uri())


def test_a_cached_object_is_fetched_once(tmp_path: Path, bucket: FarAway) -> None:
    cache = ObjectCache(tmp_path / "cache", max_bytes=1000)
    file = stored(bucket, tmp_path, "a.npy", b"pixels")
    for folder in ("one", "two"):
        materialise((file,), tmp_path / folder, bucket, cache)
        assert (tmp_path / folder / "a.npy").read_bytes() == b"pixels"
    assert bucket.fetched == 1


def test_a_damaged_arrival_is_not_kept(tmp_path: Path, bucket: FarAway) -> None:
    cache = ObjectCache(tmp_path / "cache", max_bytes=1000)
    file = stored(bucket, tmp_path, "a.npy", b"pixels")
    damaged = InputFile(file.name, file.object_key, file.size, "00" * 32)
    with pytest.raises(OSError, match="damaged"):
        materialise((damaged,), tmp_path / "one", bucket, cache)
    assert list((tmp_path / "cache" / "objects").iterdir()) == []


def test_the_least_recently_used_makes_room(tmp_path: Path, bucket: FarAway) -> None:
    cache = ObjectCache(tmp_path / "cache", max_bytes=250)
    files = [stored(bucket, tmp_path, f"{n}.npy", bytes([n]) * 100) for n in range(3)]
    folder = tmp_path / "cache" / "objects"

    def name_of(file: InputFile) -> str:
        return hashlib.sha256(file.object_key.encode()).hexdigest()

    for moment, file in enumerate(files[:2]):
        materialise((file,), tmp_path / "in", bucket, cache)
        os.utime(folder / name_of(file), (1000 + moment, 1000 + moment))
    materialise((files[0],), tmp_path / "again", bucket, cache)  # used: now the younger one
    materialise((files[2],), tmp_path / "in", bucket, cache)
    assert {path.name for path in folder.iterdir()} == {name_of(files[0]), name_of(files[2])}
    # What a step has linked stays whole although its name in the cache is gone.
    assert (tmp_path / "in" / "1.npy").read_bytes() == b"\x01" * 100


@pytest.fixture
def in_parts(tmp_path: Path) -> tuple[Objects, InputFile]:
    objects = Objects((tmp_path / "objects").as_uri())
    whole = os.urandom(25_000)
    files = [
        stored(objects, tmp_path, f"part-{k}", whole[at : at + 10_000])
        for k, at in enumerate(range(0, len(whole), 10_000))
    ]
    parts = tuple(InputPart(file.object_key, file.size, file.sha256) for file in files)
    sha256 = hashlib.sha256(whole).hexdigest()
    return objects, InputFile("upload.zip", "steps/1/", len(whole), sha256, parts)


def test_parts_are_put_together_in_order_and_left_where_they_are(
    tmp_path: Path, in_parts: tuple[Objects, InputFile]
) -> None:
    objects, file = in_parts
    asked: list[int] = []
    materialise((file,), tmp_path / "in", objects, None, lambda: asked.append(1))
    target = tmp_path / "in" / "upload.zip"
    assert hashlib.sha256(target.read_bytes()).hexdigest() == file.sha256
    assert [path.name for path in target.parent.iterdir()] == ["upload.zip"]
    assert len(objects.list("steps/1/")) == len(asked) == 3


def test_parts_that_are_not_what_was_said_become_no_file(
    tmp_path: Path, in_parts: tuple[Objects, InputFile]
) -> None:
    objects, file = in_parts
    swapped = replace(file, parts=(file.parts[1], file.parts[0], file.parts[2]))
    with pytest.raises(DigestMismatchError):
        materialise((swapped,), tmp_path / "in", objects, None)
    assert list((tmp_path / "in").iterdir()) == []


def test_a_part_that_was_damaged_in_the_store_is_not_the_client_s_fault(
    tmp_path: Path, in_parts: tuple[Objects, InputFile]
) -> None:
    objects, file = in_parts
    path = objects.local_path(file.parts[1].object_key)
    assert path is not None
    path.write_bytes(b"damaged")
    with pytest.raises(OSError, match="damaged"):
        materialise((file,), tmp_path / "in", objects, None)
    path.unlink()
    with pytest.raises(InputMissingError):
        materialise((file,), tmp_path / "in", objects, None)
