"""How every command ends: an error is one clear line and a hint, never a traceback."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from gan_core.spec.errors import GraftError

EXIT_ERROR = 1
EXIT_INTERRUPTED = 130


class GraftGroup(TyperGroup):
    """A group of commands whose errors are for people."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise typer.Exit(EXIT_INTERRUPTED) from None
        except BrokenPipeError:
            # The reader of `graft … | head` has left; there is nobody to tell.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(EXIT_ERROR) from None
        except Exception as error:
            # Loaded here: `graft --help` should not wait for the job spec's models.
            from gan_core.spec.errors import GraftError

            if not isinstance(error, GraftError):
                raise
            show_error(error)
            raise typer.Exit(EXIT_ERROR) from None


def show_error(error: GraftError) -> None:
    """Print an error to stderr."""
    from rich.console import Console
    from rich.markup import escape

    console = Console(stderr=True, soft_wrap=True, highlight=False)
    console.print(f"[bold red]error:[/] {escape(error.detail)}")
    for wrong in getattr(error, "problem", {}).get("errors", [])[:10]:
        console.print(
            f"  {escape(str(wrong.get('pointer', '')))}: {escape(str(wrong.get('detail', '')))}"
        )
    if error.hint:
        console.print(f"[bold]hint:[/] {escape(error.hint)}")
