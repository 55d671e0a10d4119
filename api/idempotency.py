"""Requests that are carried out once, however often they are sent.

After draft-ietf-httpapi-idempotency-key-header. A request with an ``Idempotency-Key`` is first
reserved in a transaction of its own, and its answer is written by the very transaction that does
the work: a process that dies leaves both or neither, and its reservation lapses. A request that
fails has done nothing, so it leaves its key free.

An endpoint takes the dependency ``Once``, and does its work in a function of a session::

    @router.post("", status_code=201, response_model=KeyView, responses=described(409, 413))
    def create(once: Once, ctx: Ctx, who: Admin, asked: KeyRequest) -> Response:
        def work(session: Session) -> Made:
            row = KeyService(session, who).create(asked)
            headers = {"Location": f"/v1/keys/{row.id}"}
            return Made(KeyView.of(row), 201, headers, subject=row.id)

        return once.carry_out(who, asked, work).response
"""

from __future__ import annotations

import hashlib
import json
import math
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends, Header, Request, Response
from pydantic import BaseModel
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session

from api.context import Context, Ctx
from api.problems import Problem
from store.access_tables import IdempotentRequest
from store.repositories import Identity
from store.repositories.idempotency import IdempotentRequests
from store.sealing import Seal

LOCK_SECONDS = 60.0
"""After which an attempt counts as dead. One that is only slow is fenced by its token."""
_LONGEST_WAIT = 5
_SEALED = "sealed:"

IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=255,
        description="Any string of your own, a UUID for example. A request that is sent again with"
        " it is carried out once, and answered as the first time (with the header"
        " `Idempotency-Replayed: true`). It is kept for a week.",
    ),
]


@dataclass(frozen=True)
class Made:
    """What the work made, which is what is answered, now and whenever the request comes again.

    Attributes:
        body: Becomes the body, as JSON.
        status: HTTP status.
        headers: ``Location`` and the like.
        subject: Id of what was made: when it is deleted, the answer is forgotten with it
            (``store.deleting.forgotten``).
        is_replay: Whether it was made by an earlier request, of which older code kept a note.
    """

    body: BaseModel
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    subject: str | None = None
    is_replay: bool = False


@dataclass(frozen=True)
class Outcome:
    """The answer, and whether anything was done for it now."""

    response: Response
    is_new: bool


class OnceOnly:
    """One request, and its ``Idempotency-Key`` if it has one.

    Attributes:
        key: The header's value; null: the request is carried out each time that it comes.
    """

    def __init__(self, ctx: Context, request: Request, key: str | None) -> None:
        self._ctx = ctx
        self._method = request.method
        self._path = request.url.path
        self._query = sorted(request.query_params.multi_items())
        self.key = key

    def carry_out(
        self,
        who: Identity,
        asked: BaseModel | str | None,
        work: Callable[[Session], Made],
        *,
        holds_secret: bool = False,
    ) -> Outcome:
        """Do the work in a transaction, unless the same request was carried out before.

        Args:
            who: Who is asking; keys are the workspace's own.
            asked: The body as it was parsed, or a digest of it. Method, address and query count
                by themselves.
            work: Called once with a transaction, or twice where a row that it points at was
                deleted meanwhile. What it raises is raised, and leaves the key free.
            holds_secret: The answer holds what is shown once. It is kept encrypted, and shown
                again only to whoever was shown it first.

        Raises:
            Problem: 422 ``idempotency_key_reused``; 409 ``request_under_way``, or
                ``answer_unreadable``.
        """
        if self.key is None:
            made = self._work(who, work, None)
            return Outcome(_response(made), is_new=not made.is_replay)
        fingerprint = self._fingerprint(asked, who.key_id if holds_secret else None)
        token = secrets.token_hex(16)
        with self._ctx.database.write() as session:
            found = IdempotentRequests(session, who.workspace_id).reserve(
                self.key, fingerprint, token, LOCK_SECONDS
            )
        if found.state == "reused":
            raise key_reused()
        if found.state == "under_way":
            raise _under_way(found.seconds_left)
        if found.row is not None:
            return Outcome(self._replayed(found.row), is_new=False)
        try:
            made = self._work(who, work, token, holds_secret=holds_secret)
        except Exception:
            self._release(who, token)
            raise
        return Outcome(_response(made), is_new=not made.is_replay)

    def _work(
        self,
        who: Identity,
        work: Callable[[Session], Made],
        token: str | None,
        *,
        holds_secret: bool = False,
    ) -> Made:
        try:
            return self._try(who, work, token, holds_secret=holds_secret)
        except IntegrityError:
            # What it points at was deleted this very moment: the second time finds it missing.
            return self._try(who, work, token, holds_secret=holds_secret)

    def _try(
        self,
        who: Identity,
        work: Callable[[Session], Made],
        token: str | None,
        *,
        holds_secret: bool,
    ) -> Made:
        with self._ctx.database.write() as session:
            made = work(session)
            if self.key is None or token is None:
                return made
            body = made.body.model_dump_json()
            is_kept = IdempotentRequests(session, who.workspace_id).answer(
                self.key,
                token,
                subject=made.subject,
                status_code=made.status,
                headers=dict(made.headers),
                body=_SEALED + self._seal().close(body) if holds_secret else body,
            )
            if not is_kept:  # it took so long that another attempt was let in; nothing is committed
                raise _under_way(LOCK_SECONDS)
        return made

    def _release(self, who: Identity, token: str) -> None:
        if self.key is None:
            return
        try:
            with self._ctx.database.write() as session:
                IdempotentRequests(session, who.workspace_id).release(self.key, token)
        except SQLAlchemyError:
            pass  # the reservation lapses by itself; what is told is why the work failed

    def _replayed(self, row: IdempotentRequest) -> Response:
        body: str | None = row.body or ""
        if row.body is not None and row.body.startswith(_SEALED):
            body = self._seal().open(row.body.removeprefix(_SEALED))
        if body is None or row.status_code is None:
            raise Problem(
                409,
                "answer_unreadable",
                "The request was carried out, and its answer cannot be shown again: the service's"
                " secret has been changed since.",
                "Look at the list of what it makes, and send a new Idempotency-Key for another.",
            )
        headers = {"Idempotency-Replayed": "true"} | (row.headers or {})
        return Response(body, row.status_code, headers, "application/json")

    def _seal(self) -> Seal:
        return Seal(self._ctx.pepper, "idempotent answers")

    def _fingerprint(self, asked: BaseModel | str | None, actor: str | None) -> str:
        if isinstance(asked, BaseModel):
            # As it was sent: what a later version fills in may differ.
            sent = asked.model_dump(mode="json", exclude_unset=True)
            asked = json.dumps(sent, sort_keys=True)
        line: list[Any] = [self._method, self._path, self._query, asked, actor]
        return hashlib.sha256(json.dumps(line).encode()).hexdigest()


def _once(request: Request, ctx: Ctx, idempotency_key: IdempotencyKey = None) -> OnceOnly:
    return OnceOnly(ctx, request, idempotency_key)


Once = Annotated[OnceOnly, Depends(_once)]


def key_reused() -> Problem:
    """Return the answer for an idempotency key that was sent with another request."""
    return Problem(
        422,
        "idempotency_key_reused",
        "This Idempotency-Key was used for another request.",
        "Use a new key for a new request, and the same only to repeat one.",
    )


def _under_way(seconds_left: float) -> Problem:
    wait = max(1, min(_LONGEST_WAIT, math.ceil(seconds_left)))
    return Problem(
        409,
        "request_under_way",
        "The same request is being carried out at this moment.",
        "Send it again after a moment, with the same Idempotency-Key, for its answer.",
        headers={"Retry-After": str(wait)},
    )


def _response(made: Made) -> Response:
    headers = dict(made.headers)
    if made.is_replay:
        headers["Idempotency-Replayed"] = "true"
    return Response(made.body.model_dump_json(), made.status, headers, "application/json")
