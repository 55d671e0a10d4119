"""How a step's process is started: its command, what it may see, and whether it gives way."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from store.records import ClaimedStep

# Ours, and what clouds, databases and collectors of traces are commonly told in the environment.
_SECRETIVE = ("GRAFT_", "AWS_", "CELERY_", "OTEL_", "PG", "REDIS_", "SENTRY_", "VAULT_")


def child_command(step_dir: Path) -> list[str]:
    """Return the command that carries out a step."""
    # Which parent is said: it may be gone before the child can ask.
    parent = f"--die-with-parent={os.getpid()}"
    return [sys.executable, "-m", "gan_core", "run", str(step_dir), parent]


def child_environment(environment: Mapping[str, str], step_dir: Path | None) -> dict[str, str]:
    """Return a child's environment: ours without secrets, temporary files in its own folder."""
    kept = {name: value for name, value in environment.items() if not name.startswith(_SECRETIVE)}
    # One that waits for its folder finds the place for temporary files by itself.
    temporary = {} if step_dir is None else {"TMPDIR": str(step_dir / "tmp")}
    return kept | temporary | {"PYTHONUNBUFFERED": "1"}


def gives_way(step: ClaimedStep) -> bool:
    """Say whether a step takes what others leave of the processor; a drawing is waited for.

    Reading an upload is, too, but for longer: those who draw meanwhile should not feel it.
    """
    return step.kind != "draw"
