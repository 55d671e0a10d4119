"""When there is too little room to begin anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from store.room import free_bytes, lack_of_room, local_objects
from store.settings import Settings

_MORE_THAN_ANY_DISK = 2**62


def test_where_there_is_room_there_is_no_reason_to_pause(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "not" / "made" / "yet", min_free_bytes=1)
    assert lack_of_room(settings) is None


def test_too_little_room_is_told_in_numbers_and_with_the_place(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, min_free_bytes=_MORE_THAN_ANY_DISK)
    reason = lack_of_room(settings)
    assert reason is not None
    assert reason.startswith("disk_full: ")
    assert "the data directory" in reason
    assert str(tmp_path) not in reason


def test_every_disk_that_a_step_writes_to_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(
        data_dir=tmp_path / "data",
        cache_dir=tmp_path / "cache",
        object_store_url=(tmp_path / "objects").as_uri(),
        min_free_bytes=100,
    )
    room = {"data": 500, "cache": 500, "objects": 500}
    monkeypatch.setattr("store.room.free_bytes", lambda path: room[path.name])
    assert lack_of_room(settings) is None
    for full, said in (("cache", "the cache"), ("objects", "the file storage")):
        room[full] = 99
        assert said in (lack_of_room(settings) or "")
        room[full] = 500


def test_a_disk_that_cannot_be_asked_is_no_reason_to_pause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> Any:
        raise OSError("no answer")

    monkeypatch.setattr("store.room.shutil.disk_usage", refuse)
    assert free_bytes(tmp_path) is None
    assert lack_of_room(Settings(data_dir=tmp_path)) is None


def test_only_a_local_object_store_has_a_disk_of_ours(tmp_path: Path) -> None:
    local = Settings(data_dir=tmp_path / "a b")
    assert local_objects(local) == tmp_path / "a b" / "objects"
    assert local_objects(Settings(data_dir=tmp_path, object_store_url="s3://bucket/x")) is None
