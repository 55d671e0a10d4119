"""Trained generators: every call about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from gan_core.spec.images import ImagesSpec
from graft.client.answers import (
    Page,
)
from graft.client.calls import Flows, body_of, id_of, making, params_of
from graft.client.flow import Flow, Send
from graft.client.models import (
    Job,
    Model,
    PlannedJob,
)

Images = ImagesSpec | Mapping[str, Any]


def _path(model: Model | str) -> str:
    return f"/v1/models/{id_of(model)}/images"


class ModelFlows(Flows):
    """The flows of models."""

    def list(
        self,
        *,
        job_id: str | None = None,
        dataset_id: str | None = None,
        gan: str | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Flow[Page[Model]]:
        """Return a page of the models that studies have trained, the newest first."""
        params = params_of(
            job_id=job_id,
            dataset_id=dataset_id,
            gan=gan,
            created_after=created_after,
            created_before=created_before,
            limit=limit,
            cursor=cursor,
        )
        return self._calls.read(Page[Model], Send("GET", "/v1/models", params))

    def get(self, model: Model | str) -> Flow[Model]:
        """Return a model with its card."""
        return self._calls.read(Model, Send("GET", f"/v1/models/{id_of(model)}"))

    def make_images(
        self,
        model: Model | str,
        asked: Images,
        *,
        idempotency_key: str | None = None,
        wait_seconds: int | None = None,
    ) -> Flow[Job]:
        """Have images made; the job leaves a zip, and a sheet where there are few.

        Args:
            model: The model, or its id.
            asked: An ``ImagesSpec`` or its fields: ``{"count": 16, "truncation": 0.7}``.
            idempotency_key: As for ``jobs.submit``.
            wait_seconds: Have the service answer when the job is over, or after so many seconds,
                10 at the most: a few images are usually there by then. None: at once.
        """
        request = making(_path(model), idempotency_key, json=body_of(asked))
        if wait_seconds is not None:
            headers = {**request.headers, "Prefer": f"wait={wait_seconds}"}
            request = replace(request, headers=headers)
        return self._calls.read(Job, request)

    def plan_images(self, model: Model | str, asked: Images) -> Flow[PlannedJob]:
        """Return what making images would take, without starting it."""
        params = params_of(dry_run=True)
        request = Send("POST", _path(model), params, json=body_of(asked), is_harmless=True)
        return self._calls.read(PlannedJob, request)
