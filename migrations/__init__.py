"""The database's schema, version by version (Alembic), carried inside the package."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config


def upgrade(database_url: str) -> None:
    """Bring a database to the newest version. Does nothing when it is there already.

    Two that start at once wait for each other.

    Args:
        database_url: ``sqlite:///…`` or ``postgresql://…``.
    """
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["database_url"] = database_url
    command.upgrade(config, "head")
