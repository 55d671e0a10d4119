"""When a worker begins nothing."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from store.objects import Objects
from store.settings import Settings
from worker.gate import free_bytes, objects_root, reason_to_pause, skewed_clock

_MORE_THAN_ANY_DISK = 2**62


def test_where_there_is_room_there_is_no_reason_to_pause(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "not" / "made" / "yet", min_free_bytes=1)
    assert reason_to_pause(settings, None) is None


def test_too_little_room_is_told_in_numbers_and_with_the_place(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, min_free_bytes=_MORE_THAN_ANY_DISK)
    reason = reason_to_pause(settings, None)
    assert reason is not None
    assert reason.startswith("disk_full: ")
    assert "the data directory" in reason
    assert str(tmp_path) not in reason


def test_every_disk_that_a_step_writes_to_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(
        data_dir=tmp_path / "data", cache_dir=tmp_path / "cache", min_free_bytes=100
    )
    room = {"data": 500, "cache": 500, "objects": 500}
    monkeypatch.setattr("worker.gate.free_bytes", lambda path: room[path.name])
    assert reason_to_pause(settings, tmp_path / "objects") is None
    for full, said in (("cache", "the cache"), ("objects", "the file storage")):
        room[full] = 99
        assert said in (reason_to_pause(settings, tmp_path / "objects") or "")
        room[full] = 500


def test_a_disk_that_cannot_be_asked_is_no_reason_to_pause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> Any:
        raise OSError("no answer")

    monkeypatch.setattr("worker.gate.shutil.disk_usage", refuse)
    assert free_bytes(tmp_path) is None
    assert reason_to_pause(Settings(data_dir=tmp_path), None) is None


def test_only_a_local_object_store_has_a_disk_of_ours(tmp_path: Path) -> None:
    local = objects_root(Objects((tmp_path / "objects").as_uri()))
    assert local is not None
    assert local.is_relative_to(tmp_path / "objects")
    options = {"region": "us-east-1", "access_key_id": "x", "secret_access_key": "y"}
    assert objects_root(Objects("s3://bucket", s3=options)) is None


class _Server:
    """Stands for a database server whose clock is wrong, or right."""

    def __init__(self, behind_seconds: float, dialect: str = "postgresql") -> None:
        self.engine = SimpleNamespace(dialect=SimpleNamespace(name=dialect))
        self._behind = timedelta(seconds=behind_seconds)

    @contextmanager
    def read(self) -> Any:
        now = datetime.now(UTC) - self._behind
        yield SimpleNamespace(execute=lambda _: SimpleNamespace(scalar_one=lambda: now))


@pytest.mark.parametrize(
    ("behind", "said"), [(0, None), (25, None), (-25, None), (40, "ahead of"), (-40, "behind")]
)
def test_a_clock_that_is_off_by_half_a_lease_is_told(behind: float, said: str | None) -> None:
    server: Any = _Server(behind)
    reason = skewed_clock(server, 60)
    assert (reason is None) == (said is None)
    assert said is None or said in (reason or "")


def test_a_database_in_a_file_has_this_machines_clock() -> None:
    server: Any = _Server(1000, "sqlite")
    assert skewed_clock(server, 60) is None
