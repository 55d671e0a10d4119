"""``graft jobs``."""

# Typer calls commands with keywords.
# ruff: noqa: PLR0917

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
    from graft.client import Client, Job, PlannedJob

app = typer.Typer(
    no_args_is_help=True, help="Submit, watch, cancel, retry and delete jobs; fetch what they left."
)


class ProfileName(str, Enum):  # noqa: UP042 - typer shows a plain Enum's values
    """A profile."""

    QUICK = "quick"
    SEED = "seed"
    BEST = "best"


SpecOption = Annotated[
    Path | None, typer.Option("--spec", help="A job spec in YAML or JSON.", show_default=False)
]
ProfileOption = Annotated[
    ProfileName | None, typer.Option("--profile", help="Wins over the file's.", show_default=False)
]


def read_spec(path: Path | None, profile: str | None, dataset_id: str | None) -> dict[str, Any]:
    """Return a spec from a file, with what was given on the command line laid over it.

    Raises:
        GraftError: ``unreadable_spec`` or ``no_dataset``.
    """
    from gan_core.spec.errors import GraftError

    spec: dict[str, Any] = {}
    if path is not None:
        import yaml

        try:
            # JSON is YAML, so that one reader does for both.
            loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            why = getattr(error, "strerror", None) or str(error).splitlines()[0]
            raise GraftError(
                "unreadable_spec",
                f"The spec {str(path)!r} cannot be read: {why}.",
                "docs/job-spec.md shows what it looks like.",
            ) from error
        if not isinstance(loaded, dict):
            raise GraftError(
                "unreadable_spec",
                f"The spec {str(path)!r} is not an object.",
                "docs/job-spec.md shows what it looks like.",
            )
        spec = dict(loaded)
    if profile is not None:
        spec["profile"] = profile
    if dataset_id is not None:
        spec["dataset_id"] = dataset_id
    if not spec.get("dataset_id"):
        raise GraftError(
            "no_dataset",
            "The job needs a data set.",
            "Give --dataset, or a dataset_id in the spec; `graft datasets list` shows what there"
            " is.",
        )
    return spec


@app.command()
def submit(
    dataset: Annotated[str | None, typer.Option(help="Id of a data set.")] = None,
    spec: SpecOption = None,
    profile: ProfileOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be done, and how long it may take.")
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Wait, and show the progress.")] = False,
    as_json: JsonOption = False,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Submit a job."""
    body = read_spec(spec, None if profile is None else profile.value, dataset)
    with connect(url, key_file, data_dir) as client:
        if dry_run:
            planned = client.jobs.plan(body)
            if as_json:
                typer.echo(planned.model_dump_json(indent=1))
            else:
                show_plan(planned)
            return
        job = client.jobs.submit(body)
        if not as_json:
            for line in job.advice:
                typer.echo(f"note: {line}", err=True)
        if watch:
            _watch_to_the_end(client, job.id, as_json=as_json)
        else:
            typer.echo(job.model_dump_json(indent=1) if as_json else job.id)


@app.command("list")
def list_(
    limit: Annotated[int, typer.Option(min=1, max=100)] = 20,
    as_json: JsonOption = False,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """List jobs, the newest first."""
    from graft.cli.tables import plain_table

    with connect(url, key_file, data_dir) as client:
        page = client.jobs.list(limit=limit)
    if as_json:
        typer.echo(page.model_dump_json(indent=1))
        return
    rows = [
        [j.id, j.status, f"{j.progress.fraction:.0%}", j.name or "", _when(j)] for j in page.items
    ]
    plain_table(["id", "status", "done", "name", "created"], rows)


@app.command()
def show(
    job_id: str,
    as_json: JsonOption = False,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Show how a job stands."""
    with connect(url, key_file, data_dir) as client:
        job = client.jobs.get(job_id)
    show_job(job, as_json=as_json)


@app.command()
def watch(
    job_id: str,
    as_json: JsonOption = False,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Show a job's progress until it is over. Ctrl-C ends the watching, not the job."""
    with connect(url, key_file, data_dir) as client:
        _watch_to_the_end(client, job_id, as_json=as_json)


def _watch_to_the_end(client: Client, job_id: str, *, as_json: bool) -> None:
    from graft.cli.watching import watch_job

    job = watch_job(client, job_id)
    show_job(job, as_json=as_json)
    if job.status != "succeeded":
        raise typer.Exit(1)


@app.command()
def cancel(
    job_id: str,
    as_json: JsonOption = False,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Cancel a job; cancelling it again does no harm."""
    with connect(url, key_file, data_dir) as client:
        job = client.jobs.cancel(job_id)
    show_job(job, as_json=as_json)


@app.command()
def retry(
    job_id: str,
    watch: Annotated[bool, typer.Option("--watch", help="Wait, and show the progress.")] = False,
    as_json: JsonOption = False,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Try a job that is over once more, as a new job; what was finished is reused."""
    with connect(url, key_file, data_dir) as client:
        job = client.jobs.retry(job_id)
        if watch:
            _watch_to_the_end(client, job.id, as_json=as_json)
        else:
            typer.echo(job.model_dump_json(indent=1) if as_json else job.id)


@app.command()
def delete(
    job_id: str,
    yes: YesOption = False,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Delete a job that is over, with all its files. This cannot be undone."""
    with connect(url, key_file, data_dir) as client:
        if not yes:
            job = client.jobs.get(job_id)
            called = f" {job.name!r}" if job.name else ""
            typer.confirm(f"Delete the job {job.id}{called} and all its files?", abort=True)
        client.jobs.delete(job_id)
    typer.echo(f"{job_id} is deleted")


@app.command()
def results(
    job_id: str,
    as_json: JsonOption = False,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Show the table and the verdicts."""
    from graft.cli.tables import show_results

    with connect(url, key_file, data_dir) as client:
        table = client.jobs.results(job_id)
    if as_json:
        typer.echo(table.model_dump_json(indent=1))
    else:
        show_results(table)


@app.command()
def download(
    job_id: str,
    out: Annotated[Path, typer.Option("--out", help="Folder to download into.")] = Path(),
    kind: Annotated[
        list[str] | None, typer.Option("--kind", help="Only artifacts of this kind; repeatable.")
    ] = None,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Download what a job left; what was broken off goes on, what is there already is kept."""
    from gan_core.spec.errors import GraftError
    from graft.cli.watching import transfer_bars

    kinds = frozenset(kind) if kind else None
    with connect(url, key_file, data_dir) as client, transfer_bars() as bars:
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
    for path in paths:
        typer.echo(str(path))


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
        typer.echo(job.model_dump_json(indent=1))
        return
    from graft.cli.watching import describe

    typer.echo(f"{job.id}  {describe(job).strip()}")
    if job.error is not None:
        typer.echo(f"error: {job.error.detail}", err=True)
        if job.error.hint:
            typer.echo(f"hint: {job.error.hint}", err=True)


def _when(job: Job) -> str:
    moment = job.created_at
    return "" if moment is None else moment.astimezone().strftime("%Y-%m-%d %H:%M")
