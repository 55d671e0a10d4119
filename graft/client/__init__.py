"""The HTTP client, once for threads and once for asyncio, over one description of every call.

What a call sends, when it tries again and how it reads the answer is written once, as a generator
that yields effects (``graft.client.flow``); the two clients differ in how they carry those out.
"""

from graft.client.access_models import (
    AuditLine,
    Health,
    House,
    Key,
    Limit,
    Me,
    NewKey,
    Person,
    Queue,
    Used,
    Worker,
    WorkerStep,
)
from graft.client.answers import (
    Page,
)
from graft.client.asynchronous import AsyncClient
from graft.client.audit_calls import AuditFilter
from graft.client.audit_chain import Head, verify_lines
from graft.client.course_models import Course, Judgement, LogLine, LogPage, Snapshot
from graft.client.errors import (
    ApiError,
    ConflictError,
    GoneError,
    InvalidError,
    LimitReachedError,
    NotAllowedError,
    NotAuthenticatedError,
    NotFoundError,
    UnavailableError,
    UnreachableError,
)
from graft.client.flow import Patience
from graft.client.models import (
    Artifact,
    Dataset,
    DatasetProblem,
    Event,
    Job,
    JobError,
    JobProgress,
    Model,
    PlannedJob,
    Step,
    Upload,
)
from graft.client.preview_models import (
    Preview,
    PreviewDuplicates,
    PreviewImage,
    PreviewPair,
    PreviewSentence,
    PreviewSheet,
    PreviewTiles,
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
    "ConflictError",
    "Course",
    "Dataset",
    "DatasetProblem",
    "Delivery",
    "Event",
    "GoneError",
    "Head",
    "Health",
    "House",
    "InvalidError",
    "Job",
    "JobError",
    "JobProgress",
    "Judgement",
    "Key",
    "Limit",
    "LimitReachedError",
    "LogLine",
    "LogPage",
    "Me",
    "Model",
    "NewKey",
    "NewWebhook",
    "NotAllowedError",
    "NotAuthenticatedError",
    "NotFoundError",
    "Page",
    "Patience",
    "Person",
    "PlannedJob",
    "Preview",
    "PreviewDuplicates",
    "PreviewImage",
    "PreviewPair",
    "PreviewSentence",
    "PreviewSheet",
    "PreviewTiles",
    "Queue",
    "Snapshot",
    "Step",
    "UnavailableError",
    "UnreachableError",
    "Upload",
    "Used",
    "Webhook",
    "Worker",
    "WorkerStep",
    "verify_lines",
]
