"""``graft keys``."""

from __future__ import annotations

from typing import Annotated

import typer

from graft.cli.connecting import DataDirOption, JsonOption, KeyFileOption, UrlOption, connect

app = typer.Typer(no_args_is_help=True, help="Make and revoke API keys.")


@app.command()
def create(
    name: str,
    scope: Annotated[
        list[str] | None, typer.Option("--scope", help="What it may do; repeatable.")
    ] = None,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Make a key and print it; it is never shown again."""
    with connect(url, key_file, data_dir) as client:
        key = client.keys.create(name, scopes=scope)
    typer.echo(f"{key.id}: store this key now, it is not shown again", err=True)
    typer.echo(key.key)


@app.command("list")
def list_(
    limit: Annotated[int, typer.Option(min=1, max=100)] = 20,
    as_json: JsonOption = False,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """List keys."""
    from graft.cli.tables import plain_table

    with connect(url, key_file, data_dir) as client:
        page = client.keys.list(limit=limit)
    if as_json:
        typer.echo(page.model_dump_json(indent=1))
        return
    plain_table(["id", "name", "scopes"], [[k.id, k.name, ", ".join(k.scopes)] for k in page.items])


@app.command()
def revoke(
    key_id: str,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Make a key worthless."""
    with connect(url, key_file, data_dir) as client:
        client.keys.revoke(key_id)
    typer.echo(f"{key_id} is revoked")
