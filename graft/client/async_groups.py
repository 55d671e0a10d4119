"""The calls of ``AsyncClient``, a class for each kind of thing."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx

from graft.client.artifact_calls import ArtifactFlows
from graft.client.audit_calls import EXPORT, AuditFlows, ExportLines
from graft.client.carrying import AsyncGroup, awaited
from graft.client.dataset_calls import DatasetFlows, UploadFlows
from graft.client.errors import from_reply, unreachable
from graft.client.health_calls import HealthFlows
from graft.client.job_calls import JobFlows
from graft.client.key_calls import KeyFlows, PersonFlows
from graft.client.limit_calls import LimitFlows
from graft.client.model_calls import ModelFlows
from graft.client.models import (
    Event,
    Job,
)
from graft.client.sse import EventWatch
from graft.client.webhook_calls import WebhookFlows
from graft.client.worker_calls import WorkerFlows


class AsyncDatasets(AsyncGroup):
    """Data sets."""

    _kind = DatasetFlows
    upload = awaited(DatasetFlows.upload)
    get = awaited(DatasetFlows.get)
    list = awaited(DatasetFlows.list)
    wait = awaited(DatasetFlows.wait)
    preview = awaited(DatasetFlows.preview)
    preview_sheet = awaited(DatasetFlows.preview_sheet)
    delete = awaited(DatasetFlows.delete)


class AsyncUploads(AsyncGroup):
    """Large archives on their way in parts; ``datasets.upload`` does all of it by itself."""

    _kind = UploadFlows
    list = awaited(UploadFlows.list)
    get = awaited(UploadFlows.get)
    delete = awaited(UploadFlows.delete)


class AsyncJobs(AsyncGroup):
    """Jobs."""

    _kind = JobFlows
    submit = awaited(JobFlows.submit)
    plan = awaited(JobFlows.plan)
    get = awaited(JobFlows.get)
    list = awaited(JobFlows.list)
    wait = awaited(JobFlows.wait)
    steps = awaited(JobFlows.steps)
    course = awaited(JobFlows.course)
    snapshot = awaited(JobFlows.snapshot)
    log = awaited(JobFlows.log)
    cancel = awaited(JobFlows.cancel)
    retry = awaited(JobFlows.retry)
    delete = awaited(JobFlows.delete)
    results = awaited(JobFlows.results)

    def events(self, job: Job | str, *, last_event_id: str | None = None) -> AsyncIterator[Event]:
        """Yield a job's events until it is over.

        Args:
            job: The job, or its id.
            last_event_id: ``id`` of the last one that was seen, to go on after it.
        """
        return self._client.stream_events(EventWatch(self._client.calls, job, last_event_id))


class AsyncArtifacts(AsyncGroup):
    """Files that jobs leave."""

    _kind = ArtifactFlows
    list = awaited(ArtifactFlows.list)
    get = awaited(ArtifactFlows.get)
    download = awaited(ArtifactFlows.download)
    download_all = awaited(ArtifactFlows.download_all)


class AsyncModels(AsyncGroup):
    """Trained generators."""

    _kind = ModelFlows
    list = awaited(ModelFlows.list)
    get = awaited(ModelFlows.get)
    make_images = awaited(ModelFlows.make_images)
    plan_images = awaited(ModelFlows.plan_images)


class AsyncKeys(AsyncGroup):
    """API keys; for administrators."""

    _kind = KeyFlows
    create = awaited(KeyFlows.create)
    list = awaited(KeyFlows.list)
    get = awaited(KeyFlows.get)
    rotate = awaited(KeyFlows.rotate)
    revoke = awaited(KeyFlows.revoke)


class AsyncPeople(AsyncGroup):
    """People who have come in with tokens; for administrators."""

    _kind = PersonFlows
    list = awaited(PersonFlows.list)
    get = awaited(PersonFlows.get)
    sign_out = awaited(PersonFlows.sign_out)


class AsyncWebhooks(AsyncGroup):
    """Webhooks; for administrators."""

    _kind = WebhookFlows
    create = awaited(WebhookFlows.create)
    list = awaited(WebhookFlows.list)
    get = awaited(WebhookFlows.get)
    change = awaited(WebhookFlows.change)
    delete = awaited(WebhookFlows.delete)
    rotate_secret = awaited(WebhookFlows.rotate_secret)
    test = awaited(WebhookFlows.test)
    deliveries = awaited(WebhookFlows.deliveries)
    delivery = awaited(WebhookFlows.delivery)
    replay = awaited(WebhookFlows.replay)
    replay_failed = awaited(WebhookFlows.replay_failed)


class AsyncAudit(AsyncGroup):
    """The audit trail of the workspace; for administrators."""

    _kind = AuditFlows
    list = awaited(AuditFlows.list)
    save = awaited(AuditFlows.save)
    verify = awaited(AuditFlows.verify)

    async def export(self) -> AsyncIterator[bytes]:
        """Yield the whole trail, a line of JSON at a time; taking it along leaves a line in it."""
        base_url = self._client.calls.base_url
        lines = ExportLines(base_url)
        try:
            async with self._client.stream("GET", EXPORT) as response:
                if response.status_code >= 400:
                    raise from_reply(response.status_code, await response.aread(), response.headers)
                async for chunk in response.aiter_bytes():
                    for line in lines.cut(chunk):
                        yield line
        except httpx.TransportError as error:
            raise unreachable(base_url, str(error) or type(error).__name__) from error
        lines.end()


class AsyncLimits(AsyncGroup):
    """How much may be used, and was."""

    _kind = LimitFlows
    get = awaited(LimitFlows.get)
    lower = awaited(LimitFlows.lower)
    usage = awaited(LimitFlows.usage)


class AsyncWorkers(AsyncGroup):
    """Workers and queues; for administrators."""

    _kind = WorkerFlows
    list = awaited(WorkerFlows.list)


class AsyncHealth(AsyncGroup):
    """Whether the service is there."""

    _kind = HealthFlows
    is_alive = awaited(HealthFlows.is_alive)
    readiness = awaited(HealthFlows.readiness)
    metrics = awaited(HealthFlows.metrics)
