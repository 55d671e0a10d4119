"""A data set of an upload that came in parts."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from api.context import Context
from api.datasets.intake import FIRST_BYTES, checked_format
from api.datasets.schemas import DatasetView
from api.datasets.service import DatasetService, Upload
from api.idempotency import Made, OnceOnly, Outcome
from api.problems import Problem
from api.uploads.service import UploadService
from store.repositories import Identity
from store.uploads import prefix_of


@dataclass(frozen=True)
class FromParts:
    """What is asked for.

    Attributes:
        upload_id: The upload, all of whose parts are there.
        sha256: Of the whole, where it was not said at the beginning.
        dataset_id: The data set's, if it is new.
        name: Its label.
        image_size: Side in pixels.
    """

    upload_id: str
    sha256: str | None
    dataset_id: str
    name: str
    image_size: int


def accepted(view: DatasetView, *, is_new: bool) -> Made:
    """Say where the data set is and when to look again."""
    headers = {"Location": f"/v1/datasets/{view.id}", "Retry-After": "1"}
    return Made(view, 202, headers, subject=view.id, is_replay=not is_new)


def from_parts(ctx: Context, who: Identity, asked: FromParts, once: OnceOnly) -> Outcome:
    """Make a data set of an upload, or return the one that was made of it before.

    Nothing is copied here: the worker that reads the archive puts it together.

    Raises:
        Problem: 404; 409 ``upload_not_open``, ``upload_incomplete`` or ``upload_completed``; 422
            ``upload_sha256_missing``, ``upload_digest_mismatch`` or ``not_a_zip``.
    """
    with ctx.database.read() as session:
        first = UploadService(session, who, ctx.settings).first_part(asked.upload_id)
        first_key = None if first is None else first.object_key
    archive_format = None
    if first_key is not None:
        try:
            start = b"".join(ctx.objects.iterate(first_key, 0, FIRST_BYTES))
        except FileNotFoundError:  # it has been read and deleted meanwhile
            start = None
        archive_format = None if start is None else checked_format(start)

    def work(session: Session) -> Made:
        uploads = UploadService(session, who, ctx.settings)
        datasets = DatasetService(session, who, ctx.objects)
        done = uploads.finish(asked.upload_id, asked.sha256, asked.dataset_id)
        if done.dataset_id is not None:
            dataset = datasets.get(done.dataset_id)
            if (dataset.name, dataset.image_size) != (asked.name, asked.image_size):
                raise Problem(
                    409,
                    "upload_completed",
                    "Another data set was made of the upload already.",
                    "Upload the archive again; with the same bytes it is ready at once.",
                    dataset_id=dataset.id,
                )
            return accepted(DatasetView.of(dataset), is_new=False)
        upload = Upload(
            asked.dataset_id,
            prefix_of(who.workspace_id, done.upload.id),
            done.upload.size,
            done.upload.sha256 or "",
            asked.name,
            asked.image_size,
            archive_format or "zip",
            tuple(done.parts),
        )
        dataset, is_new = datasets.create(upload, None)
        return accepted(DatasetView.of(dataset), is_new=is_new)

    # What is asked for is all in the query.
    return once.carry_out(who, None, work)
