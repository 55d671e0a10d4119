"""Numbers that only grow, written with the work that they count.

What is counted in a transaction is gathered and written as its last act (``Database.write``), in a
fixed order: all who finish a step add to the same few rows, and must neither hold them for long nor
wait for each other in a circle.
"""

from __future__ import annotations

from collections import Counter

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.access_tables import Tally
from store.step_tables import Step
from store.upserting import insert_into

LEASE_EXPIRIES = "lease_expiries"
"""By reason: ``lapsed``, ``holder_gone``."""
STEP_OUTCOMES = "step_outcomes"
"""By kind and outcome, with a space between: see ``count_outcome``."""
STEP_RUNS = "step_runs"
"""Steps that succeeded, by kind."""
STEP_MILLISECONDS = "step_milliseconds"
"""How long those ran, all attempts together, by kind."""

_PENDING = "graft_tallies"


def count(session: Session, name: str, label: str = "", by: int = 1) -> None:
    """Add to a number when the transaction is committed by ``Database.write``.

    Args:
        session: Of that transaction.
        name: One of the names above.
        label: What of it.
        by: How much, 0 or more.
    """
    pending: Counter[tuple[str, str]] = session.info.setdefault(_PENDING, Counter())
    pending[name, label] += by


def count_outcome(session: Session, kind: str, outcome: str) -> None:
    """Count what became of a step, or of an attempt at it.

    Args:
        session: Of the transaction that decides it.
        kind: The step's.
        outcome: ``succeeded``, ``failed``, ``cancelled``, ``reused``; or ``retried`` and
            ``handed_back``, after which the step waits once more.
    """
    count(session, STEP_OUTCOMES, f"{kind} {outcome}")


def count_run(session: Session, step: Step) -> None:
    """Count a step that has succeeded, and how long it ran."""
    count_outcome(session, step.kind, "succeeded")
    count(session, STEP_RUNS, step.kind)
    if step.started_at is not None and step.finished_at is not None:
        ran = (step.finished_at - step.started_at).total_seconds()
        count(session, STEP_MILLISECONDS, step.kind, max(0, round(1000 * ran)))


def count_expiry(session: Session, *, is_dead: bool) -> None:
    """Count a lease that was taken away, from a holder known to be gone or from a silent one."""
    count(session, LEASE_EXPIRIES, "holder_gone" if is_dead else "lapsed")


def write_counted(session: Session) -> None:
    """Write what was counted in a transaction that is about to be committed."""
    pending: Counter[tuple[str, str]] = session.info.pop(_PENDING, Counter())
    if not pending:
        return
    session.flush()
    for (name, label), by in sorted(pending.items()):
        session.execute(
            insert_into(session, Tally)
            .values(name=name, label=label, value=by)
            .on_conflict_do_update(
                index_elements=["name", "label"], set_={"value": Tally.value + by}
            )
        )


def tallies(session: Session) -> dict[str, dict[str, int]]:
    """Return every number by name and label."""
    found: dict[str, dict[str, int]] = {}
    for name, label, value in session.execute(select(Tally.name, Tally.label, Tally.value)):
        found.setdefault(name, {})[label] = value
    return found
