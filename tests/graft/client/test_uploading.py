"""Uploading: what leaves this machine, and what is sent again."""

from __future__ import annotations

import os
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from scripted_service import Service, client_of, dataset

from gan_core.reading import layout
from gan_core.spec.errors import GraftError
from graft.client.transfer import IMAGE_SUFFIXES


def folder_of_images(tmp_path: Path) -> Path:
    for name in ("train/a/1.png", "train/b/2.png", "test/a/3.png", ".DS_Store", "__MACOSX/x"):
        path = tmp_path / "set" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode() * 10)
    return tmp_path / "set"


def test_a_folder_is_packed_the_same_way_every_time_and_without_clutter(tmp_path: Path) -> None:
    service = Service(httpx.Response(202, json=dataset()))
    told: list[tuple[int, int]] = []
    folder = folder_of_images(tmp_path)
    for _ in range(2):
        client_of(service).datasets.upload(
            folder, image_size=64, on_bytes=lambda d, t: told.append((d, t))
        )
    first, second = (request.content for request in service.requests)
    assert first == second
    with zipfile.ZipFile(BytesIO(first)) as archive:
        assert archive.namelist() == ["test/a/3.png", "train/a/1.png", "train/b/2.png"]
    request = service.requests[0]
    assert request.headers["content-type"] == "application/zip"
    assert int(request.headers["content-length"]) == len(first)
    assert dict(request.url.params) == {"name": "set", "image_size": "64"}
    assert told[-1] == (len(first), len(first))


def test_of_a_folder_nothing_but_images_leaves_this_machine(tmp_path: Path) -> None:
    folder = folder_of_images(tmp_path)
    (folder / "train" / "patients.xlsx").write_bytes(b"names")
    (folder / "notes.csv").write_bytes(b"names")
    (folder / "train" / "b" / "SCAN.JPEG").write_bytes(b"image")
    (tmp_path / "elsewhere.png").write_bytes(b"of somebody else")
    (folder / "train" / "a" / "link.png").symlink_to(tmp_path / "elsewhere.png")
    left_out: list[int] = []
    service = Service(httpx.Response(202, json=dataset()))
    client_of(service).datasets.upload(folder, on_left_out=left_out.append)
    with zipfile.ZipFile(BytesIO(service.requests[0].content)) as archive:
        assert sorted(archive.namelist()) == [
            "test/a/3.png",
            "train/a/1.png",
            "train/b/2.png",
            "train/b/SCAN.JPEG",
        ]
    assert left_out == [3]


def test_the_images_of_a_folder_are_what_the_service_reads_as_images() -> None:
    assert IMAGE_SUFFIXES == layout._IMAGES


def test_a_folder_with_other_files_alone_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "patients.csv").write_bytes(b"names")
    service = Service()
    with pytest.raises(GraftError, match="holds no images") as caught:
        client_of(service).datasets.upload(tmp_path / "set")
    assert caught.value.code == "empty_folder"
    assert service.requests == []


@pytest.mark.parametrize("where", ["a file", "a folder"])
def test_what_cannot_be_read_is_told_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    folder = folder_of_images(tmp_path)
    bad = folder / "train" / "b" / ("2.png" if where == "a file" else "")
    # Not by its mode: an administrator reads everything.
    real_open, real_scan = Path.open, os.scandir

    def open_(path: Path, *args: Any, **more: Any) -> Any:
        if path == bad:
            raise PermissionError(13, "Permission denied", str(path))
        return real_open(path, *args, **more)

    def scan(path: Any) -> Any:
        if Path(path) == bad:
            raise PermissionError(13, "Permission denied", str(path))
        return real_scan(path)

    monkeypatch.setattr(Path, "open", open_)
    monkeypatch.setattr(os, "scandir", scan)
    service = Service()
    with pytest.raises(GraftError, match="Permission denied") as caught:
        client_of(service).datasets.upload(folder)
    assert caught.value.code == "unreadable_file"
    assert str(bad) in caught.value.detail
    assert service.requests == []


def test_an_upload_that_broke_off_is_sent_again_whole(tmp_path: Path) -> None:
    path = tmp_path / "set.zip"
    path.write_bytes(b"PK" * 1000)
    service = Service(httpx.WriteError("broke"), httpx.Response(202, json=dataset()))
    client_of(service).datasets.upload(path)
    assert service.requests[1].content == path.read_bytes()


def test_what_is_not_there_cannot_be_uploaded(tmp_path: Path) -> None:
    from gan_core.spec.errors import GraftError

    client = client_of(Service(httpx.Response(202, json=dataset())))
    (tmp_path / "empty").mkdir()
    for name, code in {"nothing": "no_such_file", "empty": "empty_folder"}.items():
        with pytest.raises(GraftError) as caught:
            client.datasets.upload(tmp_path / name)
        assert caught.value.code == code
