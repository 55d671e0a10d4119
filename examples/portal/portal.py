"""A small hospital portal that has Graft make synthetic images. Read README.md first.

It uses plain HTTP, so that it can be written again in any language. A portal in Python may use
``graft.AsyncClient`` instead, which does by itself what ``graft_service.py`` does here.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import FileResponse
from graft_service import GraftService, RefusedError
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from studies import Studies, Study

log = logging.getLogger("portal")
FINAL = {"succeeded", "failed", "cancelled"}
LARGEST_MESSAGE = 100_000


class Portal:
    """What the portal knows, and who follows its studies.

    Args:
        studies: Where it is kept.
        graft: The service.
        secret: Of the webhook, ``whsec_…``.
        folder: Where the zips go.
        fallback_seconds: How often a study is looked at though no message came. Messages may be
            late or lost, so nothing relies on them alone.
    """

    def __init__(
        self,
        studies: Studies,
        graft: GraftService,
        secret: str,
        folder: Path,
        fallback_seconds: float = 60.0,
    ) -> None:
        self.studies = studies
        self.graft = graft
        self.verifier = Webhook(secret)
        self.folder = folder
        self.fallback_seconds = fallback_seconds
        self._awake: dict[str, asyncio.Event] = {}
        self._followers: set[asyncio.Task[None]] = set()

    def start(self, spec: dict[str, Any]) -> Study:
        """Note a study, then see to it: what is not written down is lost in a crash."""
        study = self.studies.add(spec)
        self.follow(study.id)
        return study

    def follow(self, study_id: str) -> None:
        """See to a study in the background, until it is over."""
        self._awake[study_id] = asyncio.Event()
        task = asyncio.create_task(self._see_to(study_id))
        self._followers.add(task)
        task.add_done_callback(self._followers.discard)

    async def stop(self) -> None:
        """End all followers; the next start goes on with what they did."""
        for task in list(self._followers):
            task.cancel()
        await asyncio.gather(*self._followers, return_exceptions=True)

    def hear(self, body: bytes, headers: dict[str, str]) -> bool:
        """Take a message; say whether it is a new one.

        Raises:
            WebhookVerificationError: It is not signed with our secret, or is older than 5 minutes.
        """
        message = self.verifier.verify(body, headers)
        # At least once means sometimes twice: the id tells.
        if not self.studies.is_new_message(headers["webhook-id"]):
            return False
        # It says what changed, and nothing else. How things stand, the API says.
        study_id = self.studies.of_job(message["data"]["id"])
        if study_id in self._awake:
            self._awake[study_id].set()
        return True

    async def _see_to(self, study_id: str) -> None:
        while True:
            try:
                pause = await self._step(self.studies.get(study_id))
            except RefusedError as error:
                log.warning("study %s: %s", study_id, error)
                self.studies.change(study_id, status="failed", problem=str(error))
                return
            except Exception:  # whatever it is: a portal that stops following helps nobody
                log.exception("study %s: trying again", study_id)
                pause = self.fallback_seconds
            if pause is None:
                return
            await self._until_woken(study_id, pause)

    async def _step(self, study: Study) -> float | None:
        """Do what comes next; return the seconds until something may be new, None: it is over."""
        if study.job_id is None:
            # The study's id is the idempotency key: sent twice, it is one job all the same.
            made, pause = await self.graft.submit(study.spec, idempotency_key=study.id)
            self.studies.change(study.id, job_id=made["id"], status=made["status"])
            return pause
        job, etag, pause = await self.graft.look(study.job_id, study.etag)
        if job is not None:  # None: a 304, nothing has changed
            changes = {"etag": etag, "progress": job["progress"]["fraction"]}
            if job["status"] not in FINAL:
                self.studies.change(study.id, status=job["status"], **changes)
                return max(pause, self.fallback_seconds)
            if job["status"] != "succeeded":
                detail = (job["error"] or {}).get("detail", job["status"])
                self.studies.change(study.id, status="failed", problem=detail, **changes)
                return None
            path = self.folder / f"{study.id}.zip"
            sha256 = await self.graft.fetch_zip(study.job_id, path)
            # Only now: a crash in the download begins that anew, with the old ETag.
            self.studies.change(study.id, status="ready", path=str(path), sha256=sha256, **changes)
            return None
        return max(pause, self.fallback_seconds)

    async def _until_woken(self, study_id: str, seconds: float) -> None:
        awake = self._awake[study_id]
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(awake.wait(), seconds)
        awake.clear()


def make_app(portal: Portal) -> FastAPI:
    """Return the portal as a web application."""

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        for study in portal.studies.unfinished():
            portal.follow(study.id)
        yield
        await portal.stop()
        await portal.graft.close()
        portal.studies.close()

    app = FastAPI(title="A portal", lifespan=life)

    @app.post("/studies", status_code=202)
    async def start(spec: dict[str, Any]) -> dict[str, Any]:
        """Start a study; the body is a job's spec."""
        return portal.start(spec).shown()

    @app.get("/studies/{study_id}")
    async def show(study_id: str) -> dict[str, Any]:
        """Show how a study stands."""
        return known(study_id).shown()

    @app.get("/studies/{study_id}/zip")
    async def download(study_id: str) -> FileResponse:
        """Hand out the synthetic images, which were verified when they came."""
        study = known(study_id)
        if study.path is None:
            raise HTTPException(409, "The study is not ready.")
        return FileResponse(study.path, media_type="application/zip")

    @app.post("/graft")
    async def hear(request: Request) -> Response:
        """Take a message of Graft's. Whoever reaches this address can send one: verify first."""
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > LARGEST_MESSAGE:
                raise HTTPException(413)
        try:
            is_new = portal.hear(bytes(body), dict(request.headers))
        except (WebhookVerificationError, ValueError, KeyError):
            # No word on what was wrong: that would help only who tries.
            raise HTTPException(401) from None
        return Response(status_code=204 if is_new else 200)

    def known(study_id: str) -> Study:
        try:
            return portal.studies.get(study_id)
        except KeyError:
            raise HTTPException(404) from None

    return app


def from_environment() -> FastAPI:
    """Return the application as the variables of README.md say."""
    logging.basicConfig(level=logging.INFO)
    # httpx's own lines would hold addresses of signed downloads.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    folder = Path(os.environ.get("PORTAL_DIR", "portal-data"))
    folder.mkdir(parents=True, exist_ok=True)
    portal = Portal(
        Studies(folder / "portal.db"),
        GraftService(os.environ["GRAFT_URL"], os.environ["GRAFT_API_KEY"]),
        os.environ["WEBHOOK_SECRET"],
        folder,
        float(os.environ.get("PORTAL_FALLBACK_SECONDS", "60")),
    )
    return make_app(portal)
