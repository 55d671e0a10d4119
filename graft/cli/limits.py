"""``graft limits``."""

# Typer calls commands with keywords.
# ruff: noqa: PLR0917

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated

import typer

from graft.cli.connecting import DataDirOption, JsonOption, KeyFileOption, UrlOption, connect

app = typer.Typer(no_args_is_help=True, help="How much may be used, and how much was.")


@app.command()
def show(
    as_json: JsonOption = False,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Show the limits of this key and its workspace, and what is left."""
    from graft.cli.tables import plain_table

    with connect(url, key_file, data_dir) as client:
        limits = client.limits.get()
    if as_json:
        import json

        typer.echo(json.dumps([limit.model_dump(mode="json") for limit in limits], indent=1))
        return
    rows = [
        [
            limit.name,
            limit.scope,
            str(limit.limit),
            f"{limit.left:.0f}",
            "–" if limit.frees_at is None else f"{limit.frees_at:%Y-%m-%d %H:%M}",
        ]
        for limit in limits
    ]
    plain_table(["limit", "of", "most", "left", "frees (UTC)"], rows)


@app.command()
def usage(
    first: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day (UTC).")
    ] = None,
    last: Annotated[
        datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day (UTC).")
    ] = None,
    as_json: JsonOption = False,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Show what the workspace has used, by day and kind; to administrators also by whom."""
    from graft.cli.tables import plain_table

    with connect(url, key_file, data_dir) as client:
        used = client.limits.usage(first and first.date(), last and last.date())
    if as_json:
        import json

        typer.echo(json.dumps([one.model_dump(mode="json") for one in used], indent=1))
        return
    rows = [[one.day, one.kind, one.actor or "all", f"{one.amount:.0f}"] for one in used]
    plain_table(["day", "kind", "actor", "amount"], rows)


@app.command()
def grant(
    workspace: Annotated[str, typer.Argument(help="Name of the workspace.")],
    grants: Annotated[
        list[str] | None,
        typer.Argument(help="NAME=NUMBER, NAME=none (no limit) or NAME=default (the setting's)."),
    ] = None,
    data_dir: DataDirOption = None,
) -> None:
    """For operators: let a workspace use more or less than the settings say.

    It works on the database of the GRAFT_… settings; the service follows within seconds.
    """
    from graft.cli.service import make_settings
    from graft.cli.tables import plain_table
    from store.database import Database
    from store.granting import grant as write_grants
    from store.granting import read_grants
    from store.settings import Settings

    asked = read_grants(grants or [])
    settings = make_settings(Settings, {} if data_dir is None else {"data_dir": data_dir})
    database = Database.from_settings(settings)
    try:
        allowed = write_grants(database, settings, workspace, asked)
    finally:
        database.dispose()
    rows = [
        [name, scope, "none" if most is None else str(most)]
        for scope, limits in allowed.by_scope()
        for name, most in asdict(limits).items()
        if scope == "workspace" or name == "requests_per_minute"
    ]
    plain_table(["limit", "of", "most"], rows)
