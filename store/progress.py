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


def measure(steps: Sequence[Step], started_at: datetime | None, now: datetime) -> Measured:
    """Return the progress of a job from its steps.

    Reused steps cost nothing and so weigh nothing. The time that is left follows from the rate
    observed so far; before that tells anything, from the plan's estimates.
    """
    own = [step for step in steps if step.reused_from is None]
    total = sum(step.estimate_seconds for step in own)
    done = sum(
        step.estimate_seconds * (1.0 if step.status == "succeeded" else step.fraction)
        for step in own
    )
    fraction = min(1.0, done / total) if total > 0 else float(not own)
    running = [step for step in own if step.status == "running"]
    shown = max(running, key=lambda step: (step.started_at or now, step.position), default=None)
    eta: float | None = None
    if any(not step.is_final for step in own):
        eta = total - done
        elapsed = (now - started_at).total_seconds() if started_at else 0.0
        if fraction >= _TELLING_FRACTION and elapsed >= _TELLING_SECONDS:
            eta = elapsed * (1 - fraction) / fraction
    return Measured(
        fraction=fraction,
        stage=shown.kind if shown else None,
        detail=shown.detail if shown else None,
        eta_seconds=None if eta is None else round(eta, 1),
    )
