"""``graft serve``, ``graft worker`` and ``graft demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from graft.cli.connecting import DataDirOption
from graft.cli.specs import ProfileName, ProfileOption, SpecOption

SettingsT = TypeVar("SettingsT")


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(serve)
    app.command()(worker)
    app.command()(demo)


def serve(
    data_dir: DataDirOption = None,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on; GRAFT_HOST.", show_default="127.0.0.1")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="GRAFT_PORT.", show_default="8471, or the next free"),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Worker processes.")] = 1,
    no_worker: Annotated[bool, typer.Option("--no-worker", help="Run no worker here.")] = False,
) -> None:
    """Run the whole service on this machine, until Ctrl-C."""
    from graft.serving.supervisor import ServeOptions
    from graft.serving.supervisor import serve as run
    from store.settings import Settings

    given = {"data_dir": data_dir, "host": host, "port": port}
    settings = make_settings(Settings, {k: v for k, v in given.items() if v is not None})
    is_explicit = "port" in settings.model_fields_set
    run(
        settings,
        ServeOptions(
            port=settings.port if is_explicit else None,
            workers=0 if no_worker else workers,
            on_ready=_say_ready,
            tell=lambda line: typer.echo(line, err=True),
        ),
    )


def _say_ready(url: str, key: Path) -> None:
    typer.echo(f"Graft is at {url}  (API: {url}/docs)")
    if key.exists():
        typer.echo(f"The administrator's key is in {key}")
    typer.echo(f"Data and logs are in {key.parent}. Ctrl-C stops everything.")


def make_settings(kind: type[SettingsT], given: dict[str, Any]) -> SettingsT:
    """Return settings, or the error that says which variable is wrong."""
    from pydantic import ValidationError

    from gan_core.spec.errors import GraftError

    try:
        return kind(**given)
    except ValidationError as error:
        first = error.errors()[0]
        name = "GRAFT_" + "_".join(str(part) for part in first["loc"]).upper()
        raise GraftError(
            "invalid_setting",
            f"The setting {name} is not valid: {first['msg']}.",
            "docs/operating.md lists the settings.",
        ) from None


def worker(
    queues: Annotated[
        str,
        typer.Option(
            help="Which queues to work on, separated by commas: gpu, cpu (which brings interactive"
            " with it), interactive."
        ),
    ] = "gpu,cpu",
    concurrency: Annotated[
        int, typer.Option(min=1, max=64, help="Steps at a time; one a GPU.")
    ] = 1,
    name: Annotated[str | None, typer.Option(help="A name among this machine's workers.")] = None,
    data_dir: DataDirOption = None,
) -> None:
    """Run a worker; its settings come from GRAFT_… variables. SIGTERM hands its step back."""
    from store.doorbell import QUEUES, listened_to
    from store.settings import Settings, keep_files_private

    names = [queue.strip() for queue in queues.split(",") if queue.strip()]
    if not names or not set(names) <= set(QUEUES):
        known = "the queues are gpu, cpu and interactive"
        raise typer.BadParameter(known, param_hint="--queues")
    settings = make_settings(Settings, {} if data_dir is None else {"data_dir": data_dir})
    from worker.app import run_worker

    keep_files_private()
    raise typer.Exit(
        run_worker(settings, queues=listened_to(names), concurrency=concurrency, name=name)
    )


def demo(
    data: Annotated[
        Path | None,
        typer.Option(help="A zip or folder of classes.", show_default="phantoms, drawn once"),
    ] = None,
    profile: ProfileOption = None,
    spec: SpecOption = None,
    out: Annotated[Path, typer.Option(help="Folder for what comes out.")] = Path("demo"),
) -> None:
    """Show the main job end to end: serve, upload, train, table, zip, report."""
    from graft.demo import run_demo

    run_demo(data=data, profile=None if profile is None else profile.value, spec=spec, out=out)


__all__ = ["ProfileName", "add_to"]
