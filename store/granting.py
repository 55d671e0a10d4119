"""What an operator does about a workspace's limits, on the database itself."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select

from gan_core.spec.errors import GraftError
from store.database import FOR_NO_KEY_UPDATE, Database
from store.limits import GRANT_NAMES, Allowance, granted_to
from store.repositories.audit import AuditTrail
from store.settings import Settings
from store.tables import Workspace

DEFAULT = "default"
NONE = "none"


def read_grants(words: list[str]) -> dict[str, int | str | None]:
    """Read ``name=number``; ``name=none``: no limit; ``name=default``: the setting's again.

    Raises:
        GraftError: ``grant_unreadable``.
    """
    found: dict[str, int | str | None] = {}
    for word in words:
        name, _, text = word.partition("=")
        is_number = text.isascii() and text.isdecimal() and 1 <= len(text) <= 15 and int(text) > 0
        if name not in GRANT_NAMES or not (is_number or text in {NONE, DEFAULT}):
            raise GraftError(
                "grant_unreadable",
                f"{word[:80]!r} is no limit.",
                f"Write NAME=NUMBER, NAME=none or NAME=default; names: {', '.join(GRANT_NAMES)}.",
            )
        found[name] = None if text == NONE else DEFAULT if text == DEFAULT else int(text)
    return found


def grant(
    database: Database,
    settings: Settings,
    workspace_name: str,
    grants: Mapping[str, int | str | None],
) -> Allowance:
    """Let a workspace use more or less than the settings say; the API follows within seconds.

    Args:
        database: Migrated.
        settings: Of the service.
        workspace_name: Whose limits.
        grants: As ``read_grants`` returns them; what is not named stays.

    Returns:
        What the workspace and each of its keys may use now, before what administrators chose.

    Raises:
        GraftError: ``workspace_unknown``.
    """
    with database.write() as session:
        workspace = session.scalar(
            select(Workspace)
            .where(Workspace.name == workspace_name)
            .with_for_update(key_share=FOR_NO_KEY_UPDATE["key_share"])
        )
        if workspace is None:
            raise GraftError(
                "workspace_unknown",
                f"There is no workspace {workspace_name[:80]!r}.",
                "The first one is called `default`.",
            )
        if grants:
            limits = dict(workspace.limits or {})
            merged = {**limits.get("granted", {}), **grants}
            limits["granted"] = {name: most for name, most in merged.items() if most != DEFAULT}
            workspace.limits = limits
            session.flush()
            AuditTrail(session, workspace.id).append(
                "system", "workspace.grant", workspace.id, {"granted": dict(grants)}
            )
        return granted_to(settings, workspace.limits)
