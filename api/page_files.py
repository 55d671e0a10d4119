"""The page's files: read once, at the start, and handed out by name from memory.

No address is ever made a path of: what is not in the table is not there. All lie below an address
that holds the digest of them all, so that a browser keeps them for good and never mixes two
versions.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.resources import files
from pathlib import Path

PREFIX = "/assets"

_TYPES = {".js": "text/javascript", ".json": "application/json", ".css": "text/css"}
# The order matters: what comes later says it more exactly.
_STYLES_FIRST = ("css/tokens.css", "css/base.css", "css/layout.css", "css/parts.css")
_MAIN = "js/app.js"
_PRELOADED = ("js/core/", "js/parts/")
# Smaller ones fit into one packet anyway.
_COMPRESSED_FROM = 1000


@dataclass(frozen=True)
class PageFile:
    """One file as it is sent."""

    content: bytes
    media_type: str

    @cached_property
    def compressed(self) -> bytes | None:
        """By gzip, with the same bytes at every start; null where that gains nothing."""
        if len(self.content) < _COMPRESSED_FROM:
            return None
        packed = gzip.compress(self.content, mtime=0)
        return packed if len(packed) < len(self.content) else None


class PageFiles:
    """All files of the page.

    Args:
        folder: Where they lie.
    """

    def __init__(self, folder: Path) -> None:
        found = sorted(path for path in folder.rglob("*") if path.is_file())
        self._files = {
            path.relative_to(folder).as_posix(): PageFile(path.read_bytes(), _type_of(path))
            for path in found
        }
        whole = hashlib.sha256()
        for name, file in self._files.items():
            whole.update(f"{name}\0{len(file.content)}\0".encode() + file.content)
        self.digest = whole.hexdigest()[:16]
        """Of all names and contents."""
        self.index = self._index()
        """The page itself, HTML."""

    def get(self, digest: str, name: str) -> PageFile | None:
        """Return a file; null when there is none of that name, or not in that version."""
        return self._files.get(name) if digest == self.digest else None

    def _index(self) -> bytes:
        base = f"{PREFIX}/{self.digest}"
        styles = [name for name in self._files if name.endswith(".css")]
        ordered = [*_STYLES_FIRST, *(name for name in styles if name not in _STYLES_FIRST)]
        heads = [f'<link rel="stylesheet" href="{base}/{name}">' for name in ordered]
        heads += [
            f'<link rel="modulepreload" href="{base}/{name}">'
            for name in self._files
            if name.startswith(_PRELOADED) and name.endswith(".js")
        ]
        heads.append(f'<script type="module" src="{base}/{_MAIN}"></script>')
        page = self._files["index.html"].content.decode()
        return page.replace("{assets}", base).replace("{heads}", "\n".join(heads)).encode()


def _type_of(path: Path) -> str:
    known = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0]
    return known or "application/octet-stream"


@lru_cache(maxsize=1)
def page_files() -> PageFiles:
    """Return the files of the installed page."""
    return PageFiles(Path(str(files("dashboard"))) / "static")
