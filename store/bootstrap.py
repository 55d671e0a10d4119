"""The first start: a workspace, and an administrator's key in a file that only its owner reads."""

from __future__ import annotations

from sqlalchemy import select

from gan_core.spec.errors import GraftError
from store.columns import new_id
from store.database import Database
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
        The key's text, which is also written to ``DIR/admin.key`` (mode 600); null when there
        are keys already.

    Raises:
        GraftError: ``admin_key_exists`` when the file is there but the database knows no key.
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
        row, text = KeyRepository(session, workspace.id).add(
            "first administrator", ["admin"], settings.secret_key.get_secret_value()
        )
        AuditTrail(session, workspace.id).append("system", "key.create", row.id)
        try:
            # Inside the transaction: a key that nobody can read must not be committed.
            write_private(settings.data_dir / ADMIN_KEY_FILE, text + "\n")
        except FileExistsError as error:
            raise GraftError(
                "admin_key_exists",
                f"The data directory holds a file {ADMIN_KEY_FILE}, but the database has no key.",
                "It belongs to another database. Move it away, or set GRAFT_DATABASE_URL to the"
                " database that it belongs to.",
            ) from error
        return text
