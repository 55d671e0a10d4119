"""``graft limits``."""

# Typer calls commands with keywords.

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from graft.cli.connecting import DataDirOption, JsonOption, asks_service, connect

if TYPE_CHECKING:
    from graft.client import Limit

app = typer.Typer(no_args_is_help=True, help="How much may be used, and how much was.")


@app.command()
@asks_service
def show(
    as_json: JsonOption = False,
) -> None:
    """Show the limits of this key and its workspace, and what is left."""
    from graft.cli.saying import say_json

    with connect() as client:
        limits = client.limits.get()
    if as_json:
        say_json(limits)
        return
    _show(limits)


@app.command()
@asks_service
def lower(
    limits: Annotated[
        list[str], typer.Argument(help="NAME=NUMBER, or NAME=none to take that back.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Lower limits of the workspace; for its administrators."""
    from graft.cli.saying import read_limits, say_json

    with connect() as client:
        found = client.limits.lower(read_limits(limits))
    if as_json:
        say_json(found)
        return
    _show(found)


def _show(limits: list[Limit]) -> None:
    from graft.cli.tables import plain_table

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
@asks_service
def usage(
    first: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day (UTC).")
    ] = None,
    last: Annotated[
        datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day (UTC).")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what the workspace has used, by day and kind; to administrators also by whom."""
    from graft.cli.saying import say_json
    from graft.cli.tables import plain_table

    with connect() as client:
        used = client.limits.usage(first and first.date(), last and last.date())
    if as_json:
        say_json(used)
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
