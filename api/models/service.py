"""What can be done with models. Nothing here commits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from api.jobs.once import earlier_job, hash_of
from api.limits.quotas import Quotas
from api.models.starting import ImagesStarter, read_card, resolved
from gan_core.spec import ImagesSpec, Plan
from store.objects import Objects
from store.repositories import AuditTrail, Identity, JobRepository
from store.repositories.models import ModelRepository, TrainedModel
from store.repositories.paging import Page, Period
from store.tables import Job


@dataclass(frozen=True)
class PlannedImages:
    """A job that was thought through and not started."""

    spec: dict[str, Any]
    plan: Plan
    finished_keys: frozenset[str]


class ModelService:
    """Models of the workspace that asks."""

    def __init__(self, session: Session, identity: Identity, objects: Objects) -> None:
        self._identity = identity
        self._objects = objects
        self._models = ModelRepository(session, identity.workspace_id)
        self._jobs = JobRepository(session, identity.workspace_id)
        self._audit = AuditTrail(session, identity.workspace_id)
        self._starter = ImagesStarter(session, identity, objects)
        self._quotas = Quotas(session, identity)

    def page(
        self,
        limit: int,
        cursor: str | None,
        *,
        job_id: str | None,
        dataset_id: str | None,
        gan: str | None,
        created: Period,
    ) -> Page[TrainedModel]:
        """Return the models of studies, the newest first."""
        return self._models.page(
            limit, cursor, job_id=job_id, dataset_id=dataset_id, gan=gan, created=created
        )

    def get(self, model_id: str) -> tuple[TrainedModel, dict[str, Any]]:
        """Return a model and its card.

        Raises:
            Problem: 404; 410 when its files are not there any more.
        """
        model = self._starter.model(model_id)
        return model, read_card(model, self._objects)

    def plan_images(
        self, model_id: str, asked: ImagesSpec, *, weights_sha256: str | None = None
    ) -> PlannedImages:
        """Think a job through without starting it; arguments and errors as ``make_images``."""
        model = self._starter.model(model_id)
        plan = self._starter.think_through(model, asked, weights_sha256)
        finished = self._jobs.finished_keys([step.key for step in plan.steps])
        return PlannedImages(resolved(model_id, asked), plan, finished)

    def make_images(
        self,
        model_id: str,
        asked: ImagesSpec,
        idempotency_key: str | None,
        *,
        weights_sha256: str | None = None,
    ) -> tuple[Job, bool]:
        """Start a job that makes images.

        Args:
            model_id: What they are made with.
            asked: The spec as sent.
            idempotency_key: A repeated request with it gets the first one's job.
            weights_sha256: Digest of the operator's own upscaler weights, if any are set.

        Returns:
            The job, and whether it is new.

        Raises:
            Problem: 404; 410 when the model's files are not there any more; 422
                ``idempotency_key_reused``.
            GraftError: The model cannot draw such images.
        """
        sent = asked.model_dump(mode="json", exclude_unset=True)
        request_sha256 = hash_of(["images", model_id, sent])
        earlier = earlier_job(self._jobs, idempotency_key, request_sha256)
        if earlier is not None:
            return earlier, False
        job = self._starter.start(model_id, asked, weights_sha256)
        if idempotency_key is not None:
            self._jobs.remember(idempotency_key, request_sha256, job.id)
        self._audit.append(
            self._identity.key_id,
            "images.submit",
            job.id,
            {"model_id": model_id, "dataset_id": job.dataset_id, "count": asked.total()},
        )
        self._quotas.refuse_surplus()
        return job, True
