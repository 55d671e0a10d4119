"""What the clients ask about models."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx

from gan_core.spec import ImagesSpec
from graft.client import AsyncClient, Client

MODEL: dict[str, Any] = {
    "id": "art_1",
    "gan": "infogan",
    "image_size": 64,
    "real_count": 50,
    "sha256": "a" * 64,
    "a_field_of_a_newer_service": 1,
}
JOB = {"id": "job_9", "kind": "images", "status": "queued", "progress": {"fraction": 0.0}}
PLAN = {"steps": [{"name": "draw", "kind": "draw"}], "estimate_seconds": 4.0}


class Service:
    """Answers for one model, and keeps what was asked."""

    def __init__(self) -> None:
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        if request.method == "GET":
            is_list = request.url.path == "/v1/models"
            return httpx.Response(200, json={"items": [MODEL]} if is_list else MODEL)
        is_plan = request.url.params.get("dry_run") == "true"
        return httpx.Response(200, json=PLAN) if is_plan else httpx.Response(202, json=JOB)


def test_models_are_asked_for_by_what_they_are_and_images_made_once() -> None:
    service = Service()
    with Client("http://x", key="k", transport=httpx.MockTransport(service)) as client:
        page = client.models.list(job_id="job_1", gan="infogan", limit=5)
        assert page.items[0].real_count == 50
        model = client.models.get("art_1")
        job = client.models.make_images(model, {"count": 3, "truncation": 0.5})
        assert client.models.plan_images("art_1", ImagesSpec(seeds=[4])).steps[0].kind == "draw"
    listed, got, made, planned = service.asked
    assert dict(listed.url.params) == {"job_id": "job_1", "gan": "infogan", "limit": "5"}
    assert got.url.path == "/v1/models/art_1"
    assert (made.url.path, json.loads(made.content)) == (
        "/v1/models/art_1/images",
        {"count": 3, "truncation": 0.5},
    )
    assert made.headers["idempotency-key"]
    assert json.loads(planned.content) == {"seeds": [4]}
    assert (job.id, job.kind) == ("job_9", "images")


def test_the_async_client_asks_the_same() -> None:
    service = Service()

    async def ask() -> None:
        transport = httpx.MockTransport(service)
        async with AsyncClient("http://x", key="k", transport=transport) as client:
            (model,) = (await client.models.list(dataset_id="ds_1")).items
            assert await client.models.get(model.id) == model
            assert (await client.models.make_images(model, {})).id == "job_9"
            assert (await client.models.plan_images(model, {})).estimate_seconds == 4.0

    asyncio.run(ask())
    assert [request.method for request in service.asked] == ["GET", "GET", "POST", "POST"]
