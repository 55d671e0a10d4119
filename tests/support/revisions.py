"""The versions of the schema, and going from one to another."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

import migrations


def all_revisions() -> list[str]:
    """The revisions, the oldest first."""
    scripts = ScriptDirectory.from_config(_config(""))
    return [script.revision for script in scripts.walk_revisions()][::-1]


def upgrade_to(url: str, revision: str) -> None:
    command.upgrade(_config(url), revision)


def downgrade_to(url: str, revision: str) -> None:
    command.downgrade(_config(url), revision)


def _config(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.attributes["database_url"] = url
    return config
