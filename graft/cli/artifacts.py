"""``graft artifacts``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from graft.cli.connecting import JsonOption, asks_service, connect

app = typer.Typer(no_args_is_help=True, help="List and download the files that jobs left.")


@app.command("list")
@asks_service
def list_(job_id: str, as_json: JsonOption = False) -> None:
    """List a job's files."""
    from graft.cli.saying import say_json
    from graft.cli.tables import plain_table, size

    with connect() as client:
        found = client.artifacts.list(job_id)
    if as_json:
        say_json(found)
        return
    rows = [
        [a.id, a.kind, a.name, "removed" if a.removed_at else size(a.size), a.sha256[:16]]
        for a in found
    ]
    plain_table(["id", "kind", "name", "size", "SHA-256"], rows)


@app.command()
@asks_service
def show(artifact_id: str, as_json: JsonOption = False) -> None:
    """Show what is known of a file."""
    from graft.cli.saying import say_json
    from graft.cli.tables import size

    with connect() as client:
        found = client.artifacts.get(artifact_id)
    if as_json:
        say_json(found)
        return
    typer.echo(f"{found.id}  {found.name}  {found.kind}  {size(found.size)}  {found.job_id}")
    typer.echo(f"SHA-256: {found.sha256}")


@app.command()
@asks_service
def download(
    artifact_id: str,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="File, or folder to put it in.", show_default="its own name"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Download one file and compare its checksum; what was broken off goes on."""
    from graft.cli.saying import say_json
    from graft.cli.watching import transfer_bars

    with connect() as client, transfer_bars() as bars:
        artifact = client.artifacts.get(artifact_id)
        name = Path(artifact.name).name or artifact.id
        target = Path(name) if out is None else out / name if out.is_dir() else out
        path = client.artifacts.download(artifact, target, on_bytes=bars.of(name))
    if as_json:
        say_json({"path": str(path), "sha256": artifact.sha256, "size": artifact.size})
    else:
        typer.echo(str(path))
