"""All queries on what belongs to a tenant.

Each repository is made for one workspace and asks for nothing else, so another workspace's id
finds nothing.
"""

from store.repositories.artifacts import ArtifactRepository
from store.repositories.audit import AuditTrail
from store.repositories.datasets import DatasetRepository
from store.repositories.jobs import JobRepository
from store.repositories.keys import Identity, KeyRepository, authenticate
from store.repositories.log_lines import LogRepository
from store.repositories.models import ModelRepository
from store.repositories.sign_ins import SignInRepository
from store.repositories.uploads import UploadRepository
from store.repositories.usage import UsageLedger
from store.repositories.webhooks import WebhookRepository

__all__ = [
    "ArtifactRepository",
    "AuditTrail",
    "DatasetRepository",
    "Identity",
    "JobRepository",
    "KeyRepository",
    "LogRepository",
    "ModelRepository",
    "SignInRepository",
    "UploadRepository",
    "UsageLedger",
    "WebhookRepository",
    "authenticate",
]
