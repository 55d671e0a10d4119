"""``graft jobs``."""

# Typer calls commands with keywords.
# ruff: noqa: PLR0917

from __future__ import annotations

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
from graft.cli.specs import ProfileOption, SpecOption, read_spec

if TYPE_CHECKING:
    from graft.client import Client, Job, PlannedJob

# Those of graft.client, which is not to be loaded for a --help.
JobStatus = Literal["queued", "running", "cancelling", "succeeded", "failed", "cancelled"]
JobKind = Literal["study", "images", "ingest", "all"]

app = typer.Typer(
    no_args_is_help=True, help="Submit, watch, cancel, retry and delete jobs; fetch what they left."
)


@app.command()
@asks_service
def submit(
    dataset: Annotated[str | None, typer.Option(help="Id of a data set.")] = None,
    spec: SpecOption = None,
    profile: ProfileOption = None,
    idempotency_key: Annotated[
        str | None,
        typer.Option(help="With the same one, run again, it is the same job.", show_default=False),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be done, and how long it may take.")
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Wait, and show the progress.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Submit a job."""
    body = read_spec(spec, None if profile is None else profile.value, dataset)
    with connect() as client:
        if dry_run:
            planned = client.jobs.plan(body)
            if as_json:
                say_json(planned)
            else:
                show_plan(planned)
            return
        job = client.jobs.submit(body, idempotency_key=idempotency_key)
        if not as_json:
            for line in job.advice:
                typer.echo(f"note: {line}", err=True)
        if watch:
            _watch_to_the_end(client, job.id, as_json=as_json)
        else:
            _say_id(job, as_json=as_json)


@app.command("list")
@asks_service
def list_(
    status: Annotated[
        JobStatus | None, typer.Option(help="Only those that stand so.", show_default=False)
    ] = None,
    dataset: Annotated[str | None, typer.Option(help="Only those of this data set.")] = None,
    kind: Annotated[JobKind, typer.Option(help="What was asked for.")] = "study",
    after: AfterOption = None,
    before: BeforeOption = None,
    limit: LimitOption = 20,
    cursor: CursorOption = None,
    as_json: JsonOption = False,
) -> None:
    """List jobs, the newest first."""
    from graft.cli.tables import plain_table

    with connect() as client:
        page = client.jobs.list(
            status=status,
            dataset_id=dataset,
            kind=None if kind == "all" else kind,
            created_after=in_utc(after),
            created_before=in_utc(before),
            limit=limit,
            cursor=cursor,
        )
    if as_json:
        say_json(page)
        return
    rows = [
        [j.id, j.status, f"{j.progress.fraction:.0%}", j.name or "", when(j.created_at)]
        for j in page.items
    ]
    plain_table(["id", "status", "done", "name", "created"], rows)
    say_more(page)


@app.command()
@asks_service
def show(
    job_id: str,
    as_json: JsonOption = False,
) -> None:
    """Show how a job stands."""
    with connect() as client:
        job = client.jobs.get(job_id)
    show_job(job, as_json=as_json)


@app.command()
@asks_service
def steps(job_id: str, as_json: JsonOption = False) -> None:
    """List a job's steps and how they stand."""
    from graft.cli.tables import plain_table

    with connect() as client:
        found = client.jobs.steps(job_id)
    if as_json:
        say_json(found)
        return
    rows = [
        [
            s.name,
            "reused" if s.is_reused else s.status,
            f"{s.fraction:.0%}",
            "" if s.error is None else s.error.detail,
        ]
        for s in found
    ]
    plain_table(["step", "status", "done", "error"], rows)


@app.command("log")
@asks_service
def log_(
    job_id: str,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on with what comes, until the job is over.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Print what a job's steps have told; with --follow and --json a line of JSON each."""
    from graft.cli.job_log import log_lines, show_log

    with connect() as client:
        lines = log_lines(client, job_id, is_followed=follow)
        if as_json and not follow:
            say_json(list(lines))
        elif as_json:
            for line in lines:
                typer.echo(line.model_dump_json())
        else:
            show_log(lines)


@app.command()
@asks_service
def events(
    job_id: str,
    last_event_id: Annotated[
        str | None, typer.Option(help="Go on after this one.", show_default=False)
    ] = None,
) -> None:
    """Print a job's events as they come, a line of JSON each, until it is over."""
    with connect() as client:
        for event in client.jobs.events(job_id, last_event_id=last_event_id):
            typer.echo(event.model_dump_json())


@app.command()
@asks_service
def watch(
    job_id: str,
    as_json: JsonOption = False,
) -> None:
    """Show a job's progress until it is over. Ctrl-C ends the watching, not the job."""
    with connect() as client:
        _watch_to_the_end(client, job_id, as_json=as_json)


def _watch_to_the_end(client: Client, job_id: str, *, as_json: bool) -> None:
    from graft.cli.watching import watch_job

    job = watch_job(client, job_id)
    show_job(job, as_json=as_json)
    if job.status != "succeeded":
        raise typer.Exit(1)


@app.command()
@asks_service
def cancel(
    job_id: str,
    as_json: JsonOption = False,
) -> None:
    """Cancel a job; cancelling it again does no harm."""
    with connect() as client:
        job = client.jobs.cancel(job_id)
    show_job(job, as_json=as_json)


@app.command()
@asks_service
def retry(
    job_id: str,
    watch: Annotated[bool, typer.Option("--watch", help="Wait, and show the progress.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Try a job that is over once more, as a new job; what was finished is reused."""
    with connect() as client:
        job = client.jobs.retry(job_id)
        if watch:
            _watch_to_the_end(client, job.id, as_json=as_json)
        else:
            _say_id(job, as_json=as_json)


@app.command()
@asks_service
def delete(
    job_id: str,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Delete a job that is over, with all its files. This cannot be undone."""
    with connect() as client:
        if not yes:
            job = client.jobs.get(job_id)
            called = f" {job.name!r}" if job.name else ""
            typer.confirm(f"Delete the job {job.id}{called} and all its files?", abort=True)
        client.jobs.delete(job_id)
    say_done(job_id, "deleted", as_json=as_json)


@app.command()
@asks_service
def results(
    job_id: str,
    as_json: JsonOption = False,
) -> None:
    """Show the table and the verdicts."""
    from graft.cli.tables import show_results

    with connect() as client:
        table = client.jobs.results(job_id)
    if as_json:
        say_json(table)
    else:
        show_results(table)


@app.command()
@asks_service
def download(
    job_id: str,
    out: Annotated[Path, typer.Option("--out", help="Folder to download into.")] = Path(),
    kind: Annotated[
        list[str] | None, typer.Option("--kind", help="Only artifacts of this kind; repeatable.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Download what a job left; what was broken off goes on, what is there already is kept."""
    from gan_core.spec.errors import GraftError
    from graft.cli.watching import transfer_bars

    kinds = frozenset(kind) if kind else None
    with connect() as client, transfer_bars() as bars:
        paths = client.artifacts.download_all(
            job_id,
            out,
            kinds=kinds,
            on_bytes=lambda artifact, done, total: bars.of(artifact.name)(done, total),
        )
    if not paths:
        raise GraftError(
            "nothing_to_download",
            "The job has no artifacts" + (" of that kind." if kinds else "."),
            f"`graft jobs show {job_id}` says how it stands.",
        )
    if as_json:
        say_json({"paths": [str(path) for path in paths]})
        return
    for path in paths:
        typer.echo(str(path))


def _say_id(job: Job, *, as_json: bool) -> None:
    if as_json:
        say_json(job)
    else:
        typer.echo(job.id)


def show_plan(planned: PlannedJob) -> None:
    """Print what a dry run answered."""
    from graft.cli.tables import estimated, plain_table

    rows = [
        [
            step.name,
            step.queue or "",
            "reused" if step.is_reused else _estimate(step.estimate_seconds),
        ]
        for step in planned.steps
    ]
    plain_table(["step", "queue", "estimate"], rows)
    typer.echo(estimated(planned))
    for line in planned.advice:
        typer.echo(f"note: {line}")


def _estimate(seconds: float | None) -> str:
    from graft.cli.tables import duration

    return "" if seconds is None else duration(seconds)


def show_job(job: Job, *, as_json: bool = False) -> None:
    """Print a job."""
    if as_json:
        say_json(job)
        return
    from graft.cli.watching import describe

    typer.echo(f"{job.id}  {describe(job).strip()}")
    if job.error is not None:
        typer.echo(f"error: {job.error.detail}", err=True)
        if job.error.hint:
            typer.echo(f"hint: {job.error.hint}", err=True)
