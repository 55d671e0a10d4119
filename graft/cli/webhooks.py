"""``graft webhooks``."""

# Typer calls commands with keywords.
# ruff: noqa: PLR0917

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from graft.cli.connecting import (
    DataDirOption,
    JsonOption,
    KeyFileOption,
    UrlOption,
    YesOption,
    connect,
)

if TYPE_CHECKING:
    from graft.client.webhook_models import Delivery, NewWebhook

app = typer.Typer(
    no_args_is_help=True, help="Have the service tell another one of jobs and data sets."
)

EventOption = Annotated[
    list[str] | None,
    typer.Option("--event", help="A type, such as job.succeeded; repeatable. Default: all."),
]
LimitOption = Annotated[int, typer.Option(min=1, max=100)]
_TEST_SECONDS = 30.0


@app.command()
def create(
    address: str,
    event: EventOption = None,
    description: Annotated[str, typer.Option(help="Whom or what it is for.")] = "",
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Make a webhook and print its signing secret; it is never shown again."""
    with connect(url, key_file, data_dir) as client:
        made = client.webhooks.create(address, events=event, description=description)
    _show_secret(made)


@app.command("list")
def list_(
    limit: LimitOption = 20,
    as_json: JsonOption = False,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """List webhooks."""
    from graft.cli.tables import plain_table

    with connect(url, key_file, data_dir) as client:
        page = client.webhooks.list(limit=limit)
    if as_json:
        typer.echo(page.model_dump_json(indent=1))
        return
    rows = [
        [w.id, w.url, ", ".join(w.events) or "all", w.disabled_because or "", w.description]
        for w in page.items
    ]
    plain_table(["id", "address", "events", "disabled", "for"], rows)


@app.command()
def change(
    webhook_id: str,
    address: Annotated[str | None, typer.Option(help="Where to from now on.")] = None,
    event: EventOption = None,
    description: Annotated[str | None, typer.Option(help="Whom or what it is for.")] = None,
    disabled: Annotated[
        bool | None, typer.Option("--disable/--enable", help="Stop, or go on.")
    ] = None,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Change a webhook, or disable or enable it."""
    with connect(url, key_file, data_dir) as client:
        webhook = client.webhooks.change(
            webhook_id, url=address, events=event, description=description, disabled=disabled
        )
    typer.echo(f"{webhook.id}: {'disabled' if webhook.disabled_at else 'enabled'}")


@app.command()
def delete(
    webhook_id: str,
    yes: YesOption = False,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Delete a webhook, and what waits to be sent to it."""
    if not yes:
        typer.confirm(f"Delete {webhook_id}?", abort=True)
    with connect(url, key_file, data_dir) as client:
        client.webhooks.delete(webhook_id)
    typer.echo(f"{webhook_id} is deleted")


@app.command("rotate-secret")
def rotate_secret(
    webhook_id: str,
    overlap_hours: Annotated[
        float, typer.Option(min=0, max=168, help="How long the old secret signs, too.")
    ] = 24.0,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Make a new signing secret and print it; it is never shown again."""
    with connect(url, key_file, data_dir) as client:
        made = client.webhooks.rotate_secret(
            webhook_id, overlap_seconds=round(3600 * overlap_hours)
        )
    _show_secret(made)


@app.command("test")
def send_test(
    webhook_id: str,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Send a test message, and say how its first attempt ended."""
    import time

    with connect(url, key_file, data_dir) as client:
        delivery = client.webhooks.test(webhook_id)
        until = time.monotonic() + _TEST_SECONDS
        while _is_under_way(delivery) and time.monotonic() < until:
            time.sleep(0.3)
            delivery = client.webhooks.delivery(webhook_id, delivery.id)
    typer.echo(f"{delivery.id}: {_ending(delivery)}")
    if delivery.status != "delivered":
        raise typer.Exit(1)


@app.command()
def deliveries(
    webhook_id: str,
    status: Annotated[
        str | None, typer.Option(help="Only those that are pending, delivered or failed.")
    ] = None,
    limit: LimitOption = 20,
    as_json: JsonOption = False,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """List what was sent to a webhook or waits to be, the newest first."""
    from graft.cli.tables import plain_table

    with connect(url, key_file, data_dir) as client:
        page = client.webhooks.deliveries(
            webhook_id,
            status=status,  # type: ignore[arg-type]  # the service says what it may be
            limit=limit,
        )
    if as_json:
        typer.echo(page.model_dump_json(indent=1))
        return
    rows = [[d.id, d.type, str(d.attempts), _ending(d), d.message_id] for d in page.items]
    plain_table(["id", "type", "attempts", "state", "webhook-id"], rows)


@app.command()
def replay(
    webhook_id: str,
    delivery_id: Annotated[
        str | None, typer.Argument(help="This one; left out: all that have failed.")
    ] = None,
    since: Annotated[
        datetime | None, typer.Option(help="Of all that have failed, those from then on (UTC).")
    ] = None,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Send a message again, or all that have failed; the webhook-id stays the same."""
    from datetime import UTC

    with connect(url, key_file, data_dir) as client:
        if delivery_id is not None:
            client.webhooks.replay(webhook_id, delivery_id)
            count = 1
        else:
            moment = since if since is None or since.tzinfo else since.replace(tzinfo=UTC)
            count = client.webhooks.replay_failed(webhook_id, since=moment)
    typer.echo(f"{count} to be sent again")


def _show_secret(made: NewWebhook) -> None:
    typer.echo(f"{made.id}: store this secret now, it is not shown again", err=True)
    typer.echo(made.secret)


def _is_under_way(delivery: Delivery) -> bool:
    has_no_outcome = delivery.last_status_code is None and delivery.last_error is None
    return delivery.status == "pending" and has_no_outcome


def _ending(delivery: Delivery) -> str:
    code = delivery.last_status_code
    parts = [delivery.status, delivery.last_error, None if code is None else str(code)]
    return ", ".join(part for part in parts if part)
