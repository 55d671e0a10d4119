"""``graft me`` and ``graft people``."""

from __future__ import annotations

import typer

from graft.cli.connecting import JsonOption, asks_service, connect
from graft.cli.saying import CursorOption, LimitOption

app = typer.Typer(
    no_args_is_help=True, help="Who has come in with a token of the hospital's own sign-in."
)


@asks_service
def me(as_json: JsonOption = False) -> None:
    """Say what the key at hand is, and may do."""
    from graft.cli.saying import say_json, when

    with connect() as client:
        who = client.me()
    if as_json:
        say_json(who)
        return
    ends = "" if who.expires_at is None else f", until {when(who.expires_at)}"
    typer.echo(f"{who.id}  {who.name}: {', '.join(who.scopes)}{ends}")
    typer.echo(f"in the workspace {who.workspace_name} ({who.workspace_id})")


@app.command("list")
@asks_service
def list_(
    limit: LimitOption = 20, cursor: CursorOption = None, as_json: JsonOption = False
) -> None:
    """List people, the newest first."""
    from graft.cli.saying import say_json, say_more, when
    from graft.cli.tables import plain_table

    with connect() as client:
        page = client.people.list(limit=limit, cursor=cursor)
    if as_json:
        say_json(page)
        return
    rows = [[p.id, p.name, p.issuer, when(p.last_seen_at)] for p in page.items]
    plain_table(["id", "name", "issuer", "last seen"], rows)
    say_more(page)


@app.command()
@asks_service
def show(person_id: str, as_json: JsonOption = False) -> None:
    """Show whom the audit trail means by an id."""
    from graft.cli.saying import say_json, when

    with connect() as client:
        person = client.people.get(person_id)
    if as_json:
        say_json(person)
        return
    typer.echo(f"{person.id}  {person.name}")
    typer.echo(f"{person.subject} at {person.issuer}, last seen {when(person.last_seen_at)}")


@app.command("sign-out")
@asks_service
def sign_out(person_id: str, as_json: JsonOption = False) -> None:
    """Sign a person out of every browser, at once."""
    from graft.cli.saying import say_done

    with connect() as client:
        client.people.sign_out(person_id)
    say_done(person_id, "signed out", as_json=as_json)
