"""Small sound files, and ways to break them that a parser must look twice at."""

from __future__ import annotations

import gzip
import io
import random
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from functools import cache

from hostile_files import (
    hostile_archives,
    hostile_images,
    picture,
    saved,
    tarred,
    with_checksum,
    zipped,
)
from PIL import Image

_NUMBERS = (0, 1, 2, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF)
_LARGEST_SEED = 200_000


@cache
def archive_seeds() -> list[bytes]:
    members = [
        (f"{name}/{k}.{kind.lower()}", picture(10 * k + len(name), 24, kind))
        for name in ("benign", "rare")
        for k, kind in enumerate(("PNG", "JPEG", "BMP"))
    ]
    with_folders = [("benign/", b""), *members, ("README", b"hello" * 30)]
    found = [
        zipped(members),
        zipped(with_folders, zipfile.ZIP_DEFLATED),
        _streamed_zip(members),
        *(tarred(members, kind) for kind in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT)),
        tarred([("é" * 60 + f"/{name}", data) for name, data in members], tarfile.PAX_FORMAT),
        tarred([("a" * 120 + f"/{name}", data) for name, data in members], tarfile.GNU_FORMAT),
    ]
    # Hostile ones, too: two faults at once may hide each other.
    found += [data for data, _ in hostile_archives().values() if 0 < len(data) < _LARGEST_SEED]
    return found


@cache
def image_seeds() -> list[bytes]:
    grey = Image.linear_gradient("L").resize((33, 21))
    frames = [grey.convert("RGB"), grey.convert("RGB").transpose(Image.Transpose.ROTATE_180)]
    exif = Image.Exif()
    exif[0x0112] = 6
    found = [
        saved(grey.convert("RGB"), "JPEG", exif=exif, comment=b"a camera"),
        saved(grey.convert("CMYK"), "JPEG"),
        saved(grey, "JPEG", progressive=True),
        saved(grey.convert("P"), "PNG", transparency=0),
        saved(grey.convert("RGBA"), "PNG", exif=exif),
        saved(grey.convert("1"), "TIFF", compression="group4"),
        saved(grey.convert("RGB"), "TIFF", compression="tiff_lzw"),
        saved(grey.convert("RGB"), "TIFF", compression="jpeg"),
        saved(grey.convert("RGB"), "TIFF", compression="tiff_adobe_deflate"),
        saved(grey.convert("I;16"), "TIFF"),
        saved(frames[0], "TIFF", save_all=True, append_images=frames[1:]),
        saved(frames[0], "WEBP", save_all=True, append_images=frames[1:]),
        saved(frames[0], "PNG", save_all=True, append_images=frames[1:]),
        saved(grey.convert("RGBA"), "WEBP", lossless=True),
        saved(grey.convert("RGB"), "WEBP"),
        saved(grey.convert("P"), "BMP"),
        saved(grey.convert("RGBA"), "BMP"),
    ]
    found += [data for data, _ in hostile_images().values() if 0 < len(data) < 20_000]
    return found


def _streamed_zip(members: list[tuple[str, bytes]]) -> bytes:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def tell(self) -> int:
            raise OSError

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return pipe.getvalue()


def mutated_archive(rng: random.Random) -> bytes:
    """An archive with a few faults, mostly one; of tars every other is packed with gzip."""
    seeds = archive_seeds()
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        if data.startswith(b"PK") and rng.random() < 0.5:
            _zip_field(rng, data)
        elif data[257:262] == b"ustar" and rng.random() < 0.6:
            _tar_field(rng, data)
        else:
            rng.choice(_ANY)(rng, data, seeds)
    whole = bytes(data)
    if whole[257:262] == b"ustar" and rng.random() < 0.5:
        whole = gzip.compress(whole, 1, mtime=0)
        if rng.random() < 0.3:
            packed = bytearray(whole)
            rng.choice(_ANY)(rng, packed, seeds)
            whole = bytes(packed)
    return whole


def mutated_image(rng: random.Random) -> bytes:
    """An image file with a few faults, mostly one."""
    seeds = image_seeds()
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        special = _of_kind(data)
        if special is not None and rng.random() < 0.6:
            special(rng, data)
        else:
            rng.choice(_ANY)(rng, data, seeds)
    return bytes(data)


# --- faults of any file ---------------------------------------------------------------------------


def _flip(rng: random.Random, data: bytearray, _: list[bytes]) -> None:
    for _n in range(rng.randint(1, 8)):
        if data:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _number(rng: random.Random, data: bytearray, _: list[bytes]) -> None:
    size, order = rng.choice((1, 2, 4, 8)), rng.choice(("little", "big"))
    value = rng.choice(_NUMBERS) & ((1 << 8 * size) - 1)
    at = rng.randrange(len(data) + 1)
    data[at : at + size] = value.to_bytes(size, "little" if order == "little" else "big")


def _cut(rng: random.Random, data: bytearray, _: list[bytes]) -> None:
    del data[rng.randrange(len(data) + 1) :]


def _drop(rng: random.Random, data: bytearray, _: list[bytes]) -> None:
    at = rng.randrange(len(data) + 1)
    del data[at : at + rng.randint(1, 600)]


def _repeat(rng: random.Random, data: bytearray, _: list[bytes]) -> None:
    at = rng.randrange(len(data) + 1)
    data[at:at] = data[at : at + rng.randint(1, 600)] * rng.randint(1, 3)


def _splice(rng: random.Random, data: bytearray, seeds: list[bytes]) -> None:
    other = rng.choice(seeds)
    at, start = rng.randrange(len(data) + 1), rng.randrange(len(other) + 1)
    piece = other[start : start + rng.randint(1, 2000)]
    data[at : at + (len(piece) if rng.random() < 0.5 else 0)] = piece


def _append(rng: random.Random, data: bytearray, seeds: list[bytes]) -> None:
    data += rng.choice([rng.choice(seeds), bytes(rng.randint(1, 2000)), b"PK\x05\x06" + bytes(18)])


_ANY: list[Callable[[random.Random, bytearray, list[bytes]], None]] = [
    *(_flip, _number, _cut, _drop, _repeat, _splice, _append)
]


# --- faults that know the format ------------------------------------------------------------------


def _places(data: bytearray, mark: bytes) -> list[int]:
    found, at = [], data.find(mark)
    while at >= 0:
        found.append(at)
        at = data.find(mark, at + 1)
    return found


def _zip_field(rng: random.Random, data: bytearray) -> None:
    """Change one field of a header: both copies of a fact, or only one of them."""
    mark, layout = rng.choice(
        [
            (b"PK\x03\x04", (4, 6, 8, 14, 18, 22, 26, 28, 30)),
            (b"PK\x01\x02", (4, 6, 8, 10, 16, 20, 24, 28, 30, 32, 34, 36, 38, 42, 46)),
            (b"PK\x05\x06", (4, 6, 8, 10, 12, 16, 20)),
            (b"PK\x07\x08", (4, 8, 12)),
        ]
    )
    places = _places(data, mark)
    if not places:
        return
    at = rng.choice(places) + rng.choice(layout)
    size = rng.choice((2, 4))
    value = rng.choice([*_NUMBERS, 8, 9, 14, 99, len(data)]) & ((1 << 8 * size) - 1)
    data[at : at + size] = value.to_bytes(size, "little")


def _tar_field(rng: random.Random, data: bytearray) -> None:
    """Change one field of a tar header, and mend its checksum, so that it is looked at."""
    headers = [at for at in range(0, len(data) - 511, 512) if data[at + 257 : at + 262] == b"ustar"]
    if not headers:
        return
    at = rng.choice(headers)
    block = bytearray(data[at : at + 512])
    field, values = rng.choice(
        [
            (
                (0, 100),
                [b"../x", b"/etc/x", b"./", b"", b"a\0b", b"\xff\xfe", b"x" * 100, b"benign/"],
            ),
            ((124, 136), [b"77777777777\0", b"0", b"", b"\x80" + bytes(10) + b"\x01", b"8", b"-1"]),
            ((156, 157), [bytes([k]) for k in b"\x000123456789ABDKLMNSVXgx "]),
            ((157, 257), [b"/etc/passwd", b"x" * 100]),
            ((257, 265), [b"ustar\x0000", b"ustar  \0", b"ustar\0\0\0", bytes(8)]),
            ((345, 500), [b"..", b"a/b", b"x" * 155, b"/"]),
        ]
    )
    start, end = field
    block[start:end] = rng.choice(values)[: end - start].ljust(end - start, b"\0")
    data[at : at + 512] = with_checksum(bytes(block)) if rng.random() < 0.9 else bytes(block)


def _of_kind(data: bytearray) -> Callable[[random.Random, bytearray], None] | None:
    if data.startswith(b"\x89PNG"):
        return _png_chunk
    if data[:4] in (b"II*\0", b"MM\0*"):
        return _tiff_tag
    if data.startswith(b"\xff\xd8"):
        return _jpeg_segment
    return _first_bytes


def _png_chunk(rng: random.Random, data: bytearray) -> None:
    """Change a chunk's content or kind, and mend its checksum."""
    places, at = [], 8
    while at + 12 <= len(data):
        (size,) = struct.unpack_from(">L", data, at)
        if at + 12 + size > len(data):
            break
        places.append((at, size))
        at += 12 + size
    if not places:
        return
    at, size = rng.choice(places)
    body = bytearray(data[at + 8 : at + 8 + size])
    if body and rng.random() < 0.8:
        where = rng.randrange(len(body))
        body[where : where + 4] = rng.choice(_NUMBERS).to_bytes(4, "big")[: len(body) - where]
    kinds = (b"IDAT", b"tRNS", b"PLTE", b"zTXt", b"iCCP", b"eXIf", b"acTL", b"fcTL", b"IEND")
    kind = rng.choice(kinds) if rng.random() < 0.3 else bytes(data[at + 4 : at + 8])
    crc = zlib.crc32(kind + body)
    data[at : at + 12 + size] = (
        struct.pack(">L", len(body)) + kind + bytes(body) + struct.pack(">L", crc)
    )


def _tiff_tag(rng: random.Random, data: bytearray) -> None:
    """Change a tag of the first directory: what it is, of which type, how many, where."""
    order = "<" if data.startswith(b"II") else ">"
    (start,) = struct.unpack_from(f"{order}L", data, 4) if len(data) >= 8 else (0,)
    if start + 14 > len(data):
        return
    (count,) = struct.unpack_from(f"{order}H", data, start)
    at = start + 2 + 12 * rng.randrange(max(1, min(count, 30)))
    if at + 12 > len(data):
        return
    offset, form = rng.choice([(0, "H"), (2, "H"), (4, "L"), (8, "L"), (8, "H")])
    tags = (256, 257, 258, 259, 262, 273, 277, 278, 279, 317, 322, 323, 338, 339, 347)
    value = rng.choice([*_NUMBERS, *tags, 7, 32773, 50000, 34712])
    struct.pack_into(f"{order}{form}", data, at + offset, value & (0xFFFF if form == "H" else -1))


def _jpeg_segment(rng: random.Random, data: bytearray) -> None:
    marks = [at for at in _places(data, b"\xff") if at + 4 < len(data)]
    if marks:
        at = rng.choice(marks[:12])
        where = at + rng.choice((1, 2, 4, 5, 7))
        data[where : where + 2] = (rng.choice(_NUMBERS) & 0xFFFF).to_bytes(2, "big")


def _first_bytes(rng: random.Random, data: bytearray) -> None:
    """Of a BMP or WebP all that matters stands in front."""
    _number(rng, head := data[:60], [])
    data[:60] = head
