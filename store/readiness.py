"""Which steps of a job can begin, which never will, and with what they begin.

A need is hard, when the step that is needed must have succeeded, or soft, when it must only be
over: a report is made of the columns that there are (``StepDependency.soft_group``). Every
function here expects the caller to hold the job's row.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from sqlalchemy import and_, exists, or_, select
from sqlalchemy.orm import Session, aliased

from gan_core.spec.steps import STEP_VERSIONS, StepKind, columns_lost_with, step_key
from store.clock import now_of
from store.job_log import note
from store.settling import steps_of
from store.step_tables import FINAL_STEP_STATES, Step, StepDependency
from store.tables import Dataset, Job
from store.uploads import content_id_of

_NEVER = ("failed", "skipped", "cancelled")
_KINDS: frozenset[str] = frozenset(get_args(StepKind))


def skip_what_cannot_be(session: Session, job: Job) -> int:
    """Mark the steps as skipped that wait for what has failed; return how many."""
    skipped = 0
    while unreachable := _unreachable(session, job.id):
        now = now_of(session)
        for step in unreachable:
            step.status = "skipped"
            step.finished_at = now
            note(session, step, "Skipped: a step that it needs has failed.", "warning")
        session.flush()
        skipped += len(unreachable)
    return skipped


def ready_steps(session: Session, job: Job) -> Sequence[Step]:
    """Return the steps that wait for nothing any more, each fitted to the inputs that there are."""
    needed = aliased(Step)
    has_unmet_need = exists().where(
        StepDependency.step_id == Step.id,
        StepDependency.needs_id == needed.id,
        or_(
            and_(StepDependency.soft_group.is_(None), needed.status != "succeeded"),
            needed.status.not_in(FINAL_STEP_STATES),
        ),
    )
    session.flush()
    ready = session.scalars(
        select(Step)
        .where(Step.job_id == job.id, Step.status == "pending", ~has_unmet_need)
        .order_by(Step.position)
    ).all()
    for step in ready:
        if any(given.get("soft_group") is not None for given in step.inputs.values()):
            _do_without_the_failed(session, job, step)
    return ready


def _unreachable(session: Session, job_id: str) -> list[Step]:
    needed = aliased(Step)
    session.flush()
    has_lost_hard_need = exists().where(
        StepDependency.step_id == Step.id,
        StepDependency.needs_id == needed.id,
        StepDependency.soft_group.is_(None),
        needed.status.in_(_NEVER),
    )
    lost = list(
        session.scalars(
            select(Step).where(Step.job_id == job_id, Step.status == "pending", has_lost_hard_need)
        )
    )
    groups: dict[tuple[str, int], list[str]] = defaultdict(list)
    rows = session.execute(
        select(StepDependency.step_id, StepDependency.soft_group, needed.status)
        .join(Step, Step.id == StepDependency.step_id)
        .join(needed, needed.id == StepDependency.needs_id)
        .where(Step.job_id == job_id, Step.status == "pending", StepDependency.soft_group > 0)
    )
    for step_id, group, status in rows:
        groups[step_id, group or 0].append(status)
    hopeless = {step_id for (step_id, _), found in groups.items() if set(found) <= set(_NEVER)}
    hopeless -= {step.id for step in lost}
    if hopeless:
        lost.extend(session.scalars(select(Step).where(Step.id.in_(hopeless))))
    return lost


def _do_without_the_failed(session: Session, job: Job, step: Step) -> None:
    """Leave out the inputs that failed steps did not leave, and have the step say so."""
    siblings = {other.name: other for other in steps_of(session, job.id)}
    kept: dict[str, Any] = {}
    for label, given in step.inputs.items():
        source = siblings.get(given["step"]) if given["source"] == "step" else None
        if source is None or source.status == "succeeded":
            kept[label] = given
    if len(kept) == len(step.inputs):
        return
    sources = {
        other.name: [given.get("step") for given in other.inputs.values()]
        for other in siblings.values()
    }
    told = []
    for other in siblings.values():
        if other.status == "failed":
            lost = columns_lost_with(other.name, sources)
            told.append(
                {"step": other.name, **(other.error or {})} | ({"lost": lost} if lost else {})
            )
    step.inputs = kept
    step.params = {**step.params, "failed": told}
    step.key = key_of(session, job, step)


def key_of(session: Session, job: Job, step: Step) -> str:
    """Return a step's key as the code that runs here would make it.

    Args:
        session: Open on the database.
        job: The step's.
        step: With the inputs that it will read.
    """
    if step.kind not in _KINDS:
        return step.key
    dataset = session.get_one(Dataset, job.dataset_id)
    session.flush()
    read = [given["step"] for given in step.inputs.values() if given["source"] == "step"]
    named = session.execute(
        select(Step.name, Step.key).where(Step.job_id == job.id, Step.name.in_(read))
    )
    keys = {name: key for name, key in named}  # noqa: C416  # rows, not pairs
    digests: dict[str, str] = {}
    for label, given in step.inputs.items():
        if given["source"] == "step":
            digests[label] = keys[given["step"]]
        elif given["source"] == "upload":
            digests[label] = content_id_of(dataset)
        else:
            digests[label] = (dataset.facts or {}).get("digest", "")
    kind: Any = step.kind
    return step_key(kind, step.params, digests)


def version_here(kind: str) -> int:
    """Return the version of the code that runs here for a kind of step; 0: it does not know it."""
    versions: Mapping[str, int] = {str(known): number for known, number in STEP_VERSIONS.items()}
    return versions.get(kind, 0)


def is_within_reach(step: Step) -> bool:
    """Say whether the code that runs here is new enough for a step."""
    return step.code_version is None or version_here(step.kind) >= step.code_version
