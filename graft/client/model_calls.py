"""Trained generators: every call about them, for both clients."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gan_core.spec.images import ImagesSpec
from graft.client.calls import Calls, id_of
from graft.client.flow import Flow, Send
from graft.client.models import Job, Model, Page, PlannedJob

if TYPE_CHECKING:
    from graft.client.asynchronous import AsyncClient
    from graft.client.synchronous import Client

Images = ImagesSpec | Mapping[str, Any]


@dataclass(frozen=True)
class ModelFilter:
    """Which models to list; None: whichever.

    Attributes:
        job_id: Of the study that trained them.
        dataset_id: Of the data that they learned from.
        gan: Their kind.
    """

    job_id: str | None = None
    dataset_id: str | None = None
    gan: str | None = None


def list_flow(
    calls: Calls, which: ModelFilter, limit: int | None, cursor: str | None
) -> Flow[Page[Model]]:
    """``GET /v1/models``."""
    asked = {**vars(which), "limit": None if limit is None else str(limit), "cursor": cursor}
    params = {name: value for name, value in asked.items() if value is not None}
    return calls.read(Page[Model], Send("GET", "/v1/models", params))


def get_flow(calls: Calls, model_id: str) -> Flow[Model]:
    """``GET /v1/models/{id}``."""
    return calls.read(Model, Send("GET", f"/v1/models/{id_of(model_id)}"))


def images_flow(
    calls: Calls, model: Model | str, asked: Images, idempotency_key: str | None
) -> Flow[Job]:
    """``POST /v1/models/{id}/images``."""
    headers = {"Idempotency-Key": idempotency_key or str(uuid.uuid4())}
    return calls.read(Job, Send("POST", _path(model), headers=headers, json=_body(asked)))


def plan_flow(calls: Calls, model: Model | str, asked: Images) -> Flow[PlannedJob]:
    """``POST /v1/models/{id}/images?dry_run=true``."""
    request = Send("POST", _path(model), params={"dry_run": "true"}, json=_body(asked))
    return calls.read(PlannedJob, request)


def _path(model: Model | str) -> str:
    return f"/v1/models/{id_of(model if isinstance(model, str) else model.id)}/images"


def _body(asked: Images) -> dict[str, Any]:
    if isinstance(asked, ImagesSpec):
        return asked.model_dump(mode="json", exclude_unset=True)
    return dict(asked)


class Models:
    """Trained generators."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def list(
        self,
        *,
        job_id: str | None = None,
        dataset_id: str | None = None,
        gan: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[Model]:
        """Return a page of the models that studies have trained, the newest first."""
        which = ModelFilter(job_id, dataset_id, gan)
        return self._client.run(list_flow(self._client.calls, which, limit, cursor))

    def get(self, model_id: str) -> Model:
        """Return a model with its card."""
        return self._client.run(get_flow(self._client.calls, model_id))

    def make_images(
        self, model: Model | str, asked: Images, *, idempotency_key: str | None = None
    ) -> Job:
        """Have images made; the job leaves a zip, and a sheet where there are few.

        Args:
            model: The model, or its id.
            asked: An ``ImagesSpec`` or its fields: ``{"count": 16, "truncation": 0.7}``.
            idempotency_key: As for ``jobs.submit``.
        """
        flow = images_flow(self._client.calls, model, asked, idempotency_key)
        return self._client.run(flow)

    def plan_images(self, model: Model | str, asked: Images) -> PlannedJob:
        """Return what making images would take, without starting it."""
        return self._client.run(plan_flow(self._client.calls, model, asked))


class AsyncModels:
    """Trained generators."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def list(
        self,
        *,
        job_id: str | None = None,
        dataset_id: str | None = None,
        gan: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[Model]:
        """Return a page of the models that studies have trained, the newest first."""
        which = ModelFilter(job_id, dataset_id, gan)
        return await self._client.run(list_flow(self._client.calls, which, limit, cursor))

    async def get(self, model_id: str) -> Model:
        """Return a model with its card."""
        return await self._client.run(get_flow(self._client.calls, model_id))

    async def make_images(
        self, model: Model | str, asked: Images, *, idempotency_key: str | None = None
    ) -> Job:
        """Have images made; the job leaves a zip, and a sheet where there are few.

        Args:
            model: The model, or its id.
            asked: An ``ImagesSpec`` or its fields: ``{"count": 16, "truncation": 0.7}``.
            idempotency_key: As for ``jobs.submit``.
        """
        flow = images_flow(self._client.calls, model, asked, idempotency_key)
        return await self._client.run(flow)

    async def plan_images(self, model: Model | str, asked: Images) -> PlannedJob:
        """Return what making images would take, without starting it."""
        return await self._client.run(plan_flow(self._client.calls, model, asked))
