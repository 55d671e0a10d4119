"""What can be done with limits, and what is known of usage. Nothing here commits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from api.limits.counting import Policy
from api.limits.gate import Gate
from api.limits.quotas import Quotas, day_of, month_of
from api.limits.schemas import LimitsRequest, LimitView, UsageView
from api.problems import Problem
from store.clock import now_of
from store.database import FOR_NO_KEY_UPDATE
from store.limits import granted_to
from store.repositories import AuditTrail, Identity, UsageLedger
from store.settings import Settings
from store.tables import Workspace
from store.usage import next_day, next_month


class LimitsService:
    """Limits and usage of the workspace that asks."""

    def __init__(self, session: Session, identity: Identity) -> None:
        self._session = session
        self._identity = identity
        self._ledger = UsageLedger(session, identity.workspace_id)
        self._quotas = Quotas(session, identity)
        self._audit = AuditTrail(session, identity.workspace_id)

    def standing(self, gate: Gate) -> list[LimitView]:
        """Return every limit that holds, and what is left of it."""
        return [*self._requests(gate), *self._kept()]

    def lower(self, settings: Settings, asked: LimitsRequest) -> None:
        """Change what the workspace's administrators have chosen.

        Raises:
            Problem: 422 ``limit_too_high``.
        """
        # Held: of two that change it at once, neither must undo what the other did.
        workspace = self._session.get_one(
            Workspace,
            self._identity.workspace_id,
            with_for_update=FOR_NO_KEY_UPDATE,
            populate_existing=True,
        )
        given = asked.limits.model_dump(exclude_unset=True)
        too_high = granted_to(settings, workspace.limits).workspace.too_high(given)
        if too_high is not None:
            raise _too_high(too_high)
        limits = dict(workspace.limits or {})
        chosen = {**limits.get("chosen", {}), **given}
        limits["chosen"] = {name: most for name, most in chosen.items() if most is not None}
        workspace.limits = limits
        self._session.flush()
        self._audit.append(
            self._identity.key_id, "workspace.limits", workspace.id, {"chosen": given}
        )

    def usage(self, first: date, last: date, *, by_actor: bool) -> list[UsageView]:
        """Return what was used from one day to another, both included."""
        return [
            UsageView(
                day=date.fromisoformat(used.day),
                kind=used.kind,
                actor=used.actor,
                amount=round(used.amount, 3),
            )
            for used in self._ledger.between(first.isoformat(), last.isoformat(), by_actor=by_actor)
        ]

    def _requests(self, gate: Gate) -> Iterator[LimitView]:
        parties = {"key": self._identity.key_id, "workspace": self._identity.workspace_id}
        for scope, limits in self._quotas.by_scope():
            most = limits.requests_per_minute
            if most is None:
                continue
            standing = gate.counter.standing(Policy(scope, parties[scope], most))
            frees_at = now_of(self._session) + timedelta(seconds=standing.seconds)
            yield _view("requests_per_minute", scope, most, most - standing.left, frees_at)

    def _kept(self) -> Iterator[LimitView]:
        now = now_of(self._session)
        for scope, limits in self._quotas.by_scope():
            if (most := limits.upload_bytes_per_day) is not None:
                used = self._quotas.uploaded(scope, now)
                yield _view("upload_bytes_per_day", scope, most, used, next_day(now))
            if (most := limits.unfinished_jobs) is not None:
                seconds = self._quotas.seconds_to_next_end(scope)
                ends = None if seconds is None else now + timedelta(seconds=seconds)
                yield _view("unfinished_jobs", scope, most, self._quotas.unfinished(scope), ends)
            if (most := limits.gpu_minutes_per_day) is not None:
                used = self._quotas.gpu_seconds(scope, now, day_of(now)) / 60
                yield _view("gpu_minutes_per_day", scope, most, used, next_day(now))
            if (most := limits.gpu_minutes_per_month) is not None:
                used = self._quotas.gpu_seconds(scope, now, month_of(now)) / 60
                yield _view("gpu_minutes_per_month", scope, most, used, next_month(now))


def _view(name: Any, scope: Any, most: int, used: float, frees_at: datetime | None) -> LimitView:
    return LimitView(
        name=name,
        scope=scope,
        limit=most,
        used=round(used, 3),
        left=round(max(0.0, most - used), 3),
        frees_at=frees_at,
    )


def refuse_too_high(identity: Identity, limits: Mapping[str, int]) -> None:
    """Refuse limits of a key of which one is higher than its workspace, or any key, may have.

    Raises:
        Problem: 422 ``limit_too_high``.
    """
    if identity.allowance is None:
        return
    name = identity.allowance.workspace.too_high(limits)
    if name is not None:
        raise _too_high(name)


def _too_high(name: str) -> Problem:
    return Problem(
        422,
        "limit_too_high",
        f"`{name}` is higher than the service's operator lets it be.",
        "`GET /v1/limits` shows what holds; only the operator can raise it.",
    )
