"""Downloading: what broke off goes on, and nothing but what was promised is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from scripted_service import (
    CONTENT,
    QUICK,
    Service,
    artifact,
    broken_after,
    client_of,
    ranged,
)

from graft.client import ApiError


def test_a_download_that_broke_off_goes_on_where_it_ended(tmp_path: Path) -> None:
    service = Service(broken_after(1000), ranged(CONTENT))
    target = tmp_path / "out" / "synthetic.zip"
    client_of(service).artifacts.download(artifact(), target)
    assert target.read_bytes() == CONTENT
    assert service.requests[1].headers["range"] == "bytes=1000-"
    assert [path.name for path in target.parent.iterdir()] == ["synthetic.zip"]


def test_what_an_earlier_program_left_is_gone_on_with_too(tmp_path: Path) -> None:
    target = tmp_path / "synthetic.zip"
    part = tmp_path / f".synthetic.zip.{artifact().sha256[:16]}.part"
    part.write_bytes(CONTENT[:500])
    service = Service(ranged(CONTENT))
    client_of(service).artifacts.download(artifact(), target)
    assert target.read_bytes() == CONTENT
    assert service.requests[0].headers["range"] == "bytes=500-"


def test_a_bad_beginning_is_thrown_away_once(tmp_path: Path) -> None:
    target = tmp_path / "synthetic.zip"
    part = tmp_path / f".synthetic.zip.{artifact().sha256[:16]}.part"
    part.write_bytes(b"\xff" * 500)
    client_of(Service(ranged(CONTENT))).artifacts.download(artifact(), target)
    assert target.read_bytes() == CONTENT


def test_other_bytes_than_promised_are_never_kept(tmp_path: Path) -> None:
    target = tmp_path / "synthetic.zip"
    service = Service(ranged(CONTENT[::-1]))
    with pytest.raises(ApiError) as caught:
        client_of(service).artifacts.download(artifact(), target)
    assert caught.value.code == "checksum_mismatch"
    assert list(tmp_path.iterdir()) == []


def test_a_signed_address_is_followed_without_the_key(tmp_path: Path) -> None:
    moved = httpx.Response(307, headers={"Location": "https://bucket.example/signed"})
    service = Service(moved, ranged(CONTENT))
    client_of(service).artifacts.download(artifact(), tmp_path / "synthetic.zip")
    assert service.requests[1].url.host == "bucket.example"
    assert "authorization" not in service.requests[1].headers


def test_a_name_from_the_service_cannot_leave_the_folder(tmp_path: Path) -> None:
    listed = {"items": [artifact(name="../../etc/x").model_dump()], "next_cursor": None}
    service = Service(httpx.Response(200, json=listed), ranged(CONTENT))
    paths = client_of(service).artifacts.download_all("job_1", tmp_path / "out")
    assert paths == [tmp_path / "out" / "x"]


def test_artifacts_of_one_name_are_numbered(tmp_path: Path) -> None:
    other = CONTENT[::-1]
    items = [artifact(name="model.json"), artifact(other, name="model.json")]
    listed = {"items": [item.model_dump() for item in items], "next_cursor": None}
    service = Service(httpx.Response(200, json=listed), ranged(CONTENT), ranged(other))
    paths = client_of(service).artifacts.download_all("job_1", tmp_path)
    assert [path.name for path in paths] == ["model.json", "model-2.json"]
    assert paths[1].read_bytes() == other


def test_what_is_there_already_is_not_fetched_again(tmp_path: Path) -> None:
    listed = {"items": [artifact().model_dump()], "next_cursor": None}
    (tmp_path / "synthetic.zip").write_bytes(CONTENT)
    service = Service(httpx.Response(200, json=listed))
    client_of(service).artifacts.download_all("job_1", tmp_path)
    assert len(service.requests) == 1


def test_a_download_that_gets_on_is_not_given_up(tmp_path: Path) -> None:
    """Each connection brings a little: that is no failure, however many there are."""
    size = len(CONTENT) // 20 + 1

    def a_little(request: httpx.Request) -> httpx.Response:
        start = int(request.headers.get("range", "bytes=0-").removeprefix("bytes=").rstrip("-"))

        class Broken(httpx.SyncByteStream):
            def __iter__(self) -> Any:
                yield CONTENT[start : start + size]
                if start + size < len(CONTENT):
                    raise httpx.ReadError("broke")

        return httpx.Response(206 if start else 200, stream=Broken())

    service = Service(a_little)
    client_of(service).artifacts.download(artifact(), tmp_path / "out.zip")
    assert (tmp_path / "out.zip").read_bytes() == CONTENT
    assert len(service.requests) == 20 > QUICK.retries
    stuck = Service(broken_after(1000))
    with pytest.raises(ApiError, match="does not answer"):
        client_of(stuck).artifacts.download(artifact(), tmp_path / "other.zip")


def test_more_than_there_is_does_not_fill_the_disk(tmp_path: Path) -> None:
    service = Service(httpx.Response(200, content=CONTENT * 50))
    with pytest.raises(ApiError):
        client_of(service).artifacts.download(artifact(), tmp_path / "out.zip")
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= len(CONTENT)


def test_an_artifact_can_be_downloaded_by_its_id(tmp_path: Path) -> None:
    service = Service(httpx.Response(200, json=artifact().model_dump()), ranged(CONTENT))
    client_of(service).artifacts.download("art_1", tmp_path / "out.zip")
    assert [r.url.path for r in service.requests] == [
        "/v1/artifacts/art_1",
        "/v1/artifacts/art_1/content",
    ]


def test_an_export_that_was_cut_off_leaves_no_file(tmp_path: Path) -> None:
    for body in (b'{"number": 1}\n{"numb', b"{}"):
        service = Service(httpx.Response(200, content=body))
        with pytest.raises(ApiError) as caught:
            client_of(service).audit.save(tmp_path / "trail.ndjson")
        assert caught.value.code == "export_incomplete"
    assert list(tmp_path.iterdir()) == []
