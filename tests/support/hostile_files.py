"""Hostile and unusual archives and images, made by code: a corpus for every test that reads some.

Each maker returns bytes. ``ARCHIVES`` and ``IMAGES`` hold named ones with the codes with which they
are refused.
"""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin

Member = tuple[str, bytes]


@cache
def picture(seed: int = 0, side: int = 40, kind: str = "PNG") -> bytes:
    """A file of random blocks, so that no two seeds look alike."""
    blocks = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    image = Image.fromarray(blocks).resize((side, side), Image.Resampling.NEAREST)
    return saved(image, kind)


def saved(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def sound_members(per_class: int = 8) -> list[Member]:
    """A set that is taken: two classes, split by the service."""
    return [
        (f"{name}/{k}.png", picture(100 * len(name) + k))
        for name in ("benign", "malignant")
        for k in range(per_class)
    ]


def zipped(members: Iterable[tuple[str | zipfile.ZipInfo, bytes]], method: int = 0) -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w", method) as archive:
        warnings.simplefilter("ignore")  # zipfile warns of duplicate names, and writes them
        for name, data in members:
            entry = zipfile.ZipInfo(name) if isinstance(name, str) else name
            archive.writestr(entry, data, method)
    return file.getvalue()


def tarred(
    members: Iterable[Member],
    format: int = tarfile.USTAR_FORMAT,  # noqa: A002 - tarfile's word
    change: Callable[[tarfile.TarInfo], object] | None = None,
) -> bytes:
    """A plain tar. ``change`` may alter each entry's header before it is written."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=format) as archive:
        for name, data in members:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            if change is not None:
                change(entry)
            archive.addfile(entry, io.BytesIO(data) if entry.isreg() else None)
    return file.getvalue()


def gzipped(data: bytes, level: int = 6) -> bytes:
    return gzip.compress(data, compresslevel=level, mtime=0)


def tar_gz(members: Iterable[Member] | None = None, **options: Any) -> bytes:
    return gzipped(tarred(sound_members() if members is None else members, **options))


def header(name: bytes, size: int, kind: bytes = b"0", magic: bytes = b"ustar\x0000") -> bytes:
    """One tar header block, byte by byte, with a checksum that fits."""
    block = bytearray(512)
    block[: len(name)] = name
    block[100:108] = b"0000644\0"
    block[124:136] = b"%011o\0" % size
    block[136:148] = b"00000000000\0"
    block[156:157] = kind
    block[257:265] = magic
    return with_checksum(bytes(block))


def with_checksum(block: bytes) -> bytes:
    total = sum(block[:148]) + 8 * 0x20 + sum(block[156:512])
    return block[:148] + b"%06o\0 " % total + block[156:]


def blocks(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


END = bytes(1024)


def pax(*records: tuple[str, str], kind: bytes = b"x") -> bytes:
    """An extended header with records."""
    body = b""
    for key, value in records:
        rest = f" {key}={value}\n".encode()
        size = len(rest) + 1
        while len(str(size)) + len(rest) != size:
            size += 1
        body += str(size).encode() + rest
    return header(b"pax", len(body), kind) + blocks(body)


def _irregular(kind: bytes, target: str = "/etc/passwd") -> Callable[[tarfile.TarInfo], object]:
    def change(entry: tarfile.TarInfo) -> None:
        entry.type, entry.linkname, entry.size = kind, target, 0

    return change


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">L", len(body)) + kind + body + struct.pack(">L", zlib.crc32(kind + body))


def png_with(*chunks: bytes) -> bytes:
    """A sound small PNG with more chunks before its pixels."""
    data = picture()
    return data[:33] + b"".join(chunks) + data[33:]


def png_of_size(width: int, height: int) -> bytes:
    """A PNG whose header promises more pixels than there are."""
    ihdr = struct.pack(">2L5B", width, height, 8, 2, 0, 0, 0)
    data = png_chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", ihdr) + data + png_chunk(b"IEND", b"")


def webp_of_size(width: int, height: int) -> bytes:
    """An animated WebP with a canvas of that size, and one frame of a single pixel."""
    frame = saved(Image.new("RGB", (1, 1)), "WEBP", lossless=True)[12:]

    def chunk(kind: bytes, body: bytes) -> bytes:
        return kind + struct.pack("<L", len(body)) + body + bytes(len(body) % 2)

    canvas = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = chunk(b"VP8X", b"\x02\0\0\0" + canvas)
    body += chunk(b"ANIM", bytes(6))
    body += chunk(b"ANMF", bytes(12) + b"\x64\0\0\0" + frame)
    return b"RIFF" + struct.pack("<L", 4 + len(body)) + b"WEBP" + body


def tiff_of_size(width: int, height: int) -> bytes:
    data = bytearray(saved(Image.new("L", (7, 9)), "TIFF"))
    for tag, value in ((256, width), (257, height)):
        at = data.index(struct.pack("<HH", tag, 4)) if struct.pack("<HH", tag, 4) in data else -1
        if at < 0:
            at = data.index(struct.pack("<HH", tag, 3))
            data[at + 2 : at + 4] = struct.pack("<H", 4)
        data[at + 8 : at + 12] = struct.pack("<L", value)
    return bytes(data)


def _bomb_text() -> bytes:
    packed = zlib.compress(bytes(200 * 2**20), 9)
    return png_with(png_chunk(b"zTXt", b"Comment\0\0" + packed))


def _bomb_profile() -> bytes:
    packed = zlib.compress(bytes(200 * 2**20), 9)
    return png_with(png_chunk(b"iCCP", b"profile\0\0" + packed))


def _many_texts() -> bytes:
    packed = zlib.compress(bytes(1000 * 1000), 9)
    return png_with(*[png_chunk(b"zTXt", b"k%d\0\0" % k + packed) for k in range(200)])


def hostile_images() -> dict[str, tuple[bytes, frozenset[str]]]:
    """Image files, each with the codes with which it may be refused."""
    image = Image.linear_gradient("L").resize((32, 32)).convert("RGB")
    huge, damaged, foreign = "image_too_large", "image_damaged", "not_an_image"
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x05\x01"
    found: dict[str, tuple[bytes, set[str]]] = {
        "png of 3.6 gigapixels": (png_of_size(60_000, 60_000), {huge}),
        "webp canvas of 268 megapixels": (webp_of_size(16_383, 16_383), {huge}),
        "tiff of 4 gigapixels": (tiff_of_size(65_000, 65_000), {huge, damaged}),
        "text that unpacks to 200 MB": (_bomb_text(), {damaged}),
        "profile that unpacks to 200 MB": (_bomb_profile(), {damaged}),
        "200 texts of a megabyte": (_many_texts(), {damaged}),
        "damaged exif": (saved(image, "JPEG", exif=exif), {damaged}),
        "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", {foreign}),
        "gif": (saved(image, "GIF"), {foreign}),
        "ico": (saved(image, "ICO"), {foreign}),
        "ppm": (saved(image, "PPM"), {foreign}),
        "pdf": (saved(image, "PDF"), {foreign}),
        "postscript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", {foreign}),
        "pickle": (b"\x80\x04cos\nsystem\n(S'id'\ntR.", {foreign}),
        "32-bit values": (saved(Image.new("F", (9, 9)), "TIFF"), {"image_unsupported"}),
        "empty": (b"", {foreign}),
        "cut png": (picture()[:90], {damaged, foreign}),
        "cut jpeg": (saved(image, "JPEG")[:400], {damaged, foreign}),
        "png chunk of 2 GB": (
            picture()[:33] + struct.pack(">L", 2**31 - 1) + b"tEXt",
            {damaged, foreign},
        ),
    }
    return {name: (data, frozenset(codes)) for name, (data, codes) in found.items()}


def private_image() -> bytes:
    """An image with a name in everything that can hold one."""
    image = Image.linear_gradient("L").resize((40, 40)).convert("RGB")
    exif = Image.Exif()
    exif[0x010E] = "PATIENT-NAME"
    exif[0x8825] = {1: "N", 2: (37.0, 33.0, 59.0)}
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "PATIENT-NAME")
    text.add_itxt("XML:com.adobe.xmp", "<x>PATIENT-NAME</x>")
    return saved(image, "PNG", exif=exif, pnginfo=text, icc_profile=b"PATIENT-NAME" * 20)


def hostile_archives() -> dict[str, tuple[bytes, str]]:
    """Archives, each with the code with which it is refused."""
    plain = tarred([("benign/1.png", b"x" * 700), ("malignant/1.png", b"y")])
    packed = gzipped(plain)
    one, body = header(b"benign/1.png", 3), blocks(b"abc")
    evil = zipfile.ZipInfo("benign/link.png")
    evil.external_attr = 0o120777 << 16
    bomb = ("benign/1.png", bytes(60 * 2**20))
    found: dict[str, tuple[bytes, str]] = {
        "empty file": (b"", "not_a_zip"),
        "text": (b"this is no archive\n" * 100, "not_a_zip"),
        "7z": (b"7z\xbc\xaf\x27\x1c" + bytes(600), "not_a_zip"),
        "zip cut off": (zipped(sound_members())[:2000], "archive_truncated"),
        "zip with a link": (zipped([(evil, b"/etc/passwd")]), "archive_irregular_entry"),
        "zip slip": (zipped([("../../etc/cron.d/x", b"x")]), "archive_unsafe_name"),
        "zip twice": (zipped([("a/1", b"x"), ("a/1", b"y")]), "archive_duplicate_names"),
        "zip and more": (zipped([("a/1", b"x")]) + b"more", "archive_hidden_data"),
        "zip behind a script": (b"#!/bin/sh\n" + zipped([("a/1", b"x")]), "archive_hidden_data"),
        "zip bomb": (zipped([bomb], zipfile.ZIP_DEFLATED), "archive_ratio"),
        "gzip of text": (gzipped(b"no tar" * 500), "not_a_tar"),
        "gzip bomb": (gzipped(tarred([bomb]), 9), "archive_ratio"),
        "gzip cut off": (packed[:-30], "archive_truncated"),
        "gzip without its trailer": (packed[:-8], "archive_truncated"),
        "gzip with another checksum": (packed[:-8] + bytes(4) + packed[-4:], "archive_checksum"),
        "gzip with another length": (packed[:-4] + bytes(4), "archive_checksum"),
        "gzip damaged": (packed[:10] + b"\xff" * 40 + packed[50:], "archive_damaged"),
        "gzip twice": (packed + packed, "archive_concatenated"),
        "gzip and more": (packed + b"more", "archive_hidden_data"),
        "gzip and zeros": (packed + bytes(512), "archive_hidden_data"),
        "tar cut off in data": (plain[:600], "archive_truncated"),
        "tar cut off in a header": (plain[:1700], "archive_truncated"),
        "tar without an end": (one + body, "archive_truncated"),
        "tar with half an end": (one + body + bytes(512) + one, "archive_inconsistent"),
        "tar and more": (one + body + END + b"more" * 200, "archive_hidden_data"),
        "tar with megabytes of zeros": (one + body + bytes(2**21), "archive_hidden_data"),
        "tar with data in its padding": (
            one + b"abc" + b"hidden".ljust(509, b"\0") + END,
            "archive_hidden_data",
        ),
        "tar with another checksum": (
            one[:148] + b"000001\0 " + one[156:] + body + END,
            "archive_inconsistent",
        ),
        "tar of a size that is no number": (
            with_checksum(one[:124] + b"9zzz\0" + bytes(7) + one[136:]) + body + END,
            "archive_inconsistent",
        ),
        "tar of a binary size": (
            with_checksum(one[:124] + b"\x80" + bytes(7) + b"\0\0\0\x03" + one[136:]) + body + END,
            "archive_tar_feature",
        ),
        "tar of a size past its end": (
            header(b"benign/1.png", 0o77777777) + body + END,
            "archive_truncated",
        ),
        "tar whose name ends twice": (
            header(b"benign/1.png\0.exe", 3) + body + END,
            "archive_inconsistent",
        ),
        "tar with a folder that holds data": (
            header(b"benign/", 3, b"5") + body + END,
            "archive_inconsistent",
        ),
        "tar with a size of its own": (
            pax(("size", "3")) + one + body + END,
            "archive_tar_feature",
        ),
        "tar with a sparse file": (
            pax(("GNU.sparse.major", "1")) + one + body + END,
            "archive_tar_feature",
        ),
        "tar with an old sparse file": (
            header(b"benign/1.png", 3, b"S") + body + END,
            "archive_tar_feature",
        ),
        "tar in several volumes": (header(b"a/1", 3, b"M") + body + END, "archive_tar_feature"),
        "tar with a global name": (
            pax(("path", "benign/2.png"), kind=b"g") + one + body + END,
            "archive_tar_feature",
        ),
        "tar with a broken record": (
            header(b"pax", 9, b"x") + blocks(b"99 path=a") + one + body + END,
            "archive_inconsistent",
        ),
        "tar with the same record twice": (
            pax(("path", "a/1"), ("path", "a/2")) + one + body + END,
            "archive_inconsistent",
        ),
        "tar with two long names": (
            pax(("path", "a/1")) + header(b"@", 4, b"L") + blocks(b"a/2\0") + one + body + END,
            "archive_inconsistent",
        ),
        "tar with a huge extended header": (
            header(b"pax", 2**20, b"x") + bytes(2**20) + one + body + END,
            "archive_tar_feature",
        ),
        "tar with headers and no entry": (
            pax(("mtime", "1")) * 9 + one + body + END,
            "archive_tar_feature",
        ),
        "tar that ends after an extended header": (
            pax(("path", "a/1")) + END,
            "archive_inconsistent",
        ),
        "tar slip": (tarred([("../../etc/cron.d/x", b"x")]), "archive_unsafe_name"),
        "tar with an absolute name": (header(b"/etc/x", 3) + body + END, "archive_unsafe_name"),
        "tar slip by record": (pax(("path", "../x")) + one + body + END, "archive_unsafe_name"),
        "tar with a newline": (header(b"a/1\n.png", 3) + body + END, "archive_control_character"),
        "tar with bytes for a name": (
            header(b"a/\xff", 3) + body + END,
            "archive_control_character",
        ),
        "tar with a backslash": (header(b"a\\1.png", 3) + body + END, "archive_backslash"),
        "tar twice": (one + body + one + body + END, "archive_duplicate_names"),
        "tar twice by another spelling": (
            one + body + header(b"./benign/1.png", 3) + body + END,
            "archive_duplicate_names",
        ),
        "empty tar": (bytes(10240), "not_a_zip"),
        "empty tar.gz": (gzipped(bytes(10240)), "empty_archive"),
    }
    kinds = {
        "symbolic link": tarfile.SYMTYPE,
        "hard link": tarfile.LNKTYPE,
        "pipe": tarfile.FIFOTYPE,
        "character device": tarfile.CHRTYPE,
        "block device": tarfile.BLKTYPE,
    }
    for name, kind in kinds.items():
        data = tarred([("benign/1.png", b"")], change=_irregular(kind))
        found[f"tar with a {name}"] = (data, "archive_irregular_entry")
    for name, (data, code) in list(found.items()):
        if name.startswith("tar"):
            found[f"{name}, packed"] = (gzipped(data), code)
    # So many zeros are told by their ratio first.
    padded = "tar with megabytes of zeros, packed"
    found[padded] = (found[padded][0], "archive_ratio")
    return found
