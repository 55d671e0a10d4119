"""Deleting files whose rows are gone: promised by the transaction, kept by whoever comes first.

A file may be another step's, too: a step that is reused has the prefix of the one that made it. So
what still refers to a prefix is looked up when the promise is kept, not when it is given. Nothing
can begin to refer to it in between, because a step is reused only with its job held
(``hold_files``), and who deletes rows holds the job against exactly that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlalchemy import ColumnElement, delete, exists, select, update
from sqlalchemy.orm import Session

from store.clock import now_of
from store.database import Database
from store.objects import Objects
from store.step_tables import Step
from store.tables import Dataset, Job, Removal
from store.uploads import forget_parts_of

_AT_ONCE = 200
# workspaces/{workspace}/steps/{step}/{attempt}/
_ATTEMPT_PARTS = 5


def promise(session: Session, workspace_id: str, prefixes: Iterable[str]) -> None:
    """Have objects deleted once the transaction is committed.

    Args:
        session: A write transaction.
        workspace_id: Whose they are.
        prefixes: Each ends in ``/``, or is the key of a single upload.
    """
    session.add_all(
        Removal(workspace_id=workspace_id, prefix=prefix) for prefix in sorted(set(prefixes))
    )
    session.flush()


def hold_files(session: Session, step: Step) -> bool:
    """Keep a finished step's files from being deleted until the transaction ends.

    Who deletes them holds the job's row FOR UPDATE, which is the one lock that this one does not
    go together with. It never waits: files that somebody is about to delete are no use.

    Returns:
        Whether they are still there to be held.
    """
    held = session.scalar(
        select(Job.id)
        .where(Job.id == step.job_id)
        .with_for_update(read=True, key_share=True, skip_locked=True)
    )
    if held is None:
        return False
    session.refresh(step)
    return step.output_prefix is not None


def is_pending(database: Database) -> bool:
    """Say whether there is anything to delete now."""
    with database.read() as session:
        found = session.scalar(select(exists(select(Removal.id)) | exists().where(_is_spent())))
    return bool(found)


def carry_out(database: Database, objects: Objects) -> int:
    """Delete the objects that were promised to be deleted, and the promises.

    Any number may do so at once: an object that is gone already is none to delete.

    Returns:
        How many objects were deleted.

    Raises:
        OSError: Some could not be deleted; their promises stay, and the next call goes on.
    """
    deleted = last = 0
    failure: OSError | None = None
    while True:
        with database.read() as session:
            rows = session.execute(
                select(Removal.id, Removal.workspace_id, Removal.prefix)
                .where(Removal.id > last)
                .order_by(Removal.id)
                .limit(_AT_ONCE)
            ).all()
        if not rows:
            break
        kept = []
        for number, workspace_id, prefix in rows:
            try:
                if prefix.endswith("/"):
                    deleted += remove_unreferenced(database, objects, workspace_id, prefix)
                else:
                    objects.delete(prefix)
                    deleted += 1
                kept.append(number)
            except OSError as error:  # one that cannot be deleted must not keep all the others
                failure = error
        with database.write() as session:
            session.execute(delete(Removal).where(Removal.id.in_(kept)))
        last = rows[-1].id
    if failure is not None:
        raise failure
    return deleted


def remove_unreferenced(
    database: Database,
    objects: Objects,
    workspace_id: str,
    prefix: str,
    *,
    older_than_seconds: float = 0.0,
) -> int:
    """Delete the objects of attempts below a prefix to which nothing refers; return how many."""
    deleted = 0
    for keys in objects.pages(prefix, older_than_seconds=older_than_seconds):
        attempts = {key: attempt_of(key) for key in keys}
        with database.read() as session:
            kept = _referenced(session, workspace_id, set(attempts.values()))
        unwanted = [key for key, attempt in attempts.items() if attempt not in kept]
        objects.delete_all(unwanted)
        deleted += len(unwanted)
    return deleted


def attempt_of(key: str) -> str:
    """Return the ``output_prefix`` below which an object of a step lies."""
    return "/".join(key.split("/")[:_ATTEMPT_PARTS]) + "/"


def _referenced(session: Session, workspace_id: str, prefixes: Collection[str]) -> set[str]:
    """Return those of some attempts' prefixes that have published, or are at work, or are read."""
    found = set(
        session.scalars(
            select(Step.output_prefix).where(
                Step.output_prefix.in_(prefixes), Step.status.in_(["succeeded", "running"])
            )
        )
    )
    # Each lies below its ingest's prefix, too; but nothing can bring a data set back.
    for files in session.scalars(
        select(Dataset.files).where(Dataset.workspace_id == workspace_id)
    ).all():
        found.update(attempt_of(file["object_key"]) for file in files)
    return {prefix for prefix in found if prefix is not None}


def remove_spent_uploads(database: Database, objects: Objects) -> int:
    """Delete the uploads of data sets that were read or rejected: nothing reads them again.

    An upload holds what the packed images do not, such as EXIF and file names.

    Returns:
        How many were deleted.

    Raises:
        OSError: The object store does not answer; the next call goes on.
    """
    with database.read() as session:
        spent = session.execute(
            select(Dataset.id, Dataset.upload_key).where(_is_spent()).limit(_AT_ONCE)
        ).all()
    for dataset_id, upload_key in spent:
        if upload_key.endswith("/"):  # it came in parts
            objects.delete_prefix(upload_key)
        else:
            objects.delete(upload_key)
        with database.write() as session:
            forget_parts_of(session, dataset_id)
            session.execute(
                update(Dataset)
                .where(Dataset.id == dataset_id)
                .values(upload_removed_at=now_of(session))
            )
    return len(spent)


def _is_spent() -> ColumnElement[bool]:
    return (Dataset.status != "ingesting") & Dataset.upload_removed_at.is_(None)
