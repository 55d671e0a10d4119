"""Where a step's live files lie: what a training shows while it runs.

A worker copies them here every few seconds, and deletes them when the step has succeeded: then the
same are among its outputs. Of a training that failed, or was cancelled, they stay for as long as
the job's files do. Each attempt has a folder of its own, so that a worker that has lost the step
cannot write over what its next attempt shows.
"""

from __future__ import annotations

from collections.abc import Iterable

LIVE = "live"
COURSE = "course.json"


def live_prefix(workspace_id: str, step_id: str) -> str:
    """Return the prefix of a step's live files, of all attempts."""
    return f"workspaces/{workspace_id}/{LIVE}/{step_id}/"


def attempt_prefix(workspace_id: str, step_id: str, attempt: int) -> str:
    """Return the prefix of what one attempt shows."""
    return f"{live_prefix(workspace_id, step_id)}{attempt:06d}/"


def snapshot_name(number: int) -> str:
    """Return the name of the sheet of a snapshot, as ``gan_core.steps.live`` gives it."""
    return f"snapshot-{number:06d}.png"


def newest_attempt(keys: Iterable[str]) -> str | None:
    """Return the prefix of the latest attempt among a step's live files that shows a course.

    Args:
        keys: All keys below the step's prefix.
    """
    # The numbers are padded, so that the latest is the greatest.
    shown = [key.removesuffix(COURSE) for key in keys if key.endswith(f"/{COURSE}")]
    return max(shown, default=None)
