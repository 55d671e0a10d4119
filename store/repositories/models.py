"""Trained generators of one workspace: what the trainings of studies left.

There is no table of models. A model is an artifact of that kind, and what it was trained on and how
are its step's parameters; so it lives and dies with its job, as every artifact does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.repositories.paging import ALWAYS, Page, Period, page_of
from store.step_tables import Step
from store.tables import Artifact, Job

_MODEL = "model"
_CARD = "model-card"


@dataclass(frozen=True)
class TrainedModel:
    """A trained generator.

    Attributes:
        artifact: Its weights' file.
        step: That trained it, or took it over from one that had.
        dataset_id: What it was trained on.
    """

    artifact: Artifact
    step: Step
    dataset_id: str

    @property
    def card(self) -> dict[str, Any] | None:
        """What is recorded of the card's file: its ``object_key``, among others."""
        stem = self.artifact.name.rsplit(".", 1)[0]
        cards = [output for output in self.step.outputs if output["kind"] == _CARD]
        named = [card for card in cards if card["name"].rsplit(".", 1)[0] == stem]
        return next(iter(named), None)


class ModelRepository:
    """Trained generators of one workspace."""

    def __init__(self, session: Session, workspace_id: str) -> None:
        self._session = session
        self._workspace_id = workspace_id

    def get(self, model_id: str) -> TrainedModel | None:
        """Return a model, or null; also one that a job has only taken over to make images."""
        query = select(Artifact).where(
            Artifact.id == model_id,
            Artifact.kind == _MODEL,
            Artifact.workspace_id == self._workspace_id,
        )
        found = self._with_their_steps(self._session.scalars(query).all())
        return next(iter(found), None)

    def page(
        self,
        limit: int,
        cursor: str | None,
        *,
        job_id: str | None = None,
        dataset_id: str | None = None,
        gan: str | None = None,
        created: Period = ALWAYS,
    ) -> Page[TrainedModel]:
        """Return the models of studies, the newest first."""
        query = (
            select(Artifact)
            .join(Job, Job.id == Artifact.job_id)
            .where(
                Artifact.kind == _MODEL,
                Artifact.workspace_id == self._workspace_id,
                Job.kind == "study",
            )
        )
        if job_id is not None:
            query = query.where(Artifact.job_id == job_id)
        if dataset_id is not None:
            query = query.where(Job.dataset_id == dataset_id)
        if gan is not None:
            query = query.join(Step, Step.id == Artifact.step_id).where(
                Step.params["gan"].as_string() == gan
            )
        query = created.within(query, Artifact.created_at)
        page = page_of(self._session, query, Artifact.id, limit, cursor)
        return Page(self._with_their_steps(page.items), page.next_cursor)

    def _with_their_steps(self, artifacts: Sequence[Artifact]) -> list[TrainedModel]:
        if not artifacts:
            return []
        rows = self._session.execute(
            select(Step, Job.dataset_id)
            .join(Job, Job.id == Step.job_id)
            .where(Step.id.in_({artifact.step_id for artifact in artifacts}))
        )
        steps = {step.id: (step, dataset_id) for step, dataset_id in rows}
        return [
            TrainedModel(artifact, *steps[artifact.step_id])
            for artifact in artifacts
            if artifact.step_id in steps  # deleted this very moment
        ]
