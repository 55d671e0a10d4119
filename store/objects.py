"""Files: a local directory or an S3-compatible bucket, behind the same few calls.

Keys are built from our own ids and names only, never from anything that a client sent.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import LocalStore, S3Store

from store.settings import Settings

CHUNK_BYTES = 1024 * 1024
_PART_BYTES = 8 * 1024 * 1024
_PAGE = 1000
_UNFINISHED = re.compile(r"#\d+$")  # obstore's name for a file that is being written
_SAFE_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*/?")

# Within a class that has a method `list`, the name means that method.
Keys = list[str]


class Objects:
    """An object store.

    Args:
        url: ``file:///dir`` or ``s3://bucket/prefix``.
        s3: Options for ``obstore.store.S3Store``.
        public_endpoint: Address under which clients reach the same S3 store.
        presigns: Whether ``presign`` hands out addresses.

    Every method that reads raises ``FileNotFoundError`` where there is no such object, and every
    method may raise ``OSError`` when the store does not answer or is full.
    """

    def __init__(
        self,
        url: str,
        *,
        s3: dict[str, Any] | None = None,
        public_endpoint: str | None = None,
        presigns: bool = True,
    ) -> None:
        parts = urlsplit(url)
        self._root: Path | None = None
        self._signer: S3Store | None = None
        self._store: LocalStore | S3Store
        if parts.scheme == "file":
            self._root = Path(unquote(parts.path))
            self._store = LocalStore(self._root, mkdir=True, automatic_cleanup=True)
        elif parts.scheme == "s3":
            options = dict(s3 or {})
            prefix = parts.path.strip("/") or None
            self._store = S3Store(parts.netloc, prefix=prefix, **options)
            if presigns:
                if public_endpoint is not None:
                    options["endpoint"] = public_endpoint
                self._signer = S3Store(parts.netloc, prefix=prefix, **options)
        else:
            raise ValueError("an object store's URL begins with file:/// or s3://")

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Return the object store that the settings name."""
        options: dict[str, Any] = {
            "region": settings.s3_region,
            # A store that does not answer must not hold up whoever holds a row meanwhile.
            "retry_config": {"max_retries": 4, "retry_timeout": timedelta(seconds=30)},
        }
        if settings.s3_endpoint is not None:
            options["endpoint"] = settings.s3_endpoint
            options["client_options"] = {"allow_http": settings.s3_endpoint.startswith("http:")}
        if settings.s3_access_key_id and settings.s3_secret_access_key:
            options["access_key_id"] = settings.s3_access_key_id.get_secret_value()
            options["secret_access_key"] = settings.s3_secret_access_key.get_secret_value()
        return cls(
            settings.resolved_object_store_url(),
            s3=options,
            public_endpoint=settings.s3_public_endpoint,
            presigns=settings.presigned_downloads,
        )

    def put_file(self, key: str, path: Path, media_type: str = "application/octet-stream") -> None:
        """Store a file, streamed; it appears whole or not at all."""
        with _as_os_errors():
            if self._root is not None:
                obstore.put(self._store, _checked(key), path, chunk_size=_PART_BYTES)
            else:
                name = key.rsplit("/", 1)[-1]
                attributes = {
                    "Content-Type": media_type,
                    "Content-Disposition": f'attachment; filename="{name}"',
                }
                obstore.put(
                    self._store, _checked(key), path, attributes=attributes, chunk_size=_PART_BYTES
                )
        self._sync(key)

    async def put_stream(self, key: str, chunks: AsyncIterator[bytes]) -> None:
        """Store what arrives. Nothing appears when ``chunks`` raises; its exception passes on."""
        raised: list[BaseException] = []

        async def watched() -> AsyncIterator[bytes]:
            try:
                async for chunk in chunks:
                    if chunk:
                        yield chunk
            except GeneratorExit:  # the store gave up and reads no further: its own error counts
                raise
            except BaseException as error:
                raised.append(error)
                raise

        try:
            with _as_os_errors():
                await obstore.put_async(
                    self._store, _checked(key), watched(), chunk_size=_PART_BYTES, max_concurrency=2
                )
        except BaseException:
            # obstore wraps what the iterator raised in an error of its own.
            if raised:
                raise raised[0] from None
            raise
        self._sync(key)

    def get_to_file(self, key: str, path: Path) -> None:
        """Copy an object to a file, streamed; the file appears whole or not at all."""
        part = path.with_name(path.name + ".part")
        with part.open("wb") as file:
            for chunk in self.iterate(key):
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)

    def local_path(self, key: str) -> Path | None:
        """Return the file of an object in a local directory; null for other stores."""
        return None if self._root is None else self._root / _checked(key)

    def iterate(self, key: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Read an object from byte ``start`` up to, not including, ``end``."""
        with _as_os_errors():
            found = obstore.get(self._store, _checked(key), options=_range(start, end))
            yield from (bytes(chunk) for chunk in found.stream(CHUNK_BYTES))

    async def aiterate(
        self, key: str, start: int = 0, end: int | None = None
    ) -> AsyncIterator[bytes]:
        """Read an object as ``iterate`` does, without blocking the event loop."""
        with _as_os_errors():
            found = await obstore.get_async(self._store, _checked(key), options=_range(start, end))
            async for chunk in found.stream(CHUNK_BYTES):
                yield bytes(chunk)

    def head(self, key: str) -> int | None:
        """Return an object's size in bytes; null when there is none."""
        try:
            with _as_os_errors():
                return int(obstore.head(self._store, _checked(key))["size"])
        except FileNotFoundError:
            return None

    def list(self, prefix: str, *, older_than_seconds: float = 0.0) -> dict[str, int]:
        """Return the sizes of all objects whose keys begin with a prefix that ends in ``/``.

        Args:
            prefix: Of the keys.
            older_than_seconds: Leave out what was written later than this ago; 0: nothing.
        """
        until = datetime.now(UTC) - timedelta(seconds=older_than_seconds)
        found: dict[str, int] = {}
        with _as_os_errors():
            for batch in obstore.list(self._store, _checked(prefix)):
                found.update(
                    (str(item["path"]), int(item["size"]))
                    for item in batch
                    if not older_than_seconds or item["last_modified"] < until
                )
        return found

    def pages(self, prefix: str, *, older_than_seconds: float = 0.0) -> Iterator[Keys]:
        """Yield the keys of all objects below a prefix, a page at a time, so that memory is flat.

        What is yielded may be deleted before the next page is asked for.

        Args:
            prefix: Of the keys; ends in ``/``.
            older_than_seconds: Leave out what was written later than this ago; 0: nothing.
        """
        until = datetime.now(UTC) - timedelta(seconds=older_than_seconds)
        with _as_os_errors():
            for batch in obstore.list(self._store, _checked(prefix), chunk_size=_PAGE):
                keys = [
                    str(item["path"])
                    for item in batch
                    if not older_than_seconds or item["last_modified"] < until
                ]
                if keys:
                    yield keys

    def remove_unfinished(self, prefix: str, older_than_seconds: float) -> int:
        """Remove what a process that was killed left half-written below a prefix; return how many.

        In a local directory these are files beside their objects. In a bucket they are multipart
        uploads, for which buckets have lifecycle rules of their own.
        """
        folder = self.local_path(prefix)
        if folder is None or not folder.is_dir():
            return 0
        until = time.time() - older_than_seconds
        removed = 0
        for parent, _folders, names in os.walk(folder, onerror=_raise_unless_gone):
            for path in (Path(parent, name) for name in names if _UNFINISHED.search(name)):
                # Another housekeeper may be at the same work.
                with suppress(FileNotFoundError):
                    if path.stat().st_mtime < until:
                        path.unlink()
                        removed += 1
        return removed

    def delete(self, key: str) -> None:
        """Delete an object; does nothing when there is none."""
        try:
            with _as_os_errors():
                obstore.delete(self._store, [_checked(key)])
        except FileNotFoundError:
            return

    def delete_all(self, keys: Sequence[str]) -> None:
        """Delete some objects; those that somebody else has deleted meanwhile do not matter."""
        if not keys:
            return
        try:
            with _as_os_errors():
                obstore.delete(self._store, [_checked(key) for key in keys])
        except FileNotFoundError:  # a directory stops at the first that is missing
            for key in keys:
                self.delete(key)

    def delete_prefix(self, prefix: str) -> int:
        """Delete all objects whose keys begin with a prefix that ends in ``/``; return how many."""
        deleted = 0
        for keys in self.pages(prefix):
            self.delete_all(keys)
            deleted += len(keys)
        return deleted

    def presign(self, key: str, seconds: int) -> str | None:
        """Return an address from which the object can be had for a while, or null."""
        if self._signer is None:
            return None
        with _as_os_errors():
            return str(obstore.sign(self._signer, "GET", _checked(key), timedelta(seconds=seconds)))

    def is_answering(self) -> bool:
        """Say whether the store can be read now."""
        try:
            self.head("workspaces/none")
        except OSError:
            return False
        return self._root is None or os.access(self._root, os.W_OK)

    def _sync(self, key: str) -> None:
        """For a local directory: have the disk hold what was written before anyone is told."""
        path = self.local_path(key)
        if path is None:
            return
        for target in (path, path.parent):
            descriptor = os.open(target, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


class _as_os_errors:  # noqa: N801  # reads as a statement: with _as_os_errors():
    """Turn obstore's exceptions into the ones that Python's own file functions raise."""

    def __enter__(self) -> None:
        return

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        # obstore raises the built-in FileNotFoundError itself in some places.
        if isinstance(error, NotFoundError) and not isinstance(error, OSError):
            raise FileNotFoundError("there is no such object") from error
        if isinstance(error, BaseError) and not isinstance(error, OSError):
            raise OSError(str(error)) from error


def _raise_unless_gone(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def _checked(key: str) -> str:
    if not _SAFE_KEY.fullmatch(key):
        raise ValueError("an object's key is made of plain names and slashes")
    return key


def _range(start: int, end: int | None) -> Any:
    if end is not None:
        return {"range": (start, end)}
    return {"range": {"offset": start}} if start else {}
