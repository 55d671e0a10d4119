"""What nobody has a key for yet: the first start, further workspaces, a lost last key."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from gan_core.spec.errors import GraftError
from store.database import Database
from store.key_texts import NewKey, known_key, make_key
from store.repositories.audit import AuditTrail
from store.repositories.keys import KeyRepository
from store.repositories.workspaces import add_workspace, workspaces_named
from store.settings import Settings, write_private
from store.tables import ApiKey, Workspace

ADMIN_KEY_FILE = "admin.key"
DEFAULT_WORKSPACE = "default"
OPERATOR = "operator"
"""The actor in the trail when it was whoever runs the service."""
_LONGEST_NAME = 200


def ensure_admin(database: Database, settings: Settings) -> str | None:
    """Make the workspace ``default`` and an administrator's key, if there is no key at all yet.

    Args:
        database: Migrated.
        settings: As ``prepare`` returned them.

    Returns:
        The key's text, which is also written to ``DIR/admin.key`` (mode 600), or was by a start
        that did not come to its end; null when there are keys already.

    Raises:
        GraftError: ``admin_key_exists`` when the file is there but holds no key.
    """
    pepper = _pepper(settings)
    with database.write() as session:
        if session.scalar(select(ApiKey.id).limit(1)) is not None:
            return None
        workspace = session.scalar(select(Workspace).where(Workspace.name == DEFAULT_WORKSPACE))
        if workspace is None:
            workspace = add_workspace(session, DEFAULT_WORKSPACE)
        path = settings.data_dir / ADMIN_KEY_FILE
        made = make_key(pepper)
        try:
            # Inside the transaction: a key that nobody can read must not be committed.
            write_private(path, made.text + "\n")
        except FileExistsError:
            # An earlier start may have ended between the file and the commit.
            made = _left_behind(path, pepper)
        row = KeyRepository(session, workspace.id).keep(made, "first administrator", ["admin"])
        AuditTrail(session, workspace.id).append("system", "key.create", row.id)
        return made.text


def create_workspace(database: Database, settings: Settings, name: str) -> tuple[Workspace, str]:
    """Make another tenant, with an administrator's key of its own.

    Args:
        database: Migrated.
        settings: With the secret of the service.
        name: What no other workspace is called.

    Returns:
        Its row, and the text of the key, which is kept nowhere.

    Raises:
        GraftError: ``workspace_name_invalid`` or ``workspace_exists``.
    """
    # One that reads like an id could be taken for another workspace's.
    if name != name.strip() or not name.isprintable() or not 1 <= len(name) <= _LONGEST_NAME:
        raise _name_invalid()
    if name.startswith("ws_"):
        raise _name_invalid()
    try:
        with database.write() as session:
            workspace = add_workspace(session, name)
            AuditTrail(session, workspace.id).append(OPERATOR, "workspace.create", workspace.id)
            row, text = KeyRepository(session, workspace.id).add(
                "first administrator", ["admin"], _pepper(settings)
            )
            AuditTrail(session, workspace.id).append(OPERATOR, "key.create", row.id)
            return workspace, text
    except IntegrityError as error:
        raise GraftError(
            "workspace_exists",
            f"There is a workspace called {name!r} already.",
            "Choose another name; `graft workspaces list` shows those that are taken.",
        ) from error


def create_admin_key(database: Database, settings: Settings, name: str) -> tuple[str, str]:
    """Make an administrator's key for a workspace whose own ones are lost.

    Returns:
        The key's id, and its text, which is kept nowhere.

    Raises:
        GraftError: ``workspace_unknown``.
    """
    with database.write() as session:
        found = workspaces_named(session, [name])
        if not found:
            raise GraftError(
                "workspace_unknown",
                f"There is no workspace called {name!r}.",
                "`graft workspaces list` shows all of them.",
            )
        keys = KeyRepository(session, found[0].id)
        row, text = keys.add("administrator", ["admin"], _pepper(settings))
        AuditTrail(session, found[0].id).append(OPERATOR, "key.create", row.id)
        return row.id, text


def _pepper(settings: Settings) -> str:
    if settings.secret_key is None:
        raise ValueError("prepare the settings first")
    return settings.secret_key.get_secret_value()


def _name_invalid() -> GraftError:
    return GraftError(
        "workspace_name_invalid",
        f"A workspace's name has 1 to {_LONGEST_NAME} printable characters, no space at its ends,"
        " and does not begin with `ws_`.",
        "Choose another name.",
    )


def _left_behind(path: Path, pepper: str) -> NewKey:
    try:
        made = known_key(path.read_text(encoding="utf-8").strip(), pepper)
    except (OSError, UnicodeDecodeError):
        made = None
    if made is None:
        raise GraftError(
            "admin_key_exists",
            f"The database has no key yet, and the file {ADMIN_KEY_FILE} in the data directory"
            " holds none that could be its first.",
            "Move the file away, or set GRAFT_DATABASE_URL to the database that it belongs to.",
        )
    return made
