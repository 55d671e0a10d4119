"""The HTTP client, once for threads and once for asyncio, over one description of every call.

What a call sends, when it tries again and how it reads the answer is written once, as a generator
that yields effects (``graft.client.flow``); the two clients differ in how they carry those out.
"""

from graft.client.asynchronous import AsyncClient
from graft.client.audit_calls import AuditFilter
from graft.client.audit_chain import Head, verify_lines
from graft.client.errors import ApiError
from graft.client.models import (
    Artifact,
    AuditLine,
    Dataset,
    DatasetProblem,
    Event,
    Job,
    JobError,
    JobProgress,
    Key,
    Limit,
    Model,
    NewKey,
    Page,
    PlannedJob,
    Used,
)
from graft.client.synchronous import Client
from graft.client.webhook_models import Delivery, NewWebhook, Webhook

__all__ = [
    "ApiError",
    "Artifact",
    "AsyncClient",
    "AuditFilter",
    "AuditLine",
    "Client",
    "Dataset",
    "DatasetProblem",
    "Delivery",
    "Event",
    "Head",
    "Job",
    "JobError",
    "JobProgress",
    "Key",
    "Limit",
    "Model",
    "NewKey",
    "NewWebhook",
    "Page",
    "PlannedJob",
    "Used",
    "Webhook",
    "verify_lines",
]
