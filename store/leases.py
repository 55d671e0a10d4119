"""When a lease has lapsed, how long its step has run, and whether it may be tried again."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import or_
from sqlalchemy.sql.elements import ColumnElement

from store.records import StepError
from store.settings import LONGEST_LEASE_SECONDS
from store.step_tables import Step

WORKER_LOST = StepError(
    code="worker_lost",
    detail="The step was started several times, and each time its worker went silent before it got"
    " any further.",
    hint="A worker may run out of memory or be restarted while it works: look at its log, then"
    " try the job again; finished steps are reused.",
)
LONGEST_LEASE = timedelta(seconds=2 * LONGEST_LEASE_SECONDS)

# Less than this is no progress: a step that always ends at the same place must not go on for ever.
_FURTHER = 0.002


def lapsed_leases(now: datetime) -> ColumnElement[bool]:
    """Return the condition under which a running step's lease has lapsed.

    One that ends later than any lease can was written before the clock was set back, and would not
    lapse for as long as that was.
    """
    return or_(
        Step.lease_expires_at < now,
        Step.lease_expires_at > now + LONGEST_LEASE,
    )


def has_lapsed(expires_at: datetime, now: datetime) -> bool:
    """Say whether a lease has lapsed; see ``lapsed_leases``."""
    left = expires_at - now
    return left < timedelta(0) or left > LONGEST_LEASE


def time_run(step: Step, now: datetime) -> timedelta:
    """Return for how long earlier attempts at a step ran."""
    end = step.finished_at or step.lease_expires_at
    if step.started_at is None or end is None:
        return timedelta(0)
    return max(timedelta(0), min(now, end) - step.started_at)


def may_try_again(step: Step, max_attempts: int) -> bool:
    """Count an attempt that ended badly; say whether there may be another.

    One that got further than all before it does not count, and takes back what was counted: a
    training of days may be interrupted as often as it likes, as long as it gets on.
    """
    if step.fraction > step.best_fraction + _FURTHER:
        step.best_fraction = step.fraction
        step.strikes = 0
        return True
    step.strikes += 1
    return step.strikes < max_attempts
