"""The first start: a workspace, and an administrator's key in a file that only its owner reads."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import select

from gan_core.spec.errors import GraftError
from store.columns import new_id
from store.database import Database
from store.key_texts import NewKey, known_key, make_key
from store.repositories.audit import AuditTrail
from store.repositories.keys import KeyRepository
from store.settings import Settings, write_private
from store.tables import ApiKey, Workspace

ADMIN_KEY_FILE = "admin.key"
DEFAULT_WORKSPACE = "default"


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
    if settings.secret_key is None:
        raise ValueError("prepare the settings first")
    with database.write() as session:
        if session.scalar(select(ApiKey.id).limit(1)) is not None:
            return None
        workspace = session.scalar(select(Workspace).where(Workspace.name == DEFAULT_WORKSPACE))
        if workspace is None:
            workspace = Workspace(id=new_id("ws"), name=DEFAULT_WORKSPACE)
            session.add(workspace)
            session.flush()
        pepper = settings.secret_key.get_secret_value()
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
