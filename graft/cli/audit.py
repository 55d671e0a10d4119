"""``graft audit``."""

# Typer calls commands with keywords.
# ruff: noqa: PLR0917

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from graft.cli.connecting import JsonOption, asks_service, chosen, connect
from graft.cli.saying import CursorOption, in_utc, say_json, say_more

if TYPE_CHECKING:
    from graft.client import Head

app = typer.Typer(no_args_is_help=True, help="Look at the audit trail, and check that it is whole.")


@app.command("list")
@asks_service
def list_(
    limit: Annotated[int, typer.Option(min=1, max=200)] = 20,
    cursor: CursorOption = None,
    after: Annotated[datetime | None, typer.Option("--from", help="From then on (UTC).")] = None,
    before: Annotated[datetime | None, typer.Option("--to", help="Before then (UTC).")] = None,
    oldest_first: Annotated[bool, typer.Option("--oldest-first")] = False,
    action: Annotated[
        str | None, typer.Option(help="Such as artifact.download, or 'artifact.*'.")
    ] = None,
    actor: Annotated[str | None, typer.Option(help="Id of a key or person.")] = None,
    subject: Annotated[str | None, typer.Option(help="Id of a job, data set, …")] = None,
    as_json: JsonOption = False,
) -> None:
    """List who did what, the latest first."""
    from graft.cli.tables import plain_table
    from graft.client import AuditFilter

    wanted = AuditFilter(
        "oldest" if oldest_first else "newest",
        action,
        actor,
        subject,
        in_utc(after),
        in_utc(before),
    )
    with connect() as client:
        page = client.audit.list(wanted, limit=limit, cursor=cursor)
    if as_json:
        say_json(page)
        return
    rows = [
        [str(line.number), line.at[:19], line.actor, line.action, line.subject]
        for line in page.items
    ]
    plain_table(["number", "at (UTC)", "actor", "action", "subject"], rows)
    say_more(page)


@app.command()
@asks_service
def export(
    out: Annotated[Path, typer.Argument(help="File to write, a line of JSON a line.")],
) -> None:
    """Take the whole trail along. That leaves a line in it, too."""
    with connect() as client:
        client.audit.save(out)
    typer.echo(f"the trail is in {out}; check it with: graft audit verify {out}")


@app.command()
@asks_service
def verify(
    file: Annotated[
        Path | None,
        typer.Argument(help="What `graft audit export` wrote.", show_default="the service's trail"),
    ] = None,
    head: Annotated[
        str | None,
        typer.Option(help="NUMBER:HASH as an earlier check has printed it, and you have noted it."),
    ] = None,
    database: Annotated[
        bool,
        typer.Option(
            "--database", help="For operators: read the database of the GRAFT_… settings."
        ),
    ] = False,
    workspace: Annotated[str, typer.Option(help="Whose trail, with --database.")] = "default",
    as_json: JsonOption = False,
) -> None:
    """Check the chain of hashes here, line by line. Exit code 1: it is broken."""
    from graft.client import verify_lines
    from graft.client.audit_chain import head_of

    if file is not None and database:
        raise typer.BadParameter("give a file or --database, not both", param_hint="--database")
    noted = None if head is None else head_of(head)
    if file is not None:
        found = _of_file(file, noted)
    elif database:
        found = _of_database(chosen().data_dir, workspace, noted)
    else:
        with connect() as client:
            found = verify_lines(client.audit.export(), noted)
    if as_json:
        say_json({"number": found.number, "hash": found.hash, "head": str(found)})
        return
    typer.echo(f"the trail is whole: {found.number} lines")
    typer.echo(f"head: {found}")
    typer.echo(
        "Note the head where the service cannot reach it: with --head the next check finds out"
        " whether lines were cut off, or the trail was made anew.",
        err=True,
    )


def _of_file(file: Path, noted: Head | None) -> Head:
    from gan_core.spec.errors import GraftError
    from graft.client import verify_lines

    try:
        with file.open("rb") as lines:
            return verify_lines(lines, noted)
    except OSError as error:
        raise GraftError(
            "cannot_read", f"{str(file)!r} cannot be read: {error.strerror or error}."
        ) from error


def _of_database(data_dir: Path | None, workspace: str, noted: Head | None) -> Head:
    import json

    from sqlalchemy import select

    from gan_core.spec.errors import GraftError
    from graft.cli.service import make_settings
    from graft.client import verify_lines
    from store.database import Database
    from store.repositories.audit import AuditTrail, as_line
    from store.settings import Settings
    from store.tables import Workspace

    settings = make_settings(Settings, {} if data_dir is None else {"data_dir": data_dir})
    opened = Database.from_settings(settings)
    try:
        with opened.read() as session:
            found = session.scalar(select(Workspace.id).where(Workspace.name == workspace))
            if found is None:
                raise GraftError(
                    "workspace_unknown",
                    f"There is no workspace {workspace!r} in that database.",
                    "Name another with --workspace.",
                )
            lines = AuditTrail(session, found).all_lines()
            return verify_lines((json.dumps(as_line(line)) for line in lines), noted)
    finally:
        opened.dispose()
