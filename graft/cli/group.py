"""How every command ends: an error is one clear line and a hint, never a traceback."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from graft.cli.connecting import WANTS_JSON

if TYPE_CHECKING:
    from gan_core.spec.errors import GraftError

EXIT_ERROR = 1
"""Refused, failed, or not possible; the person has to do something."""
EXIT_LATER = 3
"""The service does not answer, is busy, or a limit is reached: the same may work later."""
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
            if ctx.meta.get(WANTS_JSON):
                typer.echo(_as_json(error), err=True)
            else:
                show_error(error)
            raise typer.Exit(exit_code_of(error)) from None


def exit_code_of(error: GraftError) -> int:
    """Return the exit code that tells a script whether to try again (2 is for wrong usage)."""
    status = getattr(error, "status", None)
    if status is None:
        return EXIT_ERROR
    is_passing = error.code == "unreachable" or status == 429 or status >= 500
    return EXIT_LATER if is_passing else EXIT_ERROR


def _as_json(error: GraftError) -> str:
    import json

    told = {"code": error.code, "detail": error.detail, "hint": error.hint}
    for name in ("status", "request_id", "retry_after"):
        if getattr(error, name, None):
            told[name] = getattr(error, name)
    problem = getattr(error, "problem", {})
    return json.dumps({"error": told | {k: v for k, v in problem.items() if k == "errors"}})


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
    request_id = getattr(error, "request_id", "")
    if request_id and getattr(error, "status", 0) >= 500:
        console.print(f"The service's logs know this request as {escape(request_id)}")
