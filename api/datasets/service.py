"""What can be done with data sets. Nothing here commits."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from api.idempotency import key_reused
from api.limits.quotas import Quotas
from api.problems import Problem, not_found
from gan_core.spec.plan import plan_ingest
from store.columns import new_id
from store.fairness import INTERACTIVE
from store.objects import Objects
from store.repositories import AuditTrail, DatasetRepository, Identity, JobRepository
from store.repositories.paging import Page, Period
from store.tables import Dataset, Job
from store.upload_tables import UploadPart
from store.uploads import content_id_of


@dataclass(frozen=True)
class Upload:
    """An archive that lies in the object store."""

    dataset_id: str
    object_key: str
    """Of parts: what their keys begin with."""
    size: int
    sha256: str
    name: str
    image_size: int
    format: str = "zip"
    parts: tuple[UploadPart, ...] = ()
    """In order; none: it came in one piece."""

    def described_parts(self) -> list[dict[str, Any]] | None:
        """Return what is kept of the parts with the data set."""
        if not self.parts:
            return None
        return [
            {"object_key": part.object_key, "size": part.size, "sha256": part.sha256}
            for part in self.parts
        ]

    def request_sha256(self) -> str:
        """Return a hash of everything that was asked for."""
        asked = json.dumps(["dataset", self.name, self.image_size, self.sha256])
        return hashlib.sha256(asked.encode()).hexdigest()


class DatasetService:
    """Data sets of the workspace that asks."""

    def __init__(self, session: Session, identity: Identity, objects: Objects) -> None:
        self._identity = identity
        self._objects = objects
        self._datasets = DatasetRepository(session, identity.workspace_id)
        self._jobs = JobRepository(session, identity.workspace_id)
        self._audit = AuditTrail(session, identity.workspace_id)
        self._quotas = Quotas(session, identity)

    def create(self, upload: Upload, idempotency_key: str | None) -> tuple[Dataset, bool]:
        """Register an upload and the job that reads it.

        Returns:
            The data set, and whether it is new: a repeated request gets the first one's.

        Raises:
            Problem: 422 ``idempotency_key_reused``.
        """
        if idempotency_key is not None:
            earlier = self._jobs.by_idempotency_key(idempotency_key)
            if earlier is not None:
                if earlier.request_sha256 != upload.request_sha256():
                    raise key_reused()
                job = self._jobs.get(earlier.job_id)
                if job is not None:  # not deleted this very moment, and the key with it
                    return self.get(job.dataset_id), False
        dataset = Dataset(
            id=upload.dataset_id,
            name=upload.name,
            upload_key=upload.object_key,
            upload_sha256=upload.sha256,
            upload_bytes=upload.size,
            image_size=upload.image_size,
            upload_format=upload.format,
            upload_parts=upload.described_parts(),
        )
        plan = plan_ingest(content_id_of(dataset), upload.size, upload.image_size)
        self._quotas.refuse_new_job(plan)
        # Parts were booked as they came.
        booked = 0 if upload.described_parts() else upload.size
        if booked:
            self._quotas.book_upload(booked)
        self._datasets.add(dataset)
        job = Job(
            id=new_id("job"),
            kind="ingest",
            name=upload.name,
            dataset_id=dataset.id,
            spec={"image_size": upload.image_size},
            resolved={"image_size": upload.image_size},
            priority=INTERACTIVE,
            created_by=self._identity.key_id,
        )
        dataset.job_id = job.id
        self._jobs.add(job, plan, self._objects)
        if idempotency_key is not None:
            self._jobs.remember(idempotency_key, upload.request_sha256(), job.id)
        self._audit.append(
            self._identity.key_id,
            "dataset.create",
            dataset.id,
            {"sha256": upload.sha256, "size": upload.size},
        )
        self._quotas.refuse_surplus(uploaded=booked)
        return dataset, True

    def get(self, dataset_id: str) -> Dataset:
        """Return a data set.

        Raises:
            Problem: 404.
        """
        found = self._datasets.get(dataset_id)
        if found is None:
            raise not_found("data set")
        return found

    def delete(self, dataset_id: str, *, with_jobs: bool) -> None:
        """Delete a data set with its packed images, its upload and the job that read it.

        Args:
            dataset_id: The data set.
            with_jobs: Delete the jobs that use it, too.

        Raises:
            Problem: 404; 409 ``dataset_in_use`` or ``job_unfinished``.
        """
        dataset = self.get(dataset_id)
        self._jobs.hold_of_dataset(dataset_id)
        if not self._datasets.hold(dataset):
            raise not_found("data set")
        # Once more: from now on none can be added, but one may have been just before.
        jobs = self._jobs.hold_of_dataset(dataset_id)
        asked_for = [job for job in jobs if job.kind != "ingest"]
        if asked_for and not with_jobs:
            count = "1 job uses" if len(asked_for) == 1 else f"{len(asked_for)} jobs use"
            raise Problem(
                409,
                "dataset_in_use",
                f"{count} the data set.",
                "Delete the jobs first, or send `?with_jobs=true` to delete them, too.",
                jobs=len(asked_for),
            )
        unfinished = self._jobs.unfinished_among(jobs)
        if unfinished:
            raise Problem(
                409,
                "job_unfinished",
                f"The job {unfinished[0].id} works on the data set and is not finished yet.",
                "Cancel it, wait until it is `cancelled`, then delete the data set.",
                headers={"Retry-After": "5"},
            )
        for job in jobs:
            self._jobs.delete(job)
        self._datasets.delete(dataset)
        # Last: whatever else the workspace does waits for these lines until the commit.
        for job in asked_for:
            self._audit.append(
                self._identity.key_id, "job.delete", job.id, {"dataset_id": dataset_id}
            )
        self._audit.append(
            self._identity.key_id, "dataset.delete", dataset_id, {"jobs": len(asked_for)}
        )

    def page(
        self, limit: int, cursor: str | None, status: str | None, created: Period
    ) -> Page[Dataset]:
        """Return data sets, the newest first."""
        return self._datasets.page(limit, cursor, status, created)
