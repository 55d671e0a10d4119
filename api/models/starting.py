"""Jobs that make images from a model: thinking one through, and starting it."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy.orm import Session

from api.artifacts.service import gone
from api.limits.quotas import Quotas
from api.models.schemas import source_of
from api.problems import Problem, not_found
from gan_core.spec import DatasetFacts, ImagesSpec, Plan, plan_images
from store.columns import new_id
from store.fairness import INTERACTIVE, PRIORITIES
from store.objects import Objects
from store.repositories import DatasetRepository, Identity, JobRepository
from store.repositories.models import ModelRepository, TrainedModel
from store.speeds import SpeedBook
from store.tables import Job


def read_card(model: TrainedModel, objects: Objects) -> dict[str, Any]:
    """Return a model's card.

    Raises:
        Problem: 410 when its files are not kept any more, or are lost.
    """
    if model.artifact.removed_at is not None:
        raise Problem(
            410,
            "model_expired",
            f"The model's files were deleted on {model.artifact.removed_at:%Y-%m-%d}: this service"
            " keeps the files of a job for a limited time after its end.",
            "Retry the study that trained it: what is missing is made again.",
        )
    if model.card is None:
        raise gone()
    try:
        content = b"".join(objects.iterate(model.card["object_key"]))
    except FileNotFoundError:
        raise gone() from None
    card: dict[str, Any] = json.loads(content)
    return card


class ImagesStarter:
    """Starts jobs that make images from models of one workspace. Nothing here commits."""

    def __init__(self, session: Session, identity: Identity, objects: Objects) -> None:
        self._identity = identity
        self._objects = objects
        self._speeds = SpeedBook(session)
        self._quotas = Quotas(session, identity)
        self._jobs = JobRepository(session, identity.workspace_id)
        self._datasets = DatasetRepository(session, identity.workspace_id)
        self._models = ModelRepository(session, identity.workspace_id)

    def model(self, model_id: str) -> TrainedModel:
        """Return a model.

        Raises:
            Problem: 404.
        """
        found = self._models.get(model_id)
        if found is None:
            raise not_found("model")
        return found

    def think_through(
        self, model: TrainedModel, asked: ImagesSpec, weights_sha256: str | None
    ) -> Plan:
        """Plan a job.

        Raises:
            Problem: 404 for the data set, 410 for the model.
            GraftError: The model cannot draw such images.
        """
        card = read_card(model, self._objects)
        # With a data set go its models: whatever can be drawn from can be screened, too.
        dataset = self._datasets.get(model.dataset_id)
        if dataset is None:
            raise not_found("data set")
        return plan_images(
            asked,
            source_of(model, card),
            DatasetFacts.model_validate(dataset.facts),
            weights_sha256=weights_sha256,
            speeds=self._speeds.speeds(),
        )

    def start(
        self,
        model_id: str,
        asked: ImagesSpec,
        weights_sha256: str | None,
        *,
        retry_of: str | None = None,
    ) -> Job:
        """Start a job; arguments as for ``JobService.plan``.

        The job takes the model over as its own, so that its files stay until the job is deleted,
        too, whatever becomes of the study that trained it.

        Raises:
            Problem: 404; 410 when the model's files are not there any more.
            GraftError: The model cannot draw such images.
        """
        model = self.model(model_id)
        plan = self.think_through(model, asked, weights_sha256)
        self._quotas.refuse_new_job(plan)
        job = Job(
            id=new_id("job"),
            kind="images",
            name=asked.name,
            dataset_id=model.dataset_id,
            spec={"model_id": model_id} | asked.model_dump(mode="json", exclude_unset=True),
            resolved=resolved(model_id, asked),
            advice=list(plan.advice),
            priority=_priority(asked),
            created_by=self._identity.key_id,
            retry_of=retry_of,
        )
        self._jobs.add(job, plan, self._objects)
        if self._jobs.steps(job.id)[0].status != "succeeded":
            # Its files are being deleted, or are lost. To train it again was not asked for.
            raise gone()
        return job


def resolved(model_id: str, asked: ImagesSpec) -> dict[str, Any]:
    """Return what is asked for with every default filled in."""
    return {"model_id": model_id} | asked.model_dump(mode="json") | {"count": asked.total()}


def _priority(asked: ImagesSpec) -> int:
    if asked.is_small() and asked.priority != "low":
        return INTERACTIVE
    return PRIORITIES[asked.priority]
