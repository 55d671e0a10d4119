"""Read a zip that claims to be ours. Nothing in it is believed, and nothing is unpacked to disk."""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from gan_core.packaging.cards import FORMAT, FORMAT_VERSION
from gan_core.spec.errors import GraftError

MANIFEST = "manifest.json"
METADATA = "metadata.jsonl"
SUMS = "SHA256SUMS"
REJECTED = "rejected.jsonl"
_FILES = {MANIFEST, METADATA, SUMS, "dataset-card.md", "croissant.json"}
# Zips of before have no list of what was left out.
_ALLOWED = _FILES | {REJECTED}

_IMAGE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*/[A-Za-z0-9][A-Za-z0-9._-]*\.(png|dcm)")
_SUM_LINE = re.compile(r"([0-9a-f]{64})  (\S.*)")

_MAX_ENTRIES = 1_000_000
_MAX_IMAGE_BYTES = 64 << 20
_MAX_TEXT_BYTES = 64 << 20
_MAX_METADATA_BYTES = 4 << 30
_MAX_LINE_BYTES = 1 << 16
_MAX_REJECTED = 4_000_000
_CHUNK = 1 << 20


class DamagedError(Exception):
    """The zip contradicts itself or its format; the message says how, for a person."""


@dataclass(frozen=True)
class Entry:
    """One line of ``metadata.jsonl`` that has the right form."""

    file_name: str
    sha256: str
    gan: str
    model: str
    seed: int
    position: int | None = None


@dataclass(frozen=True)
class Rejected:
    """One line of ``rejected.jsonl`` that has the right form."""

    model: str
    seed: int
    reason: str
    position: int | None = None


def shown(name: object) -> str:
    """Return a name out of the zip so that it can be printed: no control characters, not long."""
    text = ascii(str(name))
    return text if len(text) <= 80 else text[:77] + "...'"


class OpenedZip:
    """A zip of synthetic images, open for reading; use it as a context manager.

    Raises:
        GraftError: ``zip_unreadable``: there is no such file, or it is no zip.
    """

    def __init__(self, path: Path) -> None:
        try:
            self.archive = zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile, NotImplementedError, ValueError) as error:
            raise GraftError(
                "zip_unreadable",
                "The file is missing, or it is not a zip.",
                "Give the path of a synthetic.zip as it was downloaded.",
            ) from error

    def __enter__(self) -> OpenedZip:
        return self

    def __exit__(self, *_: object) -> None:
        self.archive.close()

    def names(self) -> list[str]:
        """Return the names of all files, checked.

        Raises:
            DamagedError: Too many, twice the same, encrypted, or not where such files lie.
        """
        infos = self.archive.infolist()
        if len(infos) > _MAX_ENTRIES:
            raise DamagedError(f"It has {len(infos)} entries; at most {_MAX_ENTRIES} are read.")
        seen: set[str] = set()
        for info in infos:
            name = info.filename
            if name in seen:
                raise DamagedError(f"It has two entries named {shown(name)}.")
            seen.add(name)
            if name not in _ALLOWED and not _IMAGE_NAME.fullmatch(name):
                raise DamagedError(f"It has an entry that does not belong: {shown(name)}.")
            if info.flag_bits & 0x1:
                raise DamagedError(f"Its entry {shown(name)} is encrypted.")
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise DamagedError(f"Its entry {shown(name)} is packed in an unknown way.")
            if info.file_size > _limit(name):
                raise DamagedError(f"Its entry {shown(name)} is too large.")
        missing = _FILES - seen
        if missing:
            raise DamagedError(f"It has no {', '.join(sorted(missing))}.")
        return [info.filename for info in infos]

    def read(self, name: str) -> bytes:
        """Return the bytes of one file.

        Raises:
            DamagedError: There is none, it is too large, or its data are damaged.
        """
        return b"".join(self._chunks(name))

    def sha256(self, name: str) -> str:
        """Return the SHA-256 of one file, hex, without holding it in memory."""
        digest = hashlib.sha256()
        for chunk in self._chunks(name):
            digest.update(chunk)
        return digest.hexdigest()

    def sums(self) -> dict[str, str]:
        """Return ``SHA256SUMS``: name → SHA-256, hex."""
        sums: dict[str, str] = {}
        for line in _text(self.read(SUMS), SUMS).splitlines():
            match = _SUM_LINE.fullmatch(line)
            if match is None or match[2] in sums:
                raise DamagedError(f"{SUMS} has a line that is no checksum.")
            sums[match[2]] = match[1]
        return sums

    def manifest(self) -> dict[str, Any]:
        """Return ``manifest.json``, of a format that this version knows."""
        value = _json(self.read(MANIFEST), MANIFEST)
        if not isinstance(value, dict) or value.get("format") != FORMAT:
            raise DamagedError(f"{MANIFEST} is not of a zip of synthetic images.")
        if value.get("format_version") != FORMAT_VERSION:
            raise DamagedError(f"{MANIFEST} is of a version that this software does not know.")
        return value

    def entries(self) -> Iterator[Entry]:
        """Yield the lines of ``metadata.jsonl``, one at a time."""
        for line in self._lines(METADATA):
            yield _entry(line)

    def rejected(self) -> Iterator[Rejected]:
        """Yield the lines of ``rejected.jsonl``, one at a time; none where there is no such file.

        Raises:
            DamagedError: A line has not the right form.
        """
        if REJECTED in self.archive.NameToInfo:
            for number, line in enumerate(self._lines(REJECTED)):
                if number >= _MAX_REJECTED:
                    raise DamagedError(f"{REJECTED} has more than {_MAX_REJECTED} lines.")
                yield _rejected(line)

    def _lines(self, name: str) -> Iterator[Any]:
        with self._open(name) as file:
            while line := _guarded(file.readline, _MAX_LINE_BYTES + 1):
                if len(line) > _MAX_LINE_BYTES:
                    raise DamagedError(f"{name} has a line that is too long.")
                yield _json(line, name)

    def _open(self, name: str) -> IO[bytes]:
        try:
            return self.archive.open(name)
        except (KeyError, zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError) as error:
            raise DamagedError(f"Its entry {shown(name)} cannot be read.") from error

    def _chunks(self, name: str) -> Iterator[bytes]:
        left = _limit(name)
        with self._open(name) as file:
            while chunk := _guarded(file.read, _CHUNK):
                left -= len(chunk)
                if left < 0:
                    raise DamagedError(f"Its entry {shown(name)} is too large.")
                yield chunk


def _limit(name: str) -> int:
    if name in (METADATA, REJECTED):
        return _MAX_METADATA_BYTES
    return _MAX_TEXT_BYTES if name in _FILES else _MAX_IMAGE_BYTES


def _guarded(read: Callable[[int], bytes], size: int) -> bytes:
    try:
        data = read(size)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        raise DamagedError("Its data are damaged.") from error
    return data


def _text(data: bytes, name: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise DamagedError(f"{name} is not UTF-8.") from error


def _json(data: bytes, name: str) -> Any:
    try:
        return json.loads(_text(data, name))
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"{name} is not JSON.") from error


def _entry(value: Any) -> Entry:
    if not isinstance(value, dict) or value.get("synthetic") is not True:
        raise DamagedError(f"{METADATA} has a line that does not say that its image is synthetic.")
    seed, position = _numbers(value, METADATA)
    texts = _texts(value, METADATA, ("file_name", "sha256", "gan", "model"))
    return Entry(**texts, seed=seed, position=position)


def _rejected(value: Any) -> Rejected:
    if not isinstance(value, dict):
        raise DamagedError(f"{REJECTED} has a line that describes no image.")
    seed, position = _numbers(value, REJECTED)
    return Rejected(**_texts(value, REJECTED, ("model", "reason")), seed=seed, position=position)


def _numbers(value: dict[str, Any], file: str) -> tuple[int, int | None]:
    seed = value.get("seed")
    if type(seed) is not int:
        raise DamagedError(f"{file} has a line without a seed.")
    position = value.get("position")
    if position is not None and type(position) is not int:
        raise DamagedError(f"{file} has a line with a position that is no number.")
    return seed, position


def _texts(value: dict[str, Any], file: str, names: tuple[str, ...]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for name in names:
        if not isinstance(value.get(name), str):
            raise DamagedError(f"{file} has a line without a {name}.")
        texts[name] = value[name]
    return texts
