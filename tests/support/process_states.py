"""What the system says of a process (Linux)."""

from __future__ import annotations

from pathlib import Path


def lives(pid: int) -> bool:
    """Say whether a process is there; one that has ended and waits to be asked after is not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
