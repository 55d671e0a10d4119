"""Data sets, and uploads in parts: every call about them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Literal

from graft.client.answers import (
    Page,
)
from graft.client.calls import Flows, Waiting, id_of, params_of
from graft.client.connection import ignore_update
from graft.client.flow import Blocking, Flow, OnBytes, Send
from graft.client.models import (
    Dataset,
    Upload,
)
from graft.client.parts import Archive, UploadWatch, upload
from graft.client.preview_models import Preview
from graft.client.transfer import OnLeftOut, as_zip

DatasetStatus = Literal["ingesting", "ready", "rejected"]
UploadStatus = Literal["open", "completed", "aborted"]


class DatasetFlows(Flows):
    """The flows of data sets."""

    def upload(
        self,
        source: Path | str,
        *,
        name: str | None = None,
        image_size: int | None = None,
        idempotency_key: str | None = None,
        on_pack: OnBytes | None = None,
        on_left_out: OnLeftOut | None = None,
        on_check: OnBytes | None = None,
        on_resumed: OnBytes | None = None,
        on_bytes: OnBytes | None = None,
    ) -> Flow[Dataset]:
        """Upload a zip or tar.gz of class folders, or the images of a folder, packed first.

        Of a large archive that was begun to be uploaded before, only what is missing is sent.

        Args:
            source: The archive or folder.
            name: A label; default: the file's name.
            image_size: Side in pixels to which images are brought; default: the service's (224).
            idempotency_key: With the same one, sent again by whatever program, it is one data set;
                default: one that only this call has.
            on_pack: Called while a folder is packed.
            on_left_out: Called with how many files of a folder are no images and stay here.
            on_check: Called while a large archive is read for its checksum.
            on_resumed: Called once if a part of it was there already, with how many bytes.
            on_bytes: Called while the archive is sent.
        """
        watch = UploadWatch(on_bytes, on_check, on_resumed)
        called = Path(source).stem if name is None else name
        with ExitStack() as stack:
            packed = as_zip(Path(source), on_pack, on_left_out)
            path: Path = yield Blocking(lambda: stack.enter_context(packed))
            archive = Archive(path, called, image_size)
            return (yield from upload(self._calls, archive, watch, idempotency_key))

    def get(self, dataset: Dataset | str) -> Flow[Dataset]:
        """Return a data set as it stands."""
        return self._calls.read(Dataset, Send("GET", f"/v1/datasets/{id_of(dataset)}"))

    def list(
        self,
        *,
        status: DatasetStatus | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Flow[Page[Dataset]]:
        """Return a page of data sets, the newest first; moments with a time zone."""
        params = params_of(
            status=status,
            created_after=created_after,
            created_before=created_before,
            limit=limit,
            cursor=cursor,
        )
        return self._calls.read(Page[Dataset], Send("GET", "/v1/datasets", params))

    def wait(
        self,
        dataset: Dataset | str,
        *,
        on_update: Callable[[Dataset], None] = ignore_update,
        timeout: float | None = None,
        poll_seconds: float | None = None,
    ) -> Flow[Dataset]:
        """Return the data set once it is ready or rejected.

        Args:
            dataset: The data set, or its id.
            on_update: Called with it whenever it has changed.
            timeout: Seconds after which to give up.
            poll_seconds: Pause between questions; default: what the service asks for.
        """
        path = f"/v1/datasets/{id_of(dataset)}"
        waiting = Waiting(timeout, poll_seconds)
        return self._calls.wait(Dataset, path, lambda d: d.is_settled, on_update, waiting)

    def preview(self, dataset: Dataset | str) -> Flow[Preview]:
        """Return which pictures of a data set there are, and what occurs twice in it."""
        return self._calls.read(Preview, Send("GET", f"/v1/datasets/{id_of(dataset)}/preview"))

    def preview_sheet(self, dataset: Dataset | str, number: int) -> Flow[bytes]:
        """Return a sheet of small pictures of real images as a PNG; the audit trail notes it.

        Args:
            dataset: The data set, or its id.
            number: Of the sheet, as ``preview`` says.
        """
        path = f"/v1/datasets/{id_of(dataset)}/preview/{int(number)}"
        reply = yield from self._calls.send(Send("GET", path))
        return reply.body

    def delete(self, dataset: Dataset | str, *, with_jobs: bool = False) -> Flow[None]:
        """Delete a data set; ``with_jobs``: also the jobs that use it, with all their files."""
        params = params_of(with_jobs=True if with_jobs else None)
        yield from self._calls.send(Send("DELETE", f"/v1/datasets/{id_of(dataset)}", params))


class UploadFlows(Flows):
    """The flows of uploads in parts; ``datasets.upload`` does all of it by itself."""

    def list(
        self,
        *,
        status: UploadStatus | None = None,
        sha256: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Flow[Page[Upload]]:
        """Return a page of uploads, the newest first, without their parts."""
        params = params_of(status=status, sha256=sha256, limit=limit, cursor=cursor)
        return self._calls.read(Page[Upload], Send("GET", "/v1/uploads", params))

    def get(self, upload: Upload | str) -> Flow[Upload]:
        """Return an upload with the parts that have arrived."""
        return self._calls.read(Upload, Send("GET", f"/v1/uploads/{id_of(upload)}"))

    def delete(self, upload: Upload | str) -> Flow[None]:
        """Break an upload off and delete its parts."""
        yield from self._calls.send(Send("DELETE", f"/v1/uploads/{id_of(upload)}"))
