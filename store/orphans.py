"""Finding objects that no row refers to, and deleting them.

They come from workers and APIs that were killed: attempts that were never recorded, uploads that
were never registered, checkpoints of steps that have ended since, and what trainings showed that
have succeeded since. A row is always written before an object has been there for a day, so what is
younger is left alone: it may be on its way.

Nothing is looked for outside the workspaces that the database knows, so that a service with the
wrong database, or two that share a bucket, delete nothing of each other's.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, select

from store.database import Database
from store.live import LIVE
from store.objects import Objects
from store.removals import remove_unreferenced
from store.step_tables import FINAL_STEP_STATES, Step
from store.tables import Dataset, Workspace
from store.upload_tables import UploadPart

# Longer than any upload takes to arrive.
STRAY_SECONDS = 24 * 3600.0
_STEP_PART = 3  # workspaces/{workspace}/checkpoints/{step}/…, and the same of what was shown


def remove_orphans(
    database: Database, objects: Objects, *, older_than_seconds: float = STRAY_SECONDS
) -> int:
    """Delete the objects of every workspace that nothing refers to; return how many.

    The listing is read a page at a time, so memory does not grow with the number of objects.

    Args:
        database: What is referred to.
        objects: Where to look.
        older_than_seconds: What was written later than this ago is left alone.

    Raises:
        OSError: The object store does not answer; the next call begins again.
    """
    with database.read() as session:
        workspaces = list(session.scalars(select(Workspace.id).order_by(Workspace.id)))
    removed = 0
    for workspace_id in workspaces:
        home = f"workspaces/{workspace_id}/"
        removed += objects.remove_unfinished(home, older_than_seconds)
        removed += remove_unreferenced(
            database,
            objects,
            workspace_id,
            f"{home}steps/",
            older_than_seconds=older_than_seconds,
        )
        removed += _remove_stray_uploads(database, objects, f"{home}uploads/", older_than_seconds)
        is_unfinished = Step.status.not_in(FINAL_STEP_STATES)
        removed += _remove_of_steps(
            database, objects, f"{home}checkpoints/", older_than_seconds, is_unfinished
        )
        # Of a training that failed it can be looked at how it went.
        removed += _remove_of_steps(
            database, objects, f"{home}{LIVE}/", older_than_seconds, Step.status != "succeeded"
        )
    return removed


def _remove_stray_uploads(
    database: Database, objects: Objects, prefix: str, older_than_seconds: float
) -> int:
    removed = 0
    for keys in objects.pages(prefix, older_than_seconds=older_than_seconds):
        with database.read() as session:
            known = set(
                session.scalars(
                    select(UploadPart.object_key).where(UploadPart.object_key.in_(keys))
                )
            )
            known.update(
                session.scalars(
                    select(Dataset.upload_key).where(
                        Dataset.upload_key.in_(keys), Dataset.upload_removed_at.is_(None)
                    )
                )
            )
        stray = [key for key in keys if key not in known]
        objects.delete_all(stray)
        removed += len(stray)
    return removed


def _remove_of_steps(
    database: Database,
    objects: Objects,
    prefix: str,
    older_than_seconds: float,
    is_wanted: ColumnElement[bool],
) -> int:
    """Delete what lies below a prefix, by step, of steps that are gone or not wanted any more."""
    removed = 0
    for keys in objects.pages(prefix, older_than_seconds=older_than_seconds):
        step_of = {key: key.split("/")[_STEP_PART] for key in keys}
        with database.read() as session:
            wanted = set(
                session.scalars(
                    select(Step.id).where(Step.id.in_(set(step_of.values())), is_wanted)
                )
            )
        spent = [key for key, step_id in step_of.items() if step_id not in wanted]
        objects.delete_all(spent)
        removed += len(spent)
    return removed
