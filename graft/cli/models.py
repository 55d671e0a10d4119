"""``graft models``."""

# Typer calls commands with keywords.
# ruff: noqa: PLR0917

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from graft.cli.connecting import JsonOption, asks_service, connect
from graft.cli.saying import (
    AfterOption,
    BeforeOption,
    CursorOption,
    LimitOption,
    in_utc,
    say_json,
    say_more,
)

if TYPE_CHECKING:
    from graft.client import Client, Job, Model

app = typer.Typer(
    no_args_is_help=True, help="List trained generators, and make more images with one."
)
_FILES = {"synthetic-zip": "zip", "samples-png": "sheet"}


@app.command("list")
@asks_service
def list_(
    job: Annotated[str | None, typer.Option(help="Only those of this study.")] = None,
    dataset: Annotated[str | None, typer.Option(help="Only those of this data set.")] = None,
    gan: Annotated[str | None, typer.Option(help="Only those of this kind.")] = None,
    after: AfterOption = None,
    before: BeforeOption = None,
    limit: LimitOption = 20,
    cursor: CursorOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the generators that studies have trained, the newest first."""
    from graft.cli.tables import plain_table

    with connect() as client:
        page = client.models.list(
            job_id=job,
            dataset_id=dataset,
            gan=gan,
            created_after=in_utc(after),
            created_before=in_utc(before),
            limit=limit,
            cursor=cursor,
        )
    if as_json:
        say_json(page)
        return
    rows = [
        [m.id, m.gan, str(m.image_size), m.rare_class, str(m.real_count), str(m.subset), m.job_id]
        for m in page.items
    ]
    columns = ["id", "GAN", "pixels", "class", "real images", "subset", "study"]
    plain_table(columns, rows)
    say_more(page)


@app.command()
@asks_service
def show(
    model_id: str,
    as_json: JsonOption = False,
) -> None:
    """Show a generator: what it learned from, and what can be chosen of its images."""
    with connect() as client:
        model = client.models.get(model_id)
    if as_json:
        say_json(model)
        return
    typer.echo(f"{model.id}  {_described(model)}")
    if model.categories:
        typer.echo(f"--category: 0 to {model.categories - 1}")
    if model.codes:
        typer.echo(f"--code: {model.codes} of them, each from -1 to 1")
    for name, value in (model.quality or {}).items():
        typer.echo(f"{name}: {value}")


def _described(model: Model) -> str:
    others = {k: n for k, n in model.card.get("learnt_from", {}).items() if k != model.rare_class}
    also = "".join(f" and {n} of {name!r}" for name, n in sorted(others.items()))
    return (
        f"{model.gan}, {model.image_size} × {model.image_size} pixels, trained on"
        f" {model.real_count} real images of {model.rare_class!r}{also} (subset {model.subset})"
    )


@app.command()
@asks_service
def images(
    model_id: str,
    count: Annotated[int | None, typer.Option(min=1, help="How many.", show_default="16")] = None,
    seed: Annotated[
        list[int] | None,
        typer.Option(help="The first seed of --count; or, given alone, of one image; repeatable."),
    ] = None,
    between: Annotated[
        tuple[int, int] | None, typer.Option(help="Images on the way between two seeds.")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=2, max=256, help="Of --between.", show_default="8")
    ] = None,
    truncation: Annotated[
        float | None, typer.Option(help="Above 0, at most 1: the smaller, the more alike.")
    ] = None,
    category: Annotated[int | None, typer.Option(help="Of all images.")] = None,
    code: Annotated[
        list[float] | None, typer.Option(help="Of all images, from -1 to 1; one for each code.")
    ] = None,
    size: Annotated[
        int | None, typer.Option(help="Bring them to this side in pixels; default: as made.")
    ] = None,
    engine: Annotated[
        str | None, typer.Option(help="How --size is reached.", show_default="lanczos")
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="The zip to write.")] = Path("synthetic.zip"),
    sheet: Annotated[
        Path | None, typer.Option("--sheet", help="Also write a PNG of up to 64 images.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make images, wait for them, and download the zip."""
    if steps is not None and between is None:
        raise typer.BadParameter(
            "it belongs to --between, which is not given", param_hint="--steps"
        )
    if engine is not None and size is None:
        raise typer.BadParameter("it needs --size, which is not given", param_hint="--engine")
    asked: dict[str, Any] = {"truncation": truncation, "category": category, "codes": code or None}
    if between is not None:
        asked["interpolate"] = {"from_seed": between[0], "to_seed": between[1], "steps": steps or 8}
    if seed and (count is None or len(seed) > 1 or between is not None):
        asked |= {"seeds": seed, "count": count}
    else:
        asked |= {"count": count, "first_seed": seed[0] if seed else None}
    if size is not None:
        asked["upscale"] = {"engine": engine or "lanczos", "size": size}
    with connect() as client:
        made = client.models.make_images(
            model_id, {name: value for name, value in asked.items() if value is not None}
        )
        job = _finished(client, made, as_json=as_json)
        wanted = {"synthetic-zip": out} | ({} if sheet is None else {"samples-png": sheet})
        paths = _fetch(client, job, wanted)
    if as_json:
        say_json({"job": job.model_dump(mode="json"), "paths": [str(path) for path in paths]})
        return
    for path in paths:
        typer.echo(str(path))


def _finished(client: Client, job: Job, *, as_json: bool) -> Job:
    from graft.cli.jobs import show_job
    from graft.cli.watching import watch_job

    done = watch_job(client, job)
    if done.status != "succeeded":
        show_job(done, as_json=as_json)
        raise typer.Exit(1)
    return done


def _fetch(client: Client, job: Job, wanted: dict[str, Path]) -> list[Path]:
    from graft.cli.watching import transfer_bars

    found = {artifact.kind: artifact for artifact in client.artifacts.list(job)}
    with transfer_bars() as bars:
        for kind, path in wanted.items():
            if kind not in found:
                why = "every image was a near-copy of a training image, or there are too many"
                typer.echo(f"note: there is no {_FILES[kind]}: {why}", err=True)
                continue
            client.artifacts.download(found[kind], path, on_bytes=bars.of(path.name))
    return [path for kind, path in wanted.items() if kind in found]
