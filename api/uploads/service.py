"""What can be done with uploads in parts. Nothing here commits."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy.orm import Session

from api.datasets.intake import MEDIA_TYPES, too_large
from api.limits.quotas import Quotas
from api.problems import Problem, not_found
from api.uploads.schemas import (
    MAX_PART_BYTES,
    MAX_PARTS,
    UploadDetail,
    UploadRequest,
    part_count,
    size_of_part,
)
from store.columns import new_id
from store.repositories import AuditTrail, Identity, UploadRepository
from store.repositories.paging import Page
from store.settings import Settings
from store.upload_tables import UploadPart, UploadSession


class UploadService:
    """Uploads in parts of the workspace that asks."""

    def __init__(self, session: Session, identity: Identity, settings: Settings) -> None:
        self._identity = identity
        self._settings = settings
        self._keep = timedelta(days=settings.upload_days)
        self._uploads = UploadRepository(session, identity.workspace_id)
        self._audit = AuditTrail(session, identity.workspace_id)
        self._quotas = Quotas(session, identity)

    def create(self, asked: UploadRequest) -> UploadSession:
        """Begin an upload.

        Raises:
            Problem: 413 ``upload_too_large``; 415 ``media_type_unsupported``; 422
                ``part_size_too_small``; 429 ``too_many_uploads``.
        """
        if asked.size > self._settings.max_upload_bytes:
            raise too_large(self._settings.max_upload_bytes)
        if asked.media_type not in MEDIA_TYPES:
            raise Problem(
                415,
                "media_type_unsupported",
                "An upload is a zip, a tar or a tar.gz.",
                "Say `application/zip`, `application/x-tar` or `application/gzip`.",
            )
        smallest = -(-asked.size // MAX_PARTS)
        part_size = asked.part_size or max(self._settings.upload_part_bytes, smallest)
        if part_size < smallest or part_size > MAX_PART_BYTES:
            raise Problem(
                422,
                "part_size_too_small",
                f"The upload would have more than {MAX_PARTS:,} parts.",
                f"Ask for parts of at least {smallest:,} bytes, or leave `part_size` away.",
            )
        self._uploads.lock_workspace()
        if self._uploads.count_open() >= self._settings.max_open_uploads:
            raise Problem(
                429,
                "too_many_uploads",
                f"The workspace has {self._settings.max_open_uploads} unfinished uploads already.",
                "Finish or delete one: `GET /v1/uploads?status=open` lists them.",
                headers={"Retry-After": "60"},
            )
        upload = UploadSession(
            id=new_id("up"),
            created_by=self._identity.key_id,
            media_type=asked.media_type,
            size=asked.size,
            part_size=part_size,
            sha256=asked.sha256,
        )
        self._uploads.add(upload, keep=self._keep)
        self._audit.append(
            self._identity.key_id,
            "upload.create",
            upload.id,
            {"size": asked.size, "sha256": asked.sha256},
        )
        return upload

    def get(self, upload_id: str) -> UploadSession:
        """Return an upload.

        Raises:
            Problem: 404.
        """
        found = self._uploads.get(upload_id)
        if found is None:
            raise not_found("upload")
        return found

    def detail(self, upload_id: str) -> UploadDetail:
        """Return an upload with its parts.

        Raises:
            Problem: 404.
        """
        return UploadDetail.with_parts(self.get(upload_id), self._uploads.parts(upload_id))

    def page(
        self, limit: int, cursor: str | None, status: str | None, sha256: str | None
    ) -> Page[UploadSession]:
        """Return uploads, the newest first."""
        return self._uploads.page(limit, cursor, status=status, sha256=sha256)

    def expected_size(self, upload_id: str, number: int) -> int:
        """Return how many bytes a part must have that is about to come.

        Raises:
            Problem: 404; 409 ``upload_not_open``; 422 ``part_number_too_large``; 429
                ``upload_quota``.
        """
        upload = self.get(upload_id)
        _check_open(upload)
        if number > part_count(upload):
            raise Problem(
                422,
                "part_number_too_large",
                f"The upload consists of {part_count(upload)} parts.",
                "Parts are numbered from 1; all but the last have `part_size` bytes.",
            )
        size = size_of_part(upload, number)
        self._quotas.upload_room().refuse(size)
        return size

    def put_part(self, upload_id: str, part: UploadPart) -> UploadPart:
        """Note a part whose object has been written.

        Raises:
            Problem: 404; 409 ``upload_not_open``; 429 ``upload_quota``.
        """
        upload = self._held(upload_id)
        _check_open(upload)
        # Here and not when they are put together: what comes counts, also for an upload that is
        # never finished. One that is larger than a day's limit can come over several days.
        self._uploads.lock_workspace()
        self._quotas.book_upload(part.size)
        return self._uploads.put_part(upload, part, keep=self._keep)

    def abort(self, upload_id: str) -> None:
        """Give up an upload; one that was given up already stays so.

        Raises:
            Problem: 404; 409 ``upload_not_open`` where a data set was made of it.
        """
        upload = self._held(upload_id)
        if upload.status == "aborted":
            return
        _check_open(upload)
        self._uploads.abort(upload)
        self._audit.append(self._identity.key_id, "upload.delete", upload.id)

    def finish(self, upload_id: str, sha256: str | None, dataset_id: str) -> Finished:
        """Close an upload of which a data set is made, if all of it is there.

        Args:
            upload_id: The upload.
            sha256: Of the whole, where it was not said at the beginning.
            dataset_id: The data set that is being made.

        Raises:
            Problem: 404; 409 ``upload_not_open`` or ``upload_incomplete``; 422
                ``upload_sha256_missing`` or ``upload_digest_mismatch``.
        """
        upload = self._held(upload_id)
        if upload.status == "completed" and upload.dataset_id is not None:
            return Finished(upload, [], upload.dataset_id)
        _check_open(upload)
        parts = list(self._uploads.parts(upload_id))
        missing = part_count(upload) - len(parts)
        if missing:
            raise Problem(
                409,
                "upload_incomplete",
                f"{missing} of the upload's {part_count(upload)} parts are missing.",
                f"`GET /v1/uploads/{upload.id}` lists those that are there.",
            )
        upload.sha256 = _agreed(upload.sha256, sha256)
        if len(parts) == 1 and parts[0].sha256 != upload.sha256:
            raise _mismatch()
        upload.status = "completed"
        upload.dataset_id = dataset_id
        return Finished(upload, parts, None)

    def first_part(self, upload_id: str) -> UploadPart | None:
        """Return the part that tells what kind of archive it is.

        Raises:
            Problem: 404.
        """
        self.get(upload_id)
        return next((p for p in self._uploads.parts(upload_id) if p.number == 1), None)

    def _held(self, upload_id: str) -> UploadSession:
        found = self._uploads.hold(upload_id)
        if found is None:
            raise not_found("upload")
        return found


class Finished:
    """An upload that has come to its end.

    Attributes:
        upload: The upload.
        parts: All of them, in order; none where a data set was made of it before.
        dataset_id: The data set that was made of it before, by an earlier request of the kind.
    """

    def __init__(
        self, upload: UploadSession, parts: list[UploadPart], dataset_id: str | None
    ) -> None:
        self.upload = upload
        self.parts = parts
        self.dataset_id = dataset_id


def _check_open(upload: UploadSession) -> None:
    if upload.status == "open":
        return
    what = (
        "A data set was made of the upload"
        if upload.status == "completed"
        else ("The upload was deleted, or has expired")
    )
    raise Problem(409, "upload_not_open", f"{what}.", "Begin a new one with `POST /v1/uploads`.")


def _agreed(said_first: str | None, said_now: str | None) -> str:
    found = said_first or said_now
    if found is None:
        raise Problem(
            422,
            "upload_sha256_missing",
            "Nobody said which SHA-256 the whole upload has.",
            "Send it as `sha256` with `POST /v1/uploads`, or as `?sha256=` now.",
        )
    if said_now is not None and said_now != found:
        raise _mismatch()
    return found


def _mismatch() -> Problem:
    return Problem(
        422,
        "upload_digest_mismatch",
        "The upload has another SHA-256 than was said.",
        "Was the file changed meanwhile? Delete the upload and send it anew.",
    )
