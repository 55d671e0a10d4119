"""Tars, plain and packed: what tools write is read, what only some understand is refused."""

from __future__ import annotations

import io
import os
import random
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
from hostile_files import (
    END,
    blocks,
    gzipped,
    header,
    hostile_archives,
    pax,
    sound_members,
    tar_gz,
    tarred,
    zipped,
)

from gan_core.progress import Progress, Stopped
from gan_core.reading import ReadOptions, pack
from gan_core.reading.archive import open_archive
from gan_core.spec.errors import GraftError

_HOSTILE = hostile_archives()


def _read_all(path: Path, **options: Any) -> dict[str, bytes]:
    with open_archive(path, ReadOptions(**options), scratch=path.parent) as archive:
        return {entry.name: archive.read(entry) for entry in archive.entries}


def _code(path: Path, data: bytes, **options: Any) -> str:
    path.write_bytes(data)
    with pytest.raises(GraftError) as caught:
        _read_all(path, **options)
    assert caught.value.detail
    return caught.value.code


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "upload.zip"


@pytest.mark.parametrize(
    "kind", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT], ids=str
)
@pytest.mark.parametrize("is_packed", [False, True])
def test_every_format_is_read_as_it_was_packed(path: Path, kind: int, is_packed: bool) -> None:
    members = {
        "a/1": b"one",
        "a/2": b"",
        "é/ü.png": os.urandom(511),
        "b/3": os.urandom(700_000) + bytes(512),
        "/".join(["long"] * 30) + "/4": b"four",
    }
    data = tarred(members.items(), kind)
    path.write_bytes(gzipped(data) if is_packed else data)
    assert _read_all(path) == members
    assert [child.name for child in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("kind", ["gnu", "ustar", "pax", "v7"])
def test_what_the_tar_program_writes_is_read_and_v7_is_refused(tmp_path: Path, kind: str) -> None:
    program = shutil.which("tar")
    if program is None:
        pytest.skip("there is no tar program here")
    for name, data in sound_members(2):
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / name).write_bytes(data)
    path = tmp_path / "set.tgz"
    command = [program, f"--format={kind}", "-czf", path, "-C", tmp_path / "set", "."]
    subprocess.run(command, check=True)
    if kind == "v7":
        assert _code(path, path.read_bytes()) == "not_a_tar"
    else:
        assert _read_all(path) == dict(sound_members(2))


def test_entries_are_numbered_in_order_with_folders_and_without_extended_headers(
    path: Path,
) -> None:
    folder, data = header(b"a/", 0, b"5"), blocks(b"abc")
    long = header(b"././@LongLink", 9, b"L", b"ustar  \x00") + blocks(b"b/long/3\0")
    plain = folder + header(b"a/1", 3) + data + pax(("path", "b/2"), ("mtime", "1.5"))
    plain += header(b"x", 3) + data + long + header(b"y", 3, magic=b"ustar  \x00") + data + END
    for is_packed in (False, True):
        path.write_bytes(gzipped(plain) if is_packed else plain)
        with open_archive(path, ReadOptions()) as archive:
            found = [(entry.number, entry.name) for entry in archive.entries]
            assert found == [(2, "a/1"), (3, "b/2"), (4, "b/long/3")]
            assert archive.read(archive.entries[2]) == b"abc"


@pytest.mark.parametrize("name", _HOSTILE)
def test_a_hostile_archive_is_refused_with_its_code(path: Path, name: str) -> None:
    data, code = _HOSTILE[name]
    assert _code(path, data) == code
    assert [child.name for child in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("is_packed", [False, True])
@pytest.mark.parametrize(
    ("limits", "code"),
    [
        ({"max_entries": 1}, "archive_too_many_entries"),
        ({"max_entry_bytes": 2999}, "archive_entry_too_large"),
        ({"max_unpacked_bytes": 5000}, "archive_too_large"),
    ],
)
def test_the_limits_are_those_of_a_zip(
    path: Path, limits: dict[str, int], code: str, is_packed: bool
) -> None:
    data = tarred([("a/1", os.urandom(3000)), ("a/2", os.urandom(3000))])
    assert _code(path, gzipped(data) if is_packed else data, **limits) == code


def test_folders_and_headers_alone_cannot_go_on_for_ever(path: Path) -> None:
    data = b"".join(header(b"%d/" % k, 0, b"5") for k in range(50)) + END
    assert _code(path, gzipped(data), max_entries=49) == "archive_too_many_entries"


def test_a_zip_that_mentions_a_tar_stays_a_zip(path: Path) -> None:
    path.write_bytes(zipped([("a/1", b"." * 224 + b"ustar\x0000")]))
    assert path.read_bytes()[257:262] == b"ustar"
    assert list(_read_all(path)) == ["a/1"]


def test_a_tar_gives_the_same_set_as_the_zip_of_the_same_images(tmp_path: Path) -> None:
    members = sound_members()
    digests = set()
    for number, data in enumerate([zipped(members), tarred(members), tar_gz(members[::-1])]):
        (tmp_path / "upload").write_bytes(data)
        digests.add(pack(tmp_path / "upload", tmp_path / str(number), image_size=32).digest)
    assert len(digests) == 1


def test_a_refused_tar_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "upload").write_bytes(tar_gz()[:-3])
    with pytest.raises(GraftError):
        pack(tmp_path / "upload", tmp_path / "out", image_size=32)
    assert [child.name for child in tmp_path.iterdir()] == ["upload"]


def test_a_stop_is_heard_while_a_tar_is_unpacked(tmp_path: Path) -> None:
    (tmp_path / "upload").write_bytes(tar_gz())
    told: list[Progress] = []
    with pytest.raises(Stopped):
        pack(
            tmp_path / "upload",
            tmp_path / "out",
            image_size=32,
            on_progress=told.append,
            should_stop=lambda: len(told) >= 3,
        )
    assert {progress.detail for progress in told} == {"unpacking the archive"}
    assert [child.name for child in tmp_path.iterdir()] == ["upload"]


def test_a_large_tar_gz_is_unpacked_in_little_memory(tmp_path: Path) -> None:
    import tracemalloc

    noise = random.Random(0).randbytes(1 << 20)
    path = tmp_path / "upload"
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        for number in range(40):
            entry = tarfile.TarInfo(f"a/{number}")
            entry.size = len(noise)
            archive.addfile(entry, io.BytesIO(noise))
    tracemalloc.start()
    try:
        with open_archive(path, ReadOptions(), scratch=tmp_path) as archive:
            _, peak = tracemalloc.get_traced_memory()
            assert archive.read(archive.entries[39]) == noise
    finally:
        tracemalloc.stop()
    assert peak < 4_000_000
