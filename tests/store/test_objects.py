"""Files, in a directory and in a bucket."""

from __future__ import annotations

import asyncio
import resource
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from store.objects import Objects

CONTENT = bytes(range(256)) * 80_000  # 20 MB: several parts of an upload


def _stored(store: Objects, key: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "source"
    path.write_bytes(content)
    store.put_file(key, path, "application/zip")


async def _in_pieces(content: bytes, fail_after: int | None = None) -> AsyncIterator[bytes]:
    for number, start in enumerate(range(0, len(content), 100_000)):
        if number == fail_after:
            raise RuntimeError("the client went away")
        yield content[start : start + 100_000]


def test_a_file_comes_back_as_it_went(store: Objects, tmp_path: Path) -> None:
    _stored(store, "a/b/file.zip", CONTENT, tmp_path)
    assert store.head("a/b/file.zip") == len(CONTENT)
    assert b"".join(store.iterate("a/b/file.zip")) == CONTENT
    store.get_to_file("a/b/file.zip", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == CONTENT
    assert not (tmp_path / "back.part").exists()


def test_a_stream_comes_back_as_it_went(store: Objects) -> None:
    async def there_and_back() -> bytes:
        await store.put_stream("a/stream", _in_pieces(CONTENT))
        return b"".join([chunk async for chunk in store.aiterate("a/stream", 5, 5_000_000)])

    assert asyncio.run(there_and_back()) == CONTENT[5:5_000_000]


def test_a_stream_that_breaks_leaves_nothing_and_says_why(store: Objects) -> None:
    with pytest.raises(RuntimeError, match="the client went away"):
        asyncio.run(store.put_stream("a/broken", _in_pieces(CONTENT, fail_after=150)))
    assert store.head("a/broken") is None
    assert store.list("a/") == {}


def test_a_part_can_be_read(store: Objects, tmp_path: Path) -> None:
    _stored(store, "a/x", b"0123456789", tmp_path)
    assert b"".join(store.iterate("a/x", 2, 5)) == b"234"
    assert b"".join(store.iterate("a/x", 7)) == b"789"


def test_what_is_not_there_is_not_found(store: Objects, tmp_path: Path) -> None:
    assert store.head("a/none") is None
    with pytest.raises(FileNotFoundError):
        list(store.iterate("a/none"))
    with pytest.raises(FileNotFoundError):
        store.get_to_file("a/none", tmp_path / "none")
    store.delete("a/none")


def test_everything_below_a_prefix_is_listed_and_deleted_and_nothing_else(
    store: Objects, tmp_path: Path
) -> None:
    for key in ("a/p/1", "a/p/q/2", "a/pq/3"):
        _stored(store, key, b"xy", tmp_path)
    assert store.list("a/p/") == {"a/p/1": 2, "a/p/q/2": 2}
    assert store.delete_prefix("a/p/") == 2
    assert store.list("a/") == {"a/pq/3": 2}


def test_pages_hold_everything_once_and_what_they_hold_may_be_deleted(
    store: Objects, tmp_path: Path
) -> None:
    for number in range(12):
        _stored(store, f"a/p/{number % 3}/{number}", b"xy", tmp_path)
    seen: list[str] = []
    for keys in store.pages("a/p/"):
        seen += keys
        store.delete_all(keys)
    assert sorted(seen) == sorted(f"a/p/{number % 3}/{number}" for number in range(12))
    assert list(store.pages("a/p/")) == []
    _stored(store, "a/p/young", b"xy", tmp_path)
    assert list(store.pages("a/p/", older_than_seconds=3600)) == []


def test_some_objects_are_deleted_although_others_of_them_are_gone(
    store: Objects, tmp_path: Path
) -> None:
    for key in ("a/1", "a/2"):
        _stored(store, key, b"xy", tmp_path)
    store.delete_all(["a/0", "a/1", "a/gone", "a/2"])
    store.delete_all([])
    assert store.list("a/") == {}


def test_a_bucket_hands_out_addresses_that_need_no_key(store: Objects, tmp_path: Path) -> None:
    _stored(store, "a/report.html", b"hello", tmp_path)
    address = store.presign("a/report.html", 60)
    if store.local_path("a/report.html") is not None:
        assert address is None
        return
    assert address is not None
    with urllib.request.urlopen(address) as answer:  # noqa: S310
        assert answer.read() == b"hello"
        assert answer.headers["Content-Disposition"] == 'attachment; filename="report.html"'


def test_it_says_whether_it_answers(store: Objects) -> None:
    assert store.is_answering()


def test_a_store_that_is_not_there_does_not_answer() -> None:
    options: dict[str, Any] = {
        "endpoint": "http://127.0.0.1:9",
        "region": "us-east-1",
        "access_key_id": "x",
        "secret_access_key": "y",
        "client_options": {"allow_http": True},
        "retry_config": {"max_retries": 0},
    }
    silent = Objects("s3://bucket", s3=options)
    assert not silent.is_answering()
    with pytest.raises(OSError, match=r"."):
        silent.list("a/")


@pytest.mark.parametrize("key", ["../x", "/etc/passwd", "a//b", "a/./b", "a b", "", "a/\n", "a/é"])
def test_keys_that_could_mean_another_place_are_refused(store: Objects, key: str) -> None:
    with pytest.raises(ValueError, match="plain names"):
        store.head(key)


def test_an_unknown_kind_of_store_is_refused() -> None:
    with pytest.raises(ValueError, match="begins with"):
        Objects("ftp://x/y")


def test_a_disk_that_refuses_a_stream_is_told_as_such_and_keeps_nothing(tmp_path: Path) -> None:
    store = Objects((tmp_path / "objects").as_uri())
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            asyncio.run(store.put_stream("a/b", _in_pieces(CONTENT)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert store.head("a/b") is None
    assert not [path for path in (tmp_path / "objects").rglob("*") if path.is_file()]
