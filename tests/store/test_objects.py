"""Files, in a directory and in a bucket."""

from __future__ import annotations

import asyncio
import hashlib
import resource
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from store.objects import Objects

CONTENT = bytes(range(256)) * 80_000  # 20 MB: several parts of an upload


def in_bucket(server: Any, **changes: Any) -> Objects:
    return Objects(f"s3://{server.new_bucket()}/below", s3=server.options(**changes))


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


def test_a_directory_hands_out_no_addresses(tmp_path: Path) -> None:
    assert Objects((tmp_path / "objects").as_uri()).presign("a/report.html", 60) is None


def test_a_bucket_hands_out_addresses_that_need_no_key(s3_server: Any, tmp_path: Path) -> None:
    store = in_bucket(s3_server)
    path = tmp_path / "source"
    path.write_bytes(b"<p>hello</p>")
    store.put_file("a/report.html", path, "text/html")
    address = store.presign("a/report.html", 60)
    assert address is not None
    answer = httpx.get(address)
    assert (answer.status_code, answer.content) == (200, b"<p>hello</p>")
    assert answer.headers["content-type"] == "text/html"
    assert answer.headers["content-disposition"] == 'attachment; filename="report.html"'
    part = httpx.get(address, headers={"Range": "bytes=3-7"})
    assert (part.status_code, part.content) == (206, b"hello")


def test_a_bucket_is_closed_to_whoever_has_no_valid_signature(
    s3_server: Any, tmp_path: Path
) -> None:
    store = in_bucket(s3_server)
    for name in ("mine", "other"):
        _stored(store, f"a/{name}", b"secret", tmp_path)
    address = store.presign("a/mine", 60)
    assert address is not None
    assert httpx.get(address).status_code == 200
    bare, signature = address.split("?")[0], address.rsplit("=", 1)[1]
    forged = ("1" if signature[0] == "0" else "0") + signature[1:]
    for tried in (
        address.replace(signature, forged),
        address.replace("/a/mine", "/a/other"),
        address.replace("X-Amz-Expires=60", "X-Amz-Expires=600"),
    ):
        answer = httpx.get(tried)
        assert (answer.status_code, b"secret" in answer.content) == (403, False), tried
    assert httpx.put(address, content=b"overwritten").status_code == 403
    unsigned = httpx.get(bare)
    assert (unsigned.is_client_error, b"secret" in unsigned.content) == (True, False)
    assert b"".join(store.iterate("a/mine")) == b"secret"


def test_an_address_lapses(s3_server: Any, tmp_path: Path) -> None:
    store = in_bucket(s3_server)
    _stored(store, "a/x", b"secret", tmp_path)
    address = store.presign("a/x", 1)
    assert address is not None
    time.sleep(2.1)  # the moment of signing is told in whole seconds
    answer = httpx.get(address)
    assert (answer.status_code, b"expired" in answer.content) == (403, True)


def test_a_large_file_goes_up_in_parts_and_comes_down_as_one(
    s3_server: Any, tmp_path: Path
) -> None:
    store = in_bucket(s3_server)
    content = CONTENT + CONTENT[:10_000_000]  # 30 MB: four parts of at most 8 MiB
    _stored(store, "a/large.zip", content, tmp_path)
    address = store.presign("a/large.zip", 60)
    assert address is not None
    answer = httpx.get(address)
    assert answer.headers["etag"].strip('"').endswith("-4")
    assert answer.headers["content-disposition"] == 'attachment; filename="large.zip"'
    assert hashlib.sha256(answer.content).digest() == hashlib.sha256(content).digest()
    assert (
        b"".join(store.iterate("a/large.zip", 8_388_600, 8_388_620))
        == (content[8_388_600:8_388_620])
    )


def test_a_wrong_secret_opens_nothing(s3_server: Any, tmp_path: Path) -> None:
    store = in_bucket(s3_server, secret_access_key="guessed")
    assert not store.is_answering()
    with pytest.raises(OSError, match="SignatureDoesNotMatch"):
        _stored(store, "a/x", b"x", tmp_path)


def test_what_is_newer_than_asked_for_is_left_out_of_a_list(store: Objects, tmp_path: Path) -> None:
    _stored(store, "a/x", b"xy", tmp_path)
    assert store.list("a/", older_than_seconds=3600) == {}
    assert store.list("a/", older_than_seconds=0.0) == {"a/x": 2}


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
