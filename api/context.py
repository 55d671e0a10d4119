"""What every endpoint works with."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Annotated, Self

import structlog
from fastapi import BackgroundTasks, Depends, Request

from api.datasets.looks import Looks
from api.limits.gate import Gate
from store.database import Database
from store.doorbell import Doorbell
from store.objects import Objects
from store.outbox import relay_outbox
from store.removals import remove_spent_uploads
from store.settings import Settings

if TYPE_CHECKING:
    from api.oidc.tokens import TokenChecker

API_VERSION = "1.0"
_log = structlog.get_logger("api")


@dataclass(frozen=True)
class Context:
    """The settings, and the store's parts that they name."""

    settings: Settings
    database: Database
    objects: Objects
    doorbell: Doorbell
    streams: Counter[str] = field(default_factory=Counter, compare=False)
    """Streams of events that are open in this process, by workspace; of the event loop alone."""
    looks: Looks = field(default_factory=Looks, compare=False)
    """Who has looked at pictures of which data set of late."""

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Return the context that prepared settings describe."""
        return cls(
            settings,
            Database.from_settings(settings),
            Objects.from_settings(settings),
            Doorbell(settings),
        )

    @cached_property
    def weights_sha256(self) -> str | None:
        """Digest of the operator's own upscaler weights, read once; GraftError when unreadable."""
        return self.settings.realesrgan_weights_sha256()

    @cached_property
    def gate(self) -> Gate:
        """What counts requests."""
        return Gate(self.settings, self.database)

    @cached_property
    def tokens(self) -> TokenChecker | None:
        """What checks people's tokens; null while no issuer is set, and then nothing is loaded."""
        if self.settings.oidc_issuer is None:
            return None
        from api.oidc.tokens import TokenChecker

        return TokenChecker(self.settings)

    @property
    def pepper(self) -> str:
        """The secret that the API keys' digests are made with."""
        if self.settings.secret_key is None:
            raise ValueError("prepare the settings first")
        return self.settings.secret_key.get_secret_value()

    def ring_after(self, tasks: BackgroundTasks) -> None:
        """Ring the doorbell once the answer is sent: a silent broker delays nobody."""
        tasks.add_task(self.ring)

    def remove_uploads_after(self, tasks: BackgroundTasks) -> None:
        """Delete what was uploaded and no worker will read, once the answer is sent.

        A worker's cleaning would do it too, but not where no worker runs.
        """
        tasks.add_task(self._remove_uploads)

    def _remove_uploads(self) -> None:
        try:
            remove_spent_uploads(self.database, self.objects)
        except Exception:  # noqa: BLE001  # the next cleaning tries again
            _log.exception("uploads_not_removed")

    def ring(self) -> None:
        """Ring the doorbell now, for whoever waits for what comes of it."""
        try:
            relay_outbox(self.database, self.doorbell)
        except Exception:  # noqa: BLE001  # the sweeper will ring; the request was answered already
            _log.exception("ring_failed")


def context_of(request: Request) -> Context:
    """Return the app's context."""
    context: Context = request.app.state.context
    return context


Ctx = Annotated[Context, Depends(context_of)]


def package_version() -> str:
    """Return the installed version of the package."""
    try:
        return version("graft-gan")
    except PackageNotFoundError:  # run from a source tree that was never installed
        return "0.0.0"
