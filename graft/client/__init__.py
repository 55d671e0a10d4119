"""The HTTP client, once for threads and once for asyncio, over one description of every call.

What a call sends, when it tries again and how it reads the answer is written once, as a generator
that yields effects (``graft.client.flow``); the two clients differ in how they carry those out.
"""

from graft.client.asynchronous import AsyncClient
from graft.client.errors import ApiError
from graft.client.models import (
    Artifact,
    Dataset,
    DatasetProblem,
    Event,
    Job,
    JobError,
    JobProgress,
    Key,
    Model,
    NewKey,
    Page,
    PlannedJob,
)
from graft.client.synchronous import Client
from graft.client.webhook_models import Delivery, NewWebhook, Webhook

__all__ = [
    "ApiError",
    "Artifact",
    "AsyncClient",
    "Client",
    "Dataset",
    "DatasetProblem",
    "Delivery",
    "Event",
    "Job",
    "JobError",
    "JobProgress",
    "Key",
    "Model",
    "NewKey",
    "NewWebhook",
    "Page",
    "PlannedJob",
    "Webhook",
]
