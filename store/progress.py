"""How far a job is, and how long it will take: weighted by what each step was estimated to cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from store.step_tables import Step

# Below these the observed rate says more about starting up than about the work.
_TELLING_FRACTION = 0.02
_TELLING_SECONDS = 5.0


@dataclass(frozen=True)
class Measured:
    """Progress of a job; ``fraction`` in [0, 1], ``eta_seconds`` null when nothing can be said."""

    fraction: float
    stage: str | None
    detail: str | None
    eta_seconds: float | None


WAITING = "waiting for a worker"
"""The stage of a job that has begun and of which nothing runs at the moment."""


def measure(steps: Sequence[Step], now: datetime, *, has_begun: bool) -> Measured:
    """Return the progress of a job from its steps.

    Reused steps cost nothing and so weigh nothing. The time that is left follows from the rate
    observed while steps ran, which time in the queue and time without any worker would falsify;
    before that tells anything, from the plan's estimates.

    Args:
        steps: All of the job's.
        now: The time.
        has_begun: Whether a worker has had any of them.
    """
    # What failed, or cannot be done for that, is no work that is left.
    own = [
        step
        for step in steps
        if step.reused_from is None and (step.status == "succeeded" or not step.is_final)
    ]
    total = sum(step.estimate_seconds for step in own)
    done = sum(
        step.estimate_seconds * (1.0 if step.status == "succeeded" else step.fraction)
        for step in own
    )
    fraction = min(1.0, done / total) if total > 0 else float(not own)
    running = [step for step in own if step.status == "running"]
    shown = max(running, key=lambda step: (step.started_at or now, step.position), default=None)
    is_unfinished = any(not step.is_final for step in own)
    eta: float | None = None
    if is_unfinished:
        eta = total - done
        busy = _busy_seconds(own, now)
        if fraction >= _TELLING_FRACTION and busy >= _TELLING_SECONDS:
            eta = busy * (1 - fraction) / fraction
    waiting = WAITING if has_begun and is_unfinished else None
    return Measured(
        fraction=fraction,
        stage=shown.kind if shown else waiting,
        detail=shown.detail if shown else None,
        eta_seconds=None if eta is None else round(eta, 1),
    )


def _busy_seconds(steps: Sequence[Step], now: datetime) -> float:
    """Return for how long at least one of the steps was running."""
    spans = []
    for step in steps:
        if step.started_at is not None:
            # A worker that went silent has not been at work since, as far as anybody knows.
            end = step.finished_at or min(now, step.lease_expires_at or now)
            spans.append((step.started_at, end))
    seconds = 0.0
    until: datetime | None = None
    for begin, end in sorted(spans):
        seconds += max(0.0, (end - (begin if until is None else max(begin, until))).total_seconds())
        until = end if until is None else max(until, end)
    return seconds
