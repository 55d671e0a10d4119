"""Hostile and unusual archives: each is refused with a code that says why, or read."""

import io
import os
import stat
import struct
import warnings
import zipfile
import zlib
from pathlib import Path

import pytest

from gan_core.reading.archive import open_archive
from gan_core.reading.options import ReadOptions
from gan_core.reading.unreadable import UnreadableError
from gan_core.spec.errors import GraftError

_END = 22
_CENTRAL = 46


def _zipped(*members: tuple[str | zipfile.ZipInfo, bytes], method: int = 0) -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w", method) as archive:
        warnings.simplefilter("ignore")  # zipfile warns of duplicate names, and writes them
        for name, data in members:
            archive.writestr(name, data)
    return file.getvalue()


def _read_all(path: Path, **options: float) -> dict[str, bytes]:
    with open_archive(path, ReadOptions(**options)) as archive:  # type: ignore[arg-type]
        return {entry.name: archive.read(entry) for entry in archive.entries}


def _code(path: Path, data: bytes, **options: float) -> str:
    path.write_bytes(data)
    with pytest.raises(GraftError) as caught:
        _read_all(path, **options)
    assert caught.value.detail
    return caught.value.code


def _patched(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "upload.zip"


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_stored_and_deflated_entries_are_read_as_they_were_packed(path: Path, method: int) -> None:
    big = os.urandom(700_000) + bytes(300_000)
    path.write_bytes(_zipped(("a/1", b"one"), ("a/2", b""), ("b/3", big), method=method))
    assert _read_all(path) == {"a/1": b"one", "a/2": b"", "b/3": big}


def test_a_zip_written_to_a_pipe_has_descriptors_behind_its_data_and_is_read(path: Path) -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def tell(self) -> int:
            raise OSError

        def seek(self, *_: int) -> int:
            raise OSError

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/1", b"one" * 1000)
        archive.writestr("b/2", b"two")
    path.write_bytes(pipe.getvalue())
    assert _read_all(path) == {"a/1": b"one" * 1000, "b/2": b"two"}


def test_a_zip64_archive_is_read(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive, archive.open("a/1", "w", force_zip64=True) as file:
        file.write(b"one")
    assert _read_all(path) == {"a/1": b"one"}


def test_an_archive_with_a_comment_is_read(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/1", b"one")
        archive.comment = b"from the clinic"
    assert _read_all(path) == {"a/1": b"one"}


def test_entries_are_numbered_from_one_in_the_archives_order_and_folders_count(path: Path) -> None:
    path.write_bytes(_zipped(("z/", b""), ("z/9", b"x"), ("a/1", b"y")))
    with open_archive(path, ReadOptions()) as archive:
        assert [(entry.number, entry.name) for entry in archive.entries] == [(2, "z/9"), (3, "a/1")]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "not_a_zip"),
        (b"\x89PNG\r\n" * 50, "not_a_zip"),
        (b"PK\x03\x04" + bytes(200), "archive_truncated"),
        (_zipped(), "empty_archive"),
    ],
)
def test_what_is_no_zip_or_empty_says_so(path: Path, data: bytes, code: str) -> None:
    assert _code(path, data) == code


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("../a/1.png", "archive_unsafe_name"),
        ("a/../../1.png", "archive_unsafe_name"),
        ("/etc/1.png", "archive_unsafe_name"),
        ("C:/a/1.png", "archive_unsafe_name"),
        ("a//1.png", "archive_unsafe_name"),
        ("./a/1.png", "archive_unsafe_name"),
        ("a\\b\\1.png", "archive_backslash"),
        ("a/1\n.png", "archive_control_character"),
        ("a/1\x1b[2J.png", "archive_control_character"),
        ("a/\x9b.png", "archive_control_character"),
    ],
)
def test_a_name_that_leads_elsewhere_or_hides_something_is_refused(
    path: Path, name: str, code: str
) -> None:
    assert _code(path, _zipped((name, b"x"))) == code


def test_a_name_with_a_zero_byte_is_refused(path: Path) -> None:
    data = _zipped(("a/1_png", b"x")).replace(b"a/1_png", b"a/1\x00png")
    assert _code(path, data) == "archive_control_character"


def test_a_name_that_claims_utf8_and_is_none_is_refused(path: Path) -> None:
    data = _zipped(("a/é.png", b"x")).replace("é".encode(), b"\xff\xfe")
    assert _code(path, data) == "archive_control_character"


def test_two_entries_of_one_name_are_refused(path: Path) -> None:
    data = _zipped(("a/1.png", b"x"), ("a/1.png", b"y"))
    assert _code(path, data) == "archive_duplicate_names"


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO, stat.S_IFSOCK])
def test_links_and_devices_are_refused(path: Path, kind: int) -> None:
    info = zipfile.ZipInfo("a/1.png")
    info.external_attr = (kind | 0o777) << 16
    assert _code(path, _zipped((info, b"/etc/passwd"))) == "archive_irregular_entry"


def test_an_encrypted_entry_is_refused(path: Path) -> None:
    data = _zipped(("a/1.png", b"x"))
    central = data.index(b"PK\x01\x02")
    data = _patched(_patched(data, 6, b"\x01"), central + 8, b"\x01")
    assert _code(path, data) == "archive_encrypted"


def test_a_method_other_than_deflate_is_refused(path: Path) -> None:
    assert _code(path, _zipped(("a/1", b"x"), method=zipfile.ZIP_BZIP2)) == "archive_compression"


@pytest.mark.parametrize(
    ("at", "new"),
    [(8, b"\x08"), (14, b"\x00\x00\x00\x00"), (18, b"\x63"), (22, b"\x63"), (30, b"b")],
    ids=["method", "crc", "packed size", "size", "name"],
)
def test_a_local_header_that_differs_from_the_central_one_is_refused(
    path: Path, at: int, new: bytes
) -> None:
    data = _patched(_zipped(("a/1.png", b"some bytes")), at, new)
    assert _code(path, data) == "archive_header_mismatch"


def test_data_behind_the_end_are_refused(path: Path) -> None:
    assert _code(path, _zipped(("a/1", b"x")) + b"more") == "archive_hidden_data"


def test_data_before_the_archive_are_refused(path: Path) -> None:
    assert _code(path, b"#!/bin/sh\n" + _zipped(("a/1", b"x"))) == "archive_hidden_data"


def test_data_before_the_archive_are_refused_even_when_the_offsets_fit(path: Path) -> None:
    # What `zip -A` makes of a self-extracting archive: a polyglot with sound offsets.
    stub = b"GIF89a" + bytes(94)
    data = _zipped(("a/1", b"x"))
    central = data.index(b"PK\x01\x02")
    data = _patched(data, central + 42, struct.pack("<L", len(stub)))
    data = _patched(data, len(data) - 6, struct.pack("<L", central + len(stub)))
    assert _code(path, stub + data) == "archive_hidden_data"


def test_an_entry_that_the_table_of_contents_does_not_list_is_refused(path: Path) -> None:
    data = _zipped(("a/1", b"x"), ("a/2", b"y"))
    first, second = data.index(b"PK\x01\x02"), data.rindex(b"PK\x01\x02")
    end = data.rindex(b"PK\x05\x06")
    for kept, code in (
        (data[first:second], "archive_hidden_data"),
        (data[second:end], "archive_hidden_data"),
    ):
        tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, len(kept), first, 0)
        assert _code(path, data[:first] + kept + tail) == code


def test_two_entries_that_share_their_data_are_refused(path: Path) -> None:
    # The overlapping bomb: many names, one kernel of data.
    data = _zipped(("a/1", b"x"), ("a/2", b"y"))
    second = data.rindex(b"PK\x01\x02")
    assert _code(path, _patched(data, second + 42, bytes(4))) == "archive_hidden_data"


def test_a_second_end_record_is_refused(path: Path) -> None:
    inner = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0, 0, 0, 0, 0)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/1", b"x")
        archive.comment = inner
    assert _code(path, path.read_bytes()) == "archive_inconsistent"


def test_a_wrong_number_of_entries_is_refused(path: Path) -> None:
    data = _zipped(("a/1", b"x"))
    end = len(data) - _END
    assert _code(path, _patched(data, end + 8, b"\x02\x00\x02\x00")) == "archive_inconsistent"


def test_a_part_of_a_split_archive_is_refused(path: Path) -> None:
    data = _zipped(("a/1", b"x"))
    assert _code(path, _patched(data, len(data) - _END + 4, b"\x01")) == "archive_inconsistent"


def test_more_entries_than_allowed_are_refused(path: Path) -> None:
    data = _zipped(*((f"a/{k}", b"x") for k in range(11)))
    assert _code(path, data, max_entries=10) == "archive_too_many_entries"


def test_a_table_of_contents_that_is_huge_for_its_entries_is_refused_unread(path: Path) -> None:
    info = zipfile.ZipInfo("a/1")
    info.comment = bytes(60_000)
    assert _code(path, _zipped((info, b"x")), max_entries=10) == "archive_too_many_entries"


def test_an_entry_larger_than_allowed_is_refused(path: Path) -> None:
    data = _zipped(("a/1", os.urandom(5000)))
    assert _code(path, data, max_entry_bytes=4999) == "archive_entry_too_large"


def test_more_bytes_in_all_than_allowed_are_refused(path: Path) -> None:
    data = _zipped(("a/1", os.urandom(3000)), ("a/2", os.urandom(3000)))
    assert _code(path, data, max_unpacked_bytes=5000) == "archive_too_large"


def test_a_bomb_is_refused_while_it_unpacks(path: Path) -> None:
    data = _zipped(("a/1", bytes(50_000_000)), method=zipfile.ZIP_DEFLATED)
    assert len(data) < 60_000
    assert _code(path, data) == "archive_ratio"


def test_a_bomb_that_lies_about_its_size_is_stopped_by_what_comes_out(path: Path) -> None:
    data = _zipped(("a/1", bytes(50_000_000)), method=zipfile.ZIP_DEFLATED)
    central = data.index(b"PK\x01\x02")
    small = struct.pack("<L", 100)
    data = _patched(_patched(data, 22, small), central + 24, small)
    assert _code(path, data, max_entry_bytes=1_000_000) == "archive_entry_too_large"


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_flipped_bit_makes_its_entry_unreadable_and_no_other(path: Path, method: int) -> None:
    data = bytearray(_zipped(("a/1", bytes(range(256))), ("a/2", b"two" * 99), method=method))
    data[40] ^= 0x10
    path.write_bytes(bytes(data))
    with open_archive(path, ReadOptions()) as archive:
        first, second = archive.entries
        with pytest.raises(UnreadableError) as caught:
            archive.read(first)
        assert caught.value.code == "entry_damaged"
        assert archive.read(second) == b"two" * 99


def test_bytes_hidden_behind_a_deflated_stream_make_the_entry_unreadable(path: Path) -> None:
    compressor = zlib.compressobj(wbits=-15)
    packed = compressor.compress(b"image") + compressor.flush() + b"stowaway"
    facts = struct.pack("<3L", zlib.crc32(b"image"), len(packed), 5)
    local = b"PK\x03\x04" + struct.pack("<5H", 20, 0, 8, 0, 33) + facts
    local += struct.pack("<2H", 3, 0) + b"a/1" + packed
    central = b"PK\x01\x02" + struct.pack("<6H", 20, 20, 0, 8, 0, 33) + facts
    central += struct.pack("<5H2L", 3, 0, 0, 0, 0, 0, 0) + b"a/1"
    assert len(central) == _CENTRAL + 3
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, len(central), len(local), 0)
    path.write_bytes(local + central + end)
    with open_archive(path, ReadOptions()) as archive, pytest.raises(UnreadableError):
        archive.read(archive.entries[0])


def test_a_missing_source_says_so(path: Path) -> None:
    with pytest.raises(GraftError) as caught, open_archive(path, ReadOptions()):
        pass
    assert caught.value.code == "source_not_found"


def test_a_folder_is_walked_in_order_and_links_are_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    root = tmp_path / "set"
    for name in ("b/2", "a/1", "a/deep/3"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())
    (root / "a" / "link").symlink_to(secret)
    (root / "elsewhere").symlink_to(tmp_path)
    os.mkfifo(root / "a" / "pipe")
    with open_archive(root, ReadOptions()) as archive:
        assert [entry.name for entry in archive.entries] == ["a/1", "a/deep/3", "b/2"]
        assert archive.skipped_links == 2
        assert archive.read(archive.entries[1]) == b"a/deep/3"


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        ({"max_entries": 1}, "archive_too_many_entries"),
        ({"max_entry_bytes": 2}, "archive_entry_too_large"),
        ({"max_unpacked_bytes": 5}, "archive_too_large"),
    ],
)
def test_a_folder_has_the_same_limits(tmp_path: Path, limits: dict[str, float], code: str) -> None:
    for name in ("1", "2"):
        (tmp_path / name).write_bytes(b"abc")
    with pytest.raises(GraftError) as caught:
        _read_all(tmp_path, **limits)
    assert caught.value.code == code


def test_an_empty_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(GraftError) as caught:
        _read_all(tmp_path)
    assert caught.value.code == "empty_archive"
