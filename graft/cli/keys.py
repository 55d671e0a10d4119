"""``graft keys``."""

# Typer calls commands with keywords.

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from graft.cli.connecting import JsonOption, asks_service, connect
from graft.cli.saying import CursorOption, LimitOption

if TYPE_CHECKING:
    from graft.client import NewKey

app = typer.Typer(no_args_is_help=True, help="Make, rotate and revoke API keys.")


@app.command()
@asks_service
def create(
    name: str,
    scope: Annotated[
        list[str] | None,
        typer.Option("--scope", help="reader, researcher or admin; repeatable."),
    ] = None,
    expires: Annotated[
        datetime | None, typer.Option(help="When it ends (UTC); default: never.")
    ] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option(help="NAME=NUMBER, lower than the workspace's; repeatable."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key and print it; it is never shown again."""
    from graft.cli.saying import in_utc, read_limits

    with connect() as client:
        key = client.keys.create(
            name, scopes=scope, expires_at=in_utc(expires), limits=read_limits(limit) or None
        )
    _show_new(key, as_json=as_json)


@app.command("list")
@asks_service
def list_(
    limit: LimitOption = 20, cursor: CursorOption = None, as_json: JsonOption = False
) -> None:
    """List keys, the newest first, revoked ones included."""
    from graft.cli.saying import say_json, say_more, when
    from graft.cli.tables import plain_table

    with connect() as client:
        page = client.keys.list(limit=limit, cursor=cursor)
    if as_json:
        say_json(page)
        return
    rows = [
        [
            k.id,
            k.name,
            ", ".join(k.scopes),
            when(k.last_used_at),
            "revoked" if k.revoked_at else when(k.expires_at),
        ]
        for k in page.items
    ]
    plain_table(["id", "name", "scopes", "last used", "ends"], rows)
    say_more(page)


@app.command()
@asks_service
def show(key_id: str, as_json: JsonOption = False) -> None:
    """Show what is known of a key; never the key itself."""
    from graft.cli.saying import say_json
    from graft.cli.tables import plain_table

    with connect() as client:
        key = client.keys.get(key_id)
    if as_json:
        say_json(key)
        return
    plain_table(["", ""], [[n, str(v)] for n, v in key.model_dump(mode="json").items() if v])


@app.command()
@asks_service
def rotate(
    key_id: str,
    overlap_hours: Annotated[
        float, typer.Option(min=0, max=168, help="How long the old one works on.")
    ] = 24.0,
    as_json: JsonOption = False,
) -> None:
    """Make a key that replaces this one, and print it; it is never shown again."""
    with connect() as client:
        key = client.keys.rotate(key_id, overlap_seconds=round(3600 * overlap_hours))
    _show_new(key, as_json=as_json)


@app.command()
@asks_service
def revoke(key_id: str, as_json: JsonOption = False) -> None:
    """Make a key worthless, at once and for good."""
    from graft.cli.saying import say_done

    with connect() as client:
        client.keys.revoke(key_id)
    say_done(key_id, "revoked", as_json=as_json)


def _show_new(key: NewKey, *, as_json: bool) -> None:
    from graft.cli.saying import say_json

    if as_json:
        say_json(key)
        return
    typer.echo(f"{key.id}: store this key now, it is not shown again", err=True)
    typer.echo(key.key)
