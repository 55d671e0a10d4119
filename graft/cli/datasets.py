"""``graft datasets``."""

# Typer calls commands with keywords.
# ruff: noqa: PLR0917

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from graft.cli.connecting import JsonOption, YesOption, asks_service, connect
from graft.cli.saying import (
    AfterOption,
    BeforeOption,
    CursorOption,
    LimitOption,
    in_utc,
    say_done,
    say_json,
    say_more,
    when,
)

if TYPE_CHECKING:
    from graft.client import Client, Dataset

# Those of graft.client, which is not to be loaded for a --help.
DatasetStatus = Literal["ingesting", "ready", "rejected"]

app = typer.Typer(no_args_is_help=True, help="Upload, look at and delete data sets.")


@app.command()
@asks_service
def upload(
    source: Annotated[Path, typer.Argument(help="A zip, tar.gz or folder, of one folder a class.")],
    name: Annotated[str | None, typer.Option(help="A name; default: the file's.")] = None,
    image_size: Annotated[
        int | None,
        typer.Option(
            min=32, max=512, help="Side in pixels of the stored images.", show_default="224"
        ),
    ] = None,
    wait: Annotated[bool, typer.Option(help="Wait until it has been read.")] = True,
    as_json: JsonOption = False,
) -> None:
    """Upload a data set.

    A large one that broke off goes on where it was when the same command is run again.
    """
    with connect() as client:
        dataset = upload_with_bars(client, source, name, wait=wait, image_size=image_size)
        said = [] if as_json else sentences_about(client, dataset)
    if as_json:
        say_json(dataset)
    else:
        show_dataset(dataset, said)
    if dataset.status == "rejected":
        raise typer.Exit(1)


def left_out_line(count: int) -> str:
    """Return what is said of files that are not uploaded."""
    what = "1 file that is no image was" if count == 1 else f"{count} files that are no images were"
    return f"{what} left out"


def resumed_line(done: int, total: int) -> str:
    """Return what is said of an upload that goes on."""
    return f"going on with an earlier upload: {done / total:.0%} of it is there"


def upload_with_bars(
    client: Client,
    source: Path,
    name: str | None,
    *,
    wait: bool,
    image_size: int | None = None,
) -> Dataset:
    """Upload, showing how far it is; wait until it has been read, if asked."""
    from graft.cli.watching import transfer_bars

    with transfer_bars() as bars:
        dataset = client.datasets.upload(
            source,
            name=name,
            image_size=image_size,
            on_pack=bars.of("packing"),
            on_left_out=lambda count: bars.say(left_out_line(count)),
            on_check=bars.of("checking"),
            on_resumed=lambda done, total: bars.say(resumed_line(done, total)),
            on_bytes=bars.of("uploading"),
        )
    return wait_with_bar(client, dataset) if wait else dataset


def wait_with_bar(client: Client, dataset: Dataset) -> Dataset:
    """Wait until a data set has been read, showing how far that is."""
    from graft.cli.watching import say, watch_job

    if dataset.is_settled:
        return dataset
    say(f"data set {dataset.id}: reading the images")
    reading = dataset.links.get("ingest", "").rpartition("/")[2]
    if reading:
        watch_job(client, reading)
    return client.datasets.wait(dataset, poll_seconds=0.5)


@app.command()
@asks_service
def watch(dataset_id: str, as_json: JsonOption = False) -> None:
    """Show how far the reading of a data set is, until it is ready or rejected."""
    with connect() as client:
        dataset = wait_with_bar(client, client.datasets.get(dataset_id))
        said = [] if as_json else sentences_about(client, dataset)
    if as_json:
        say_json(dataset)
    else:
        show_dataset(dataset, said)
    if dataset.status == "rejected":
        raise typer.Exit(1)


@app.command("list")
@asks_service
def list_(
    status: Annotated[
        DatasetStatus | None, typer.Option(help="Only those that stand so.", show_default=False)
    ] = None,
    after: AfterOption = None,
    before: BeforeOption = None,
    limit: LimitOption = 20,
    cursor: CursorOption = None,
    as_json: JsonOption = False,
) -> None:
    """List data sets, the newest first."""
    from graft.cli.tables import plain_table

    with connect() as client:
        page = client.datasets.list(
            status=status,
            created_after=in_utc(after),
            created_before=in_utc(before),
            limit=limit,
            cursor=cursor,
        )
    if as_json:
        say_json(page)
        return
    rows = [[d.id, d.name, d.status, _classes(d), when(d.created_at)] for d in page.items]
    plain_table(["id", "name", "status", "classes (train + test)", "created"], rows)
    say_more(page)


@app.command()
@asks_service
def show(
    dataset_id: str,
    as_json: JsonOption = False,
) -> None:
    """Show a data set: its classes, what was wrong with it, and which images occur twice."""
    with connect() as client:
        dataset = client.datasets.get(dataset_id)
        said = [] if as_json else sentences_about(client, dataset)
    if as_json:
        say_json(dataset)
    else:
        show_dataset(dataset, said)


@app.command()
@asks_service
def delete(
    dataset_id: str,
    with_jobs: Annotated[
        bool, typer.Option("--with-jobs", help="Also the jobs that use it, with all their files.")
    ] = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Delete a data set and its images. This cannot be undone."""
    with connect() as client:
        if not yes:
            dataset = client.datasets.get(dataset_id)
            what = " and the jobs that use it, with all their files" if with_jobs else ""
            typer.confirm(f"Delete the data set {dataset.id} {dataset.name!r}{what}?", abort=True)
        client.datasets.delete(dataset_id, with_jobs=with_jobs)
    say_done(dataset_id, "deleted", as_json=as_json)


def sentences_about(client: Client, dataset: Dataset) -> list[str]:
    """Return what is to be known of images that occur twice; nothing where none was looked for."""
    if "preview" not in dataset.links:
        return []
    said = client.datasets.preview(dataset).sentences
    # Of pictures this shows none, so which of them there are does not matter here.
    about = [one for one in said if one.code.startswith("duplicates_")]
    return [one.text for one in about if one.code != "duplicates_not_listed"]


def show_dataset(dataset: Dataset, said: Sequence[str] = ()) -> None:
    """Print a data set, and sentences about it."""
    from rich.markup import escape

    from graft.cli.tables import console, printable

    colour = {"ready": "green", "rejected": "red"}.get(dataset.status, "yellow")
    out = console()
    out.print(
        f"[bold]{dataset.id}[/]  {escape(printable(dataset.name))}  [{colour}]{dataset.status}[/]"
    )
    for name, splits in (dataset.classes or {}).items():
        counts = ", ".join(f"{count} {split}" for split, count in splits.items())
        out.print(f"  {escape(name)}: {counts}")
    for problem in dataset.problems[:20]:
        where = "" if problem.entry is None else f" (entry {problem.entry})"
        line = f"{problem.detail} {problem.hint}".strip()
        out.print(f"  [yellow]{problem.code}[/]{where}: {escape(line)}")
    if len(dataset.problems) > 20:
        out.print(f"  … and {len(dataset.problems) - 20} more; --json shows all")
    for sentence in said:
        out.print(f"  {escape(printable(sentence))}")


def _classes(dataset: Dataset) -> str:
    return ", ".join(
        f"{name} {' + '.join(str(count) for count in splits.values())}"
        for name, splits in (dataset.classes or {}).items()
    )
