"""What the portal writes down: its studies, and which messages it has seen. One SQLite file."""

from __future__ import annotations

import json
import sqlite3
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_TABLES = """
CREATE TABLE IF NOT EXISTS studies (
    id TEXT PRIMARY KEY, spec TEXT NOT NULL, status TEXT NOT NULL, job_id TEXT UNIQUE, etag TEXT,
    progress REAL NOT NULL DEFAULT 0, problem TEXT, path TEXT, sha256 TEXT
);
CREATE TABLE IF NOT EXISTS messages (
    webhook_id TEXT PRIMARY KEY, at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
);
"""


@dataclass(frozen=True)
class Study:
    """A study: ``noted``, then as its job stands; ``ready`` (the zip is here) or ``failed``."""

    id: str
    spec: dict[str, Any]
    status: str
    job_id: str | None
    etag: str | None
    progress: float
    problem: str | None
    path: str | None
    sha256: str | None

    def shown(self) -> dict[str, Any]:
        """Return what the portal's users may see."""
        return {k: v for k, v in asdict(self).items() if k not in {"etag", "path"}}


class Studies:
    """The portal's memory.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, check_same_thread=False)
        # Made in one thread, used in the event loop's alone.
        self._database.row_factory = sqlite3.Row
        with self._database:
            self._database.executescript(_TABLES)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def add(self, spec: dict[str, Any]) -> Study:
        """Note a new study."""
        study_id = str(uuid.uuid4())
        with self._database:
            self._database.execute(
                "INSERT INTO studies (id, spec, status) VALUES (?, ?, 'noted')",
                (study_id, json.dumps(spec)),
            )
        return self.get(study_id)

    def get(self, study_id: str) -> Study:
        """Return a study; KeyError where there is none."""
        row = self._database.execute("SELECT * FROM studies WHERE id = ?", (study_id,)).fetchone()
        if row is None:
            raise KeyError(study_id)
        return Study(**dict(row) | {"spec": json.loads(row["spec"])})

    def unfinished(self) -> list[Study]:
        """Return the studies to go on with after a start."""
        rows = self._database.execute(
            "SELECT id FROM studies WHERE status NOT IN ('ready', 'failed')"
        ).fetchall()
        return [self.get(row["id"]) for row in rows]

    def of_job(self, job_id: str) -> str | None:
        """Return the id of the study whose job this is."""
        row = self._database.execute(
            "SELECT id FROM studies WHERE job_id = ?", (job_id,)
        ).fetchone()
        return None if row is None else row["id"]

    def change(self, study_id: str, **fields: Any) -> None:
        """Write down what is new of a study."""
        names = ", ".join(f"{name} = ?" for name in fields)  # our own names, never a client's
        with self._database:
            self._database.execute(
                f"UPDATE studies SET {names} WHERE id = ?",  # noqa: S608
                (*fields.values(), study_id),
            )

    def is_new_message(self, webhook_id: str) -> bool:
        """Note a message's id; say whether it was not known."""
        with self._database:
            cursor = self._database.execute(
                "INSERT OR IGNORE INTO messages (webhook_id) VALUES (?)", (webhook_id,)
            )
        return cursor.rowcount == 1
