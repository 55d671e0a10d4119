"""Graft's Python client and command line.

    from graft import Client

    with Client("http://127.0.0.1:8471", key="graft_…") as client:
        dataset = client.datasets.wait(client.datasets.upload("lesions.zip"))
        job = client.jobs.wait(client.jobs.submit({"dataset_id": dataset.id}))
        client.artifacts.download_all(job, "out")

``AsyncClient`` has the same calls, awaited. What the service answers is a typed model; what it
refuses is an ``ApiError`` with a code, a sentence and a hint.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gan_core.spec.errors import GraftError
    from gan_core.spec.images import ImagesSpec
    from gan_core.spec.job import JobSpec
    from graft.client import ApiError, AsyncClient, Client

__all__ = ["ApiError", "AsyncClient", "Client", "GraftError", "ImagesSpec", "JobSpec"]

_HOMES = {
    "ApiError": "graft.client",
    "AsyncClient": "graft.client",
    "Client": "graft.client",
    "GraftError": "gan_core.spec.errors",
    "ImagesSpec": "gan_core.spec.images",
    "JobSpec": "gan_core.spec.job",
}


def __getattr__(name: str) -> Any:
    # Loaded when asked for: `graft --help` should not wait for an HTTP library.
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
