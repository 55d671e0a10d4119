"""The app: domains, errors, logs and metrics put together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio.to_thread
from fastapi import Depends, FastAPI

from api import health, pages, problems
from api.artifacts import endpoints as artifacts
from api.audit import endpoints as audit
from api.context import API_VERSION, Context
from api.datasets import endpoints as datasets
from api.describing import describe, operation_id
from api.entity_tags import EntityTags
from api.guards import MAX_HEAD_BYTES, HeadLimit, SecurityHeaders, TrustedHosts, cross_origin
from api.jobs import course, log
from api.jobs import endpoints as jobs
from api.keys import endpoints as keys
from api.limits import endpoints as limits
from api.limits.gate import RateLimitFields, admit_anonymous
from api.me import endpoints as me
from api.metrics import Metrics
from api.middleware import JsonLimit, RequestLog
from api.models import endpoints as models
from api.people import endpoints as people
from api.readiness import Probes
from api.session import endpoints as session
from api.session import oidc_endpoints as session_oidc
from api.uploads import endpoints as uploads
from api.webhooks import endpoints as webhooks
from api.webhooks.sender import WebhookSender
from api.workers import endpoints as workers
from store.database import Database
from store.doorbell import Doorbell
from store.objects import Objects
from store.settings import Settings
from store.tracing import NO_TRACING, start_tracing

_MAX_JSON_BYTES = 1024 * 1024
_DOMAINS = (
    *(uploads, jobs, course, log, models, artifacts),
    *(keys, me, people, session, session_oidc),
    *(webhooks, limits, audit, workers),
)
_THREADS = 200
_DESCRIPTION = (
    "Trains GANs on your own images, makes synthetic images of the rare class, and says honestly"
    " whether they help a classifier. Every error is a problem document (RFC 9457). Ids are"
    " opaque. Lists take `limit` and `cursor`."
)


def create_app(
    settings: Settings,
    *,
    database: Database | None = None,
    objects: Objects | None = None,
    doorbell: Doorbell | None = None,
    sends_webhooks: bool = False,
) -> FastAPI:
    """Return the app.

    Args:
        settings: As ``store.settings.prepare`` returned them.
        database: Migrated; null: the one that the settings name.
        objects: Null: the store that the settings name.
        doorbell: Null: the broker that the settings name.
        sends_webhooks: Whether this process also delivers what is due to webhooks, of all
            processes together. Any number may.
    """
    context = Context(
        settings,
        database or Database.from_settings(settings),
        objects or Objects.from_settings(settings),
        doorbell or Doorbell(settings),
    )
    sender = WebhookSender.from_settings(settings, context.database) if sends_webhooks else None

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        # Writers wait in a row; they must not have all threads while others only want to look.
        anyio.to_thread.current_default_thread_limiter().total_tokens = _THREADS
        if sender is not None:
            sender.start()
        yield
        if sender is not None:
            await asyncio.to_thread(sender.stop)
        context.gate.close()
        context.doorbell.close()
        context.database.dispose()
        app.state.tracing.close()

    app = assemble(settings, lifespan=lifespan)
    app.state.context = context
    app.state.metrics.watch(context)
    app.state.probes = Probes(context)
    app.state.tracing = start_tracing(settings, "graft-api")
    return app


def assemble(settings: Settings | None = None, **options: Any) -> FastAPI:
    """Return the app without what it works on, from which ``/openapi.json`` can be made.

    Args:
        settings: Of names, origins and the like; null: the defaults.
        options: Arguments of ``FastAPI``.
    """
    settings = settings or Settings.model_construct()
    metrics = Metrics()
    app = FastAPI(
        title="Graft",
        version=API_VERSION,
        description=_DESCRIPTION,
        # The framework's own page loads scripts from elsewhere: see api.pages.
        docs_url=None,
        redoc_url=None,
        separate_input_output_schemas=False,
        # A redirect would name a host that the client chose, and lose the body of an upload.
        redirect_slashes=False,
        generate_unique_id_function=operation_id,
        **options,
    )
    app.state.metrics = metrics
    app.state.tracing = NO_TRACING
    problems.install(app)
    app.add_middleware(JsonLimit, max_bytes=_MAX_JSON_BYTES, uploads=datasets.router.prefix)
    app.add_middleware(RateLimitFields)
    app.add_middleware(EntityTags)
    app.add_middleware(TrustedHosts, names=settings.trusted_hosts)
    app.add_middleware(HeadLimit, max_bytes=MAX_HEAD_BYTES)
    app.add_middleware(RequestLog, metrics=metrics)
    # Added last, so they are the outermost: what the log answers itself carries them, too.
    app.add_middleware(SecurityHeaders, hsts_seconds=settings.hsts_seconds)
    app.add_middleware(cross_origin, origins=settings.cors_origins)
    limited = problems.described(429)
    # These two count their own bytes.
    app.include_router(datasets.router, responses=limited)
    app.include_router(uploads.parts_router, responses=limited)
    for domain in _DOMAINS:
        app.include_router(domain.router, max_body_size=_MAX_JSON_BYTES, responses=limited)
    app.include_router(health.router, max_body_size=_MAX_JSON_BYTES)
    app.include_router(pages.assets, max_body_size=_MAX_JSON_BYTES)
    app.include_router(
        pages.router, max_body_size=_MAX_JSON_BYTES, dependencies=[Depends(admit_anonymous)]
    )
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = describe(plain())
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
    return app
