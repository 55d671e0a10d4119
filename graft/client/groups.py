"""The calls of ``Client``, a class for each kind of thing."""

from __future__ import annotations

from collections.abc import Iterator

import httpx

from graft.client.artifact_calls import ArtifactFlows
from graft.client.audit_calls import EXPORT, AuditFlows, ExportLines
from graft.client.carrying import Group, blocking
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


class Datasets(Group):
    """Data sets."""

    _kind = DatasetFlows
    upload = blocking(DatasetFlows.upload)
    get = blocking(DatasetFlows.get)
    list = blocking(DatasetFlows.list)
    wait = blocking(DatasetFlows.wait)
    preview = blocking(DatasetFlows.preview)
    preview_sheet = blocking(DatasetFlows.preview_sheet)
    delete = blocking(DatasetFlows.delete)


class Uploads(Group):
    """Large archives on their way in parts; ``datasets.upload`` does all of it by itself."""

    _kind = UploadFlows
    list = blocking(UploadFlows.list)
    get = blocking(UploadFlows.get)
    delete = blocking(UploadFlows.delete)


class Jobs(Group):
    """Jobs."""

    _kind = JobFlows
    submit = blocking(JobFlows.submit)
    plan = blocking(JobFlows.plan)
    get = blocking(JobFlows.get)
    list = blocking(JobFlows.list)
    wait = blocking(JobFlows.wait)
    steps = blocking(JobFlows.steps)
    course = blocking(JobFlows.course)
    snapshot = blocking(JobFlows.snapshot)
    log = blocking(JobFlows.log)
    cancel = blocking(JobFlows.cancel)
    retry = blocking(JobFlows.retry)
    delete = blocking(JobFlows.delete)
    results = blocking(JobFlows.results)

    def events(self, job: Job | str, *, last_event_id: str | None = None) -> Iterator[Event]:
        """Yield a job's events until it is over.

        Args:
            job: The job, or its id.
            last_event_id: ``id`` of the last one that was seen, to go on after it.
        """
        return self._client.stream_events(EventWatch(self._client.calls, job, last_event_id))


class Artifacts(Group):
    """Files that jobs leave."""

    _kind = ArtifactFlows
    list = blocking(ArtifactFlows.list)
    get = blocking(ArtifactFlows.get)
    download = blocking(ArtifactFlows.download)
    download_all = blocking(ArtifactFlows.download_all)


class Models(Group):
    """Trained generators."""

    _kind = ModelFlows
    list = blocking(ModelFlows.list)
    get = blocking(ModelFlows.get)
    make_images = blocking(ModelFlows.make_images)
    plan_images = blocking(ModelFlows.plan_images)


class Keys(Group):
    """API keys; for administrators."""

    _kind = KeyFlows
    create = blocking(KeyFlows.create)
    list = blocking(KeyFlows.list)
    get = blocking(KeyFlows.get)
    rotate = blocking(KeyFlows.rotate)
    revoke = blocking(KeyFlows.revoke)


class People(Group):
    """People who have come in with tokens; for administrators."""

    _kind = PersonFlows
    list = blocking(PersonFlows.list)
    get = blocking(PersonFlows.get)
    sign_out = blocking(PersonFlows.sign_out)


class Webhooks(Group):
    """Webhooks; for administrators."""

    _kind = WebhookFlows
    create = blocking(WebhookFlows.create)
    list = blocking(WebhookFlows.list)
    get = blocking(WebhookFlows.get)
    change = blocking(WebhookFlows.change)
    delete = blocking(WebhookFlows.delete)
    rotate_secret = blocking(WebhookFlows.rotate_secret)
    test = blocking(WebhookFlows.test)
    deliveries = blocking(WebhookFlows.deliveries)
    delivery = blocking(WebhookFlows.delivery)
    replay = blocking(WebhookFlows.replay)
    replay_failed = blocking(WebhookFlows.replay_failed)


class Audit(Group):
    """The audit trail of the workspace; for administrators."""

    _kind = AuditFlows
    list = blocking(AuditFlows.list)
    save = blocking(AuditFlows.save)
    verify = blocking(AuditFlows.verify)

    def export(self) -> Iterator[bytes]:
        """Yield the whole trail, a line of JSON at a time; taking it along leaves a line in it."""
        base_url = self._client.calls.base_url
        lines = ExportLines(base_url)
        try:
            with self._client.stream("GET", EXPORT) as response:
                if response.status_code >= 400:
                    raise from_reply(response.status_code, response.read(), response.headers)
                for chunk in response.iter_bytes():
                    yield from lines.cut(chunk)
        except httpx.TransportError as error:
            raise unreachable(base_url, str(error) or type(error).__name__) from error
        lines.end()


class Limits(Group):
    """How much may be used, and was."""

    _kind = LimitFlows
    get = blocking(LimitFlows.get)
    lower = blocking(LimitFlows.lower)
    usage = blocking(LimitFlows.usage)


class Workers(Group):
    """Workers and queues; for administrators."""

    _kind = WorkerFlows
    list = blocking(WorkerFlows.list)


class Health(Group):
    """Whether the service is there."""

    _kind = HealthFlows
    is_alive = blocking(HealthFlows.is_alive)
    readiness = blocking(HealthFlows.readiness)
    metrics = blocking(HealthFlows.metrics)
