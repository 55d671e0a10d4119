"""``graft phantom``, ``graft verify``, ``graft doctor`` and ``graft version``."""

# Typer calls commands with keywords.
# ruff: noqa: PLR0917

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from graft.cli.connecting import DataDirOption, JsonOption

if TYPE_CHECKING:
    from gan_core.progress import Progress


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(phantom)
    app.command()(verify)
    app.command()(doctor)
    app.command()(version)


def phantom(
    out: Annotated[Path, typer.Argument(help="A folder, or a file that ends in .zip.")],
    benign: Annotated[int, typer.Option(min=2, help="Training images of the common class.")] = 400,
    malignant: Annotated[int, typer.Option(min=2, help="Training images, rare class.")] = 220,
    test_benign: Annotated[int, typer.Option(min=1, help="Test images, common class.")] = 150,
    test_malignant: Annotated[int, typer.Option(min=1, help="Test images, rare class.")] = 110,
    size: Annotated[int, typer.Option(help="Side in pixels.")] = 224,
    difficulty: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="0: easy to tell apart; 1: as good as not.")
    ] = 0.3,
    seed: Annotated[int, typer.Option(min=0, help="The same seed draws the same images.")] = 0,
) -> None:
    """Draw phantoms: pictures that look like skin lesions of two classes, and are none."""
    from gan_core.phantoms import PhantomKind, draw_phantoms

    counts: dict[str, dict[PhantomKind, int]] = {
        "train": {"benign": benign, "malignant": malignant},
        "test": {"benign": test_benign, "malignant": test_malignant},
    }
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bars

    total = sum(sum(split.values()) for split in counts.values())
    with Bars(
        TextColumn("drawing phantoms"),
        BarColumn(),
        MofNCompleteColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as bars:
        task = bars.add_task("drawing", total=total)

        def update(progress: Progress) -> None:
            bars.update(task, completed=round(progress.fraction * total))

        number = draw_phantoms(
            out,
            counts=counts,
            image_size=size,
            difficulty=difficulty,
            seed=seed,
            on_progress=update,
        )
    typer.echo(f"{number} phantoms in {out}. They are drawings: no patient, no diagnosis.")


def verify(
    zip_path: Annotated[Path, typer.Argument(metavar="ZIP", help="A synthetic.zip.")],
    models: Annotated[
        Path | None,
        typer.Option(help="Folder with the job's models; default: the zip's, and models/ in it."),
    ] = None,
    sample: Annotated[int, typer.Option(min=0, help="Images to make again.")] = 8,
) -> None:
    """Check a synthetic.zip, and make some of its images again, bit for bit."""
    command = [sys.executable, "-m", "gan_core", "verify", str(zip_path), "--sample", str(sample)]
    if models is not None:
        command += ["--models", str(models)]
    raise typer.Exit(subprocess.run(command, check=False).returncode)


def doctor(data_dir: DataDirOption = None, as_json: JsonOption = False) -> None:
    """Say what this machine and its service have, and what is missing; 1 when something fails."""
    from rich.markup import escape

    from graft.cli.tables import console
    from graft.doctor import examine

    findings = examine(data_dir)
    if as_json:
        typer.echo(json.dumps([finding.as_dict() for finding in findings], indent=1))
    else:
        marks = {"ok": "[green]✓[/]", "warn": "[yellow]![/]", "fail": "[red]✗[/]"}
        out = console()
        for finding in findings:
            hint = f"  [dim]{escape(finding.hint)}[/]" if finding.hint else ""
            out.print(f"{marks[finding.state]} {finding.name}: {escape(finding.detail)}{hint}")
    if any(finding.state == "fail" for finding in findings):
        raise typer.Exit(1)


def version() -> None:
    """Print the version."""
    from gan_core import __version__

    typer.echo(__version__)
