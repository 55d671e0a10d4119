"""Whatever happens to an archive or an image, reading ends in a result or in a stated refusal."""

import contextlib
import io
import zipfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from gan_core.reading import ReadOptions, pack
from gan_core.reading.archive import open_archive
from gan_core.reading.images import decode, warnings_are_errors
from gan_core.reading.unreadable import UnreadableError
from gan_core.spec.errors import GraftError

_QUICK = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def _sound_zip(method: int) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name in ("a/1.png", "a/2.png", "b/1.png", "b/", "é/ü.png"):
            archive.writestr(name, b"" if name.endswith("/") else name.encode() * 20)
    return file.getvalue()


_ZIPS = [_sound_zip(zipfile.ZIP_STORED), _sound_zip(zipfile.ZIP_DEFLATED)]


def _image(kind: str, mode: str, **options: Any) -> bytes:
    file = io.BytesIO()
    Image.linear_gradient("L").resize((33, 21)).convert(mode).save(file, kind, **options)
    return file.getvalue()


_IMAGES = [
    _image("JPEG", "RGB"),
    _image("JPEG", "CMYK"),
    _image("JPEG", "RGB", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0"),
    _image("PNG", "P"),
    _image("PNG", "RGBA"),
    _image("TIFF", "RGB", compression="tiff_lzw"),
    _image("TIFF", "I;16"),
    _image("BMP", "L"),
    _image("WEBP", "RGBA"),
]


@st.composite
def _mutated(draw: st.DrawFn, originals: list[bytes]) -> bytes:
    """Change bytes, cut, repeat or insert; mostly near the structures at the ends."""
    data = bytearray(draw(st.sampled_from(originals)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        action = draw(st.sampled_from(["flip", "set", "cut", "insert", "repeat", "drop"]))
        if action == "flip" and data:
            data[at] ^= 1 << draw(st.integers(0, 7))
        elif action == "set":
            new = draw(
                st.sampled_from([b"\xff\xff\xff\xff", bytes(4), b"PK\x05\x06", b"PK\x01\x02"])
            )
            data[at : at + 4] = new
        elif action == "cut":
            del data[at:]
        elif action == "insert":
            data[at:at] = draw(st.binary(max_size=40))
        elif action == "repeat":
            data[at:at] = data[at : at + draw(st.integers(1, 60))]
        else:
            del data[at : at + draw(st.integers(1, 60))]
    return bytes(data)


def _outcome(path: Path) -> str:
    """Read everything; return the code of the refusal, or nothing."""
    try:
        with open_archive(path, ReadOptions(max_unpacked_bytes=10_000)) as archive:
            for entry in archive.entries:
                with contextlib.suppress(UnreadableError):
                    archive.read(entry)
    except GraftError as error:
        return error.code
    return ""


def _is_expected(code: str) -> bool:
    return code in {"", "not_a_zip", "empty_archive"} or code.startswith("archive_")


@_QUICK
@given(data=_mutated(_ZIPS))
def test_a_mutated_zip_is_read_or_refused_and_nothing_else(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "upload.zip"
    path.write_bytes(data)
    assert _is_expected(_outcome(path))


@_QUICK
@given(data=st.binary(max_size=400))
def test_random_bytes_are_no_archive(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "upload.zip"
    path.write_bytes(data)
    assert _outcome(path)
    assert _is_expected(_outcome(path))


@_QUICK
@given(data=_mutated(_IMAGES))
def test_a_mutated_image_is_decoded_or_unreadable_and_nothing_else(data: bytes) -> None:
    with warnings_are_errors(), contextlib.suppress(UnreadableError):
        decoded = decode(data, 32, max_pixels=100_000)
        assert decoded.pixels.shape == (32, 32, 3)
        assert decoded.pixels.dtype == "uint8"


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    names=st.lists(
        st.lists(
            st.sampled_from(["train", "Test", "val", "a", "b", "é", " ", ".x", "1.png", "x.zip"]),
            min_size=1,
            max_size=5,
        ).map("/".join),
        max_size=12,
        unique=True,
    )
)
def test_any_tree_of_names_is_packed_or_refused_and_leaves_nothing_half_done(
    tmp_path: Path, names: list[str]
) -> None:
    path, out = tmp_path / "upload.zip", tmp_path / "packed"
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, _IMAGES[0])
    try:
        index = pack(path, out, image_size=32, options=ReadOptions(workers=1))
    except GraftError:
        assert [child.name for child in tmp_path.iterdir()] == ["upload.zip"]
    else:
        assert len(index.classes) >= 2
        for child in out.iterdir():
            child.unlink()
        out.rmdir()
