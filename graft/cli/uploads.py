"""``graft uploads``."""

from __future__ import annotations

import typer

from graft.cli.connecting import JsonOption, asks_service, connect
from graft.cli.saying import CursorOption, LimitOption

app = typer.Typer(
    no_args_is_help=True,
    help="Large archives that are on their way; `graft datasets upload` begins them and goes on.",
)


@app.command("list")
@asks_service
def list_(
    limit: LimitOption = 20, cursor: CursorOption = None, as_json: JsonOption = False
) -> None:
    """List uploads in parts, the newest first."""
    from graft.cli.saying import say_json, say_more, when
    from graft.cli.tables import plain_table, size

    with connect() as client:
        page = client.uploads.list(limit=limit, cursor=cursor)
    if as_json:
        say_json(page)
        return
    rows = [
        [u.id, u.status, size(u.size), u.dataset_id or "", when(u.expires_at)] for u in page.items
    ]
    plain_table(["id", "status", "size", "data set", "kept until"], rows)
    say_more(page)


@app.command()
@asks_service
def show(upload_id: str, as_json: JsonOption = False) -> None:
    """Show how much of an upload has arrived."""
    from graft.cli.saying import say_json
    from graft.cli.tables import size

    with connect() as client:
        upload = client.uploads.get(upload_id)
    if as_json:
        say_json(upload)
        return
    there = sum(part.size for part in upload.parts)
    typer.echo(f"{upload.id}  {upload.status}  {size(there)} of {size(upload.size)}")


@app.command()
@asks_service
def delete(upload_id: str, as_json: JsonOption = False) -> None:
    """Break an upload off and delete what has arrived of it."""
    from graft.cli.saying import say_done

    with connect() as client:
        client.uploads.delete(upload_id)
    say_done(upload_id, "deleted", as_json=as_json)
