"""``graft workspaces``: what the operator does on the database itself, without a key."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from graft.cli.connecting import DataDirOption, JsonOption

if TYPE_CHECKING:
    from store.database import Database
    from store.settings import Settings

app = typer.Typer(
    no_args_is_help=True,
    help="Make and list workspaces. For the operator: works on the database that GRAFT_…"
    " variables or --data-dir name, not over the API.",
)


@app.command()
def create(name: str, data_dir: DataDirOption = None) -> None:
    """Make a workspace, and print its first administrator's key; it is never shown again."""
    from store.bootstrap import create_workspace

    with _operating(data_dir) as (database, settings):
        workspace, key = create_workspace(database, settings, name)
    typer.echo(f"{workspace.id}: store this key now, it is not shown again", err=True)
    typer.echo(key)


@app.command("list")
def list_(as_json: JsonOption = False, data_dir: DataDirOption = None) -> None:
    """List every workspace, the oldest first."""
    from graft.cli.tables import plain_table
    from store.repositories.workspaces import all_workspaces

    with _operating(data_dir) as (database, _settings), database.read() as session:
        rows = [[w.id, w.name, w.created_at.isoformat()] for w in all_workspaces(session)]
    columns = ["id", "name", "created_at"]
    if as_json:
        typer.echo(json.dumps([dict(zip(columns, row, strict=True)) for row in rows], indent=1))
        return
    plain_table(columns, rows)


@app.command("new-key")
def new_key(name: str, data_dir: DataDirOption = None) -> None:
    """Make an administrator's key for a workspace whose own ones are lost, and print it."""
    from store.bootstrap import create_admin_key

    with _operating(data_dir) as (database, settings):
        key_id, key = create_admin_key(database, settings, name)
    typer.echo(f"{key_id}: store this key now, it is not shown again", err=True)
    typer.echo(key)


@contextmanager
def _operating(data_dir: Path | None) -> Iterator[tuple[Database, Settings]]:
    """Open the database that the settings name; never make one.

    Raises:
        GraftError: ``no_database``, ``secret_missing`` or ``database_unavailable``.
    """
    from sqlalchemy.exc import DBAPIError

    from gan_core.spec.errors import GraftError
    from graft.cli.service import make_settings
    from store.database import Database
    from store.settings import SECRET_FILE, Settings, keep_files_private, prepare

    keep_files_private()
    settings = make_settings(Settings, {} if data_dir is None else {"data_dir": data_dir})
    folder = settings.data_dir
    if settings.database_url is None and not (folder / "graft.db").is_file():
        raise GraftError(
            "no_database",
            f"There is no database in {str(folder)!r}.",
            "Start the service once, or set GRAFT_DATABASE_URL or --data-dir to where it is.",
        )
    if settings.secret_key is None and not (folder / SECRET_FILE).is_file():
        # A new one would make keys that the service does not know.
        raise GraftError(
            "secret_missing",
            "The secret that the service's keys are made with is not here.",
            "Set GRAFT_SECRET_KEY to what the service has, or --data-dir to its data directory.",
        )
    settings = prepare(settings)
    database = Database.from_settings(settings)
    try:
        yield database, settings
    except DBAPIError as error:
        raise GraftError(
            "database_unavailable",
            "The database does not answer, or was never brought to this version:"
            f" {type(error.orig).__name__}.",
            "Start the service once, which brings it there; or see its operator.",
        ) from error
    finally:
        database.dispose()
