"""Bringing a step's inputs to this machine, without copying what is here already."""

from __future__ import annotations

import hashlib
import os
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path

from store.objects import Objects
from store.records import InputFile


class InputMissingError(Exception):
    """An object that the database knows is not in the object store."""


class DigestMismatchError(Exception):
    """An upload is not what its client said it would be."""


def materialise(
    files: tuple[InputFile, ...],
    folder: Path,
    objects: Objects,
    cache: ObjectCache | None,
    before_each: Callable[[], None] = lambda: None,
) -> None:
    """Put files into a folder as hard links; as copies where the file system has no links.

    Objects never change, so a link to one is as good as a copy, as long as nobody writes to it:
    a step's inputs are read only by contract.

    Raises:
        InputMissingError: An object is gone.
        DigestMismatchError: A file that came in parts has another SHA-256 than its client said.
        OSError: The disk or the object store.
    """
    for file in files:
        target = folder / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        if file.parts:
            _put_together(file, target, objects, before_each)
            continue
        local = objects.local_path(file.object_key)
        if local is not None:
            if not local.is_file():
                raise InputMissingError(file.name)
            _link(local, target)
        elif cache is not None:
            cache.place(file, target, objects)
        else:
            _fetch(file, target, objects)


def _put_together(
    file: InputFile, target: Path, objects: Objects, before_each: Callable[[], None]
) -> None:
    """Write a file's parts one after the other, and compare what they are with what was said.

    Args:
        file: Has parts.
        target: Appears whole and as the client meant it, or not at all.
        objects: Where the parts lie.
        before_each: Called before each part; what it raises ends the bringing.
    """
    whole = hashlib.sha256()
    fresh = target.with_name(f"{target.name}.part")
    with fresh.open("wb") as written:
        for part in file.parts:
            before_each()
            digest = hashlib.sha256()
            try:
                for chunk in objects.iterate(part.object_key):
                    digest.update(chunk)
                    whole.update(chunk)
                    written.write(chunk)
            except FileNotFoundError as error:
                raise InputMissingError(file.name) from error
            if digest.hexdigest() != part.sha256:  # as the service itself had counted it
                raise OSError(f"a part of {file.name} arrived damaged")
    if whole.hexdigest() != file.sha256:
        fresh.unlink()
        raise DigestMismatchError(file.name)
    fresh.replace(target)


def _link(source: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    try:
        target.hardlink_to(source)
    except FileNotFoundError:
        raise
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)


def _fetch(file: InputFile, target: Path, objects: Objects) -> None:
    try:
        objects.get_to_file(file.object_key, target)
    except FileNotFoundError as error:
        raise InputMissingError(file.name) from error


class ObjectCache:
    """Objects that were fetched before, the least recently used given up first.

    Args:
        folder: Where they lie, on the file system of the steps' folders.
        max_bytes: How much may lie there; the files of steps at work are not counted, since
            removing a name does not free a file that is linked elsewhere.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder / "objects"
        self._max_bytes = max_bytes

    def place(self, file: InputFile, target: Path, objects: Objects) -> None:
        """Link a file's object to ``target``, fetching it when it is not here.

        Raises:
            InputMissingError: The object is gone.
        """
        cached = self._folder / hashlib.sha256(file.object_key.encode()).hexdigest()
        try:
            _link(cached, target)
            os.utime(cached)
        except FileNotFoundError:
            self._fetch(file, cached, objects)
            _link(cached, target)
            self.shrink()

    def _fetch(self, file: InputFile, cached: Path, objects: Objects) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        # A name of its own: two workers may fetch the same object at the same time.
        fresh = cached.with_name(f"{cached.name}.{uuid.uuid4().hex}.new")
        try:
            _fetch(file, fresh, objects)
            if _sha256(fresh) != file.sha256:
                raise OSError(f"the object of {file.name} arrived damaged")
            fresh.replace(cached)
        finally:
            fresh.unlink(missing_ok=True)

    def shrink(self) -> int:
        """Remove the least recently used files until the rest fits; return how many."""
        entries = []
        for path in self._folder.iterdir():
            try:
                status = path.stat()
            except FileNotFoundError:  # another worker shrinks, too
                continue
            if "." not in path.name:  # not one that is still arriving
                entries.append((status.st_mtime, status.st_size, path))
        total = sum(size for _, size, _ in entries)
        removed = 0
        for _, size, path in sorted(entries):
            if total <= self._max_bytes:
                break
            path.unlink(missing_ok=True)
            total -= size
            removed += 1
        return removed


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
