"""From what a token says to who is asking: a workspace, the roles there, and an id."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import unquote

import structlog
from sqlalchemy.exc import DBAPIError, IntegrityError

from api.problems import Problem
from store.access_tables import Principal
from store.columns import utc_now
from store.database import Database
from store.identity_settings import IdentitySettings
from store.repositories import AuditTrail, Identity
from store.repositories.principals import PrincipalRepository
from store.repositories.workspaces import workspaces_named
from store.tables import Workspace

if TYPE_CHECKING:
    from api.oidc.tokens import Claims

_TOUCH_AFTER = timedelta(minutes=1)
_log = structlog.get_logger("api")


def identify(
    database: Database, settings: IdentitySettings, claims: Claims, wanted: str | None
) -> Identity:
    """Return who is asking.

    Args:
        database: In which whoever comes for the first time is written down.
        settings: What the groups allow.
        claims: Of a token that was checked.
        wanted: The workspace that the request names, by its name or id; null: none.

    Raises:
        Problem: 403 ``no_workspace``, ``workspace_denied`` or ``workspace_unclear``.
    """
    roles = settings.roles_of(claims.groups)
    with database.read() as session:
        workspace = _chosen(workspaces_named(session, roles), wanted)
        people = PrincipalRepository(session, workspace.id)
        person = people.find(claims.issuer, claims.subject)
    if person is None:
        person = _welcome(database, workspace, claims)
    elif person.last_seen_at is None or utc_now() - person.last_seen_at > _TOUCH_AFTER:
        _touch(database, person, claims.name)
    return Identity(
        workspace.id,
        person.id,
        roles[workspace.name],
        person.last_seen_at,
        kind="person",
        name=claims.name,
        expires_at=claims.expires_at,
    )


def is_named(workspace: Workspace, wanted: str) -> bool:
    """Say whether a ``Graft-Workspace`` header means this workspace.

    Names that are not ASCII come percent-encoded as UTF-8 (RFC 3986, 2.1).
    """
    return wanted == workspace.id or workspace.name in {wanted, unquote(wanted)}


def denied() -> Problem:
    """Return the answer to a workspace that is not there for whoever asks, or not at all."""
    return Problem(
        403,
        "workspace_denied",
        "You have no access to the workspace that `Graft-Workspace` names.",
        "GET /v1/me without that header says where you are, or among which you can choose.",
    )


def _chosen(workspaces: Sequence[Workspace], wanted: str | None) -> Workspace:
    if not workspaces:
        raise Problem(
            403,
            "no_workspace",
            "None of your groups has access to a workspace here.",
            "Ask the operator of the service, or the administrator of your groups.",
        )
    if wanted is not None:
        for workspace in workspaces:
            if is_named(workspace, wanted):
                return workspace
        raise denied()
    if len(workspaces) > 1:
        raise Problem(
            403,
            "workspace_unclear",
            "Your groups have access to several workspaces.",
            "Name one of `workspaces` in the header `Graft-Workspace`, by name or id.",
            workspaces=[{"id": w.id, "name": w.name} for w in workspaces],
        )
    return workspaces[0]


def _welcome(database: Database, workspace: Workspace, claims: Claims) -> Principal:
    try:
        with database.write() as session:
            people = PrincipalRepository(session, workspace.id)
            row = people.add(claims.issuer, claims.subject, claims.name)
            trail = AuditTrail(session, workspace.id)
            trail.append(row.id, "person.enter", row.id, {"issuer": claims.issuer})
            return row
    except IntegrityError:
        # Another request of the same person was faster.
        with database.read() as session:
            found = PrincipalRepository(session, workspace.id).find(claims.issuer, claims.subject)
            if found is None:
                raise
            return found


def _touch(database: Database, person: Principal, name: str) -> None:
    """Note that somebody came; where nothing can be written, one may still look."""
    try:
        with database.write() as session:
            PrincipalRepository(session, person.workspace_id).touch(person.id, name)
    except DBAPIError as error:
        _log.warning("person_not_touched", kind=type(error.orig).__name__)
