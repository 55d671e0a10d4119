"""What commands print: JSON for programs; moments for people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from pydantic import BaseModel

    from graft.client.answers import Page

LimitOption = Annotated[int, typer.Option(min=1, max=100, help="How many to show.")]
CursorOption = Annotated[
    str | None,
    typer.Option(help="Go on after a page, as it was told at its end.", show_default=False),
]
AfterOption = Annotated[
    datetime | None, typer.Option("--after", help="Only what was made after then (UTC).")
]
BeforeOption = Annotated[
    datetime | None, typer.Option("--before", help="Only what was made before then (UTC).")
]


def say_json(answer: BaseModel | Sequence[BaseModel] | dict[str, Any]) -> None:
    """Print an answer of the service as JSON."""
    import json

    if isinstance(answer, dict):
        typer.echo(json.dumps(answer, indent=1))
    elif isinstance(answer, Sequence):
        typer.echo(json.dumps([one.model_dump(mode="json") for one in answer], indent=1))
    else:
        typer.echo(answer.model_dump_json(indent=1))


def say_done(thing_id: str, what: str, *, as_json: bool) -> None:
    """Print that something was done of which there is nothing else to tell."""
    if as_json:
        say_json({"id": thing_id, "done": what})
    else:
        typer.echo(f"{thing_id} is {what}")


def say_more(page: Page[Any]) -> None:
    """Say how to see the next page, if there is one."""
    if page.next_cursor is not None:
        typer.echo(f"there are more: --cursor {page.next_cursor}", err=True)


def in_utc(moment: datetime | None) -> datetime | None:
    """Return a moment that was given without a time zone as one of UTC."""
    return moment if moment is None or moment.tzinfo else moment.replace(tzinfo=UTC)


def when(moment: datetime | None) -> str:
    """Return a moment for people, in the local time zone."""
    return "" if moment is None else moment.astimezone().strftime("%Y-%m-%d %H:%M")


def read_limits(given: Sequence[str] | None) -> dict[str, int | None]:
    """Read ``NAME=NUMBER``, or ``NAME=none``."""
    found: dict[str, int | None] = {}
    for text in given or []:
        name, _, value = text.partition("=")
        if not name or not (value == "none" or value.isdigit()):
            raise typer.BadParameter(f"{text!r} is not NAME=NUMBER or NAME=none")
        found[name] = None if value == "none" else int(value)
    return found
